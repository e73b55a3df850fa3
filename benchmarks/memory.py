"""Host memory of the generic training for 535,000 beats, compared with a few beats.

python benchmarks/memory.py. The beats of the paper's size, in one file; reading, training and scoring as in a study, in
a process of its own.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
BEATS_PER_DRAW = 200
SUBJECTS_PER_SPLIT = {"few": 4, "many": 892}


def peak_mb(folder: Path, subjects_per_split: int) -> None:
    """Print the peak of resident memory, in MB, of a process that trains on this cohort and does nothing else."""
    from kalemia.core import config
    from kalemia.network.train_generic import train_generic

    assert len(list(folder.glob("p*.parquet"))) == 3 * subjects_per_split
    outputs = [
        folder / name for name in ("model.safetensors", "history.parquet", "predictions.parquet", "metrics.json")
    ]
    settings = config.Generic(epochs=1, batch_size=1024, learning_rate=1e-3)
    inputs = folder / "generic.parquet", folder / "beats.parquet"
    train_generic(*inputs, config.Network(18, 1), settings, 1, "", "vote", *outputs)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    from beat_shards import write_generic_cohort

    peaks = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, subjects in SUBJECTS_PER_SPLIT.items():
            folder = Path(temporary) / name
            folder.mkdir()
            write_generic_cohort(folder, subjects, BEATS_PER_DRAW)
            command = [sys.executable, __file__, str(folder), str(subjects)]
            peaks[name] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{3 * subjects * BEATS_PER_DRAW:8,} beats: peak {peaks[name]:6.0f} MB", flush=True)
    print(f"for the beats: {peaks['many'] - peaks['few']:.0f} MB (bound: 2,000 MB)")


if __name__ == "__main__":
    peak_mb(Path(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 1 else main()
