"""Coverage-guided fuzzing of five readers with atheris, where it is installed; ten minutes in all."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from campaign import Tally

SECONDS = 600
READERS = ("header", "vital", "table", "decisions", "study")  # as in `fuzz_target`, which needs atheris
LIMITS = (
    "-max_len=4096",
    "-timeout=20",
    "-rss_limit_mb=2048",
    "-print_final_stats=1",
    "-verbosity=0",
    "-close_fd_mask=1",
)


def run(folder: Path, seed: int, is_short: bool) -> Tally:
    tally = Tally("coverage-guided fuzzing", "any bytes end in a result or one line, within 20 s and 2 GB")
    if importlib.util.find_spec("atheris") is None:
        tally.not_run = "atheris is not installed"
        return tally
    shutil.rmtree(folder, ignore_errors=True)
    for name in READERS:
        corpus, kept = folder / name / "corpus", folder / name / "failures"
        corpus.mkdir(parents=True)
        kept.mkdir()
        seconds = (10 if is_short else SECONDS) // len(READERS)
        said = _fuzz(
            name, [f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={kept}/", *LIMITS, str(corpus)]
        )
        executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
        tally.tried += int(executed[1]) if executed else 0
        tally.outcomes[f"{name}, files of the corpus"] = sum(1 for _ in corpus.iterdir())
        tally.failures += [f"{name}: {path}: {_last_error(said)}" for path in sorted(kept.iterdir())]
        if not executed:
            tally.failures.append(f"{name}: did not run: {said[-300:]!r}")
    return tally


def _fuzz(name: str, options: list[str]) -> str:
    """Run one target in a folder in memory, in which it writes an input some hundred times a second."""
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if place.is_dir() else None) as work:
        command = [sys.executable, str(Path(__file__).with_name("fuzz_target.py")), name, work, *options]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stderr


def _last_error(said: str) -> str:
    lines = [line for line in said.splitlines() if "Error" in line or "ERROR" in line]
    return lines[0][:300] if lines else "no error is named"
