"""Speed from raw ECG to a Parquet file of beats on one core, compared with two common routes on the same excerpts.

python benchmarks/ecg.py [path/to/data]. Excerpts: the ten-minute windows of some MIT-BIH records at 125 Hz, or
simulated ones where the folder is absent. Needs NeuroKit2, which `make bench` installs.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import datetime
from pathlib import Path

import neurokit2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from threadpoolctl import threadpool_limits
from wfdb.processing import XQRS

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from annotated_ecg import WINDOW, read_annotated
from ecg_signals import clean_ecg
from kalemia.beats.segment_beats import BeatSettings, extract_beats
from kalemia.core.config import Study
from kalemia.core.schemas import RATE_HZ
from kalemia.ecg.assess_excerpt import cut_beats
from kalemia.ecg.filters import bandpass, bandpass_taps

ROOT = Path(__file__).parent.parent
SETTINGS = BeatSettings.from_study(Study.from_config(yaml.safe_load((ROOT / "config.yaml").read_text())))
RECORDS = ("101", "118", "205")
IMPORTS = "import numpy, pyarrow, scipy.ndimage, scipy.signal"
BEAT_JOB = "import kalemia.core.config, kalemia.core.jobs, kalemia.beats.segment_beats, kalemia.beats.review_decisions"


def excerpts(data: Path) -> list[np.ndarray]:
    """The raw windows of ten minutes."""
    if not data.is_dir():
        random = np.random.default_rng(1)
        r_samples = [np.cumsum(random.integers(85, 115, 800)) for _ in range(9)]
        return [clean_ecg(r[r < WINDOW], WINDOW) + random.normal(scale=0.02, size=WINDOW) for r in r_samples]
    records = [read_annotated(data / "mitdb", name).ecg_mv for name in RECORDS]
    return [ecg_mv[start : start + WINDOW] for ecg_mv in records for start in (0, WINDOW, 2 * WINDOW)]


def by_kalemia(ecg_mv: np.ndarray, path: Path) -> None:
    """Everything that a beat job does with an excerpt."""
    about = {
        "subject_id": 1,
        "draw_id": 1,
        "hadm_id": None,
        "draw_time": datetime(2150, 1, 1),
        "value": 4.0,
        "label": 0,
    }
    segments = [{"name": "segment", "start": 0, "stop": len(ecg_mv), "gain": 200.0, "baseline": 0}]
    excerpt = about | {"recording": "record", "sample_from": 0, "segments": segments, "reason": None}
    ((table, _),) = extract_beats([(excerpt, ecg_mv)], SETTINGS, {})
    pq.write_table(table, path, compression="zstd")


def by_neurokit(ecg_mv: np.ndarray, path: Path) -> None:
    """NeuroKit2, as its documentation shows it."""
    cleaned = neurokit2.ecg_clean(ecg_mv, sampling_rate=RATE_HZ)
    r_peaks = neurokit2.ecg_peaks(cleaned, sampling_rate=RATE_HZ)[1]["ECG_R_Peaks"]
    beats = neurokit2.ecg_segment(cleaned, rpeaks=r_peaks, sampling_rate=RATE_HZ)
    values = [pa.array(beat["Signal"].to_numpy()) for beat in beats.values()]
    table = pa.table({"beat": pa.array([value.to_numpy(zero_copy_only=False) for value in values])})
    pq.write_table(table, path, compression="zstd")


def by_xqrs(ecg_mv: np.ndarray, path: Path) -> None:
    """Our filter and cut, with the R peaks of wfdb; no quality at all."""
    ecg = SETTINGS.ecg
    filtered_mv = bandpass(ecg_mv, bandpass_taps(RATE_HZ, ecg.band_hz, ecg.transition_hz, ecg.stopband_db))
    detector = XQRS(sig=filtered_mv.astype(float), fs=RATE_HZ)
    detector.detect(verbose=False)
    beats_mv = cut_beats(filtered_mv, detector.qrs_inds)
    table = pa.table({"beat": pa.FixedSizeListArray.from_arrays(beats_mv.ravel(), beats_mv.shape[1])})
    pq.write_table(table, path, compression="zstd")


def seconds_of(route, ecgs: list[np.ndarray], repeats: int) -> float:
    """The least time per excerpt over the repeats, of processor time, after one excerpt to warm up."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "beats.parquet"
        route(ecgs[0], path)
        times = []
        for _ in range(repeats):
            start = time.process_time()
            for ecg_mv in ecgs:
                route(ecg_mv, path)
            times.append((time.process_time() - start) / len(ecgs))
    return min(times)


def import_seconds(statement: str) -> float:
    """The least of five."""
    program = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in "12345"
    ]
    return min(float(run.stdout) for run in runs)


def main(data: Path) -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    threadpool_limits(1)
    ecgs = excerpts(data)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    ours = seconds_of(by_kalemia, ecgs, 5)
    print(
        f"| route | ms for an excerpt of ten minutes | times ours |\n|---|---|---|\n| Kalemia | {ours * 1e3:.1f} | 1 |"
    )
    for name, route in (("wfdb xqrs", by_xqrs), ("NeuroKit2", by_neurokit)):
        theirs = seconds_of(route, ecgs, 1)
        print(f"| {name} | {theirs * 1e3:.0f} | {theirs / ours:.1f} |")
    print(f"\nimports of a beat job: {import_seconds(BEAT_JOB):.2f} s")
    print(f"numpy, pyarrow and scipy.signal alone: {import_seconds(IMPORTS):.2f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data")
