"""Read ten minutes of lead II from a long recording: Kalemia, wfdb reading the whole record, and bytes by HTTP.

    python benchmarks/excerpts.py [HOURS]

The recording is made up: format 80, three leads, a segment every four hours.
"""

import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import wfdb

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from kalemia.sources.physionet import DATABASE, PhysioNet
from kalemia.sources.remote.http_files import Web
from kalemia.sources.storage import HttpStorage
from mirror import write_record
from web_server import serving

HOURS = 48
WINDOW = 75_000
REPEATS = 5


def seconds_of(task) -> float:
    """The median of several runs, after one that warms the disk's cache."""
    times = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        task()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def main(hours: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, n = Path(folder), 4 * 3600 * 125
        rng = np.random.default_rng(1)
        segments = [
            ({lead: rng.integers(-90, 90, n) / 50 for lead in ("II", "V", "ABP")}, 50) for _ in range(hours // 4)
        ]
        name = write_record(root, 20, datetime(2150, 1, 1), 3_000_001, segments)
        record_bytes = sum(path.stat().st_size for path in root.rglob("*.dat"))
        source = PhysioNet(root)
        start = source.recording(name).n_samples // 2 - WINDOW // 2  # across two segments

        def excerpt() -> np.ndarray:
            return source.read_lead(source.recording(name), "II", start, start + WINDOW).ecg_mv

        def whole() -> np.ndarray:
            record = wfdb.rdrecord(str(root / DATABASE / name), channel_names=["II"])
            return record.p_signal[start : start + WINDOW, 0].astype(np.float32)

        if not np.array_equal(excerpt(), whole()):
            sys.exit("the samples differ")
        ours, theirs = seconds_of(excerpt), seconds_of(whole)
        print(f"{hours} h of three leads, {record_bytes / 1e6:.0f} MB; ten minutes of lead II, median of {REPEATS}")
        print(f"kalemia, the excerpt            {1000 * ours:9.1f} ms")
        print(f"wfdb.rdrecord, the whole record {1000 * theirs:9.1f} ms, {theirs / ours:.0f} times as long")
        with serving(root) as site:
            web = Web(f"{site.url}/{DATABASE}", attempts=2, timeout_s=10)
            far = PhysioNet(HttpStorage(web, root / "cache"))
            began = time.perf_counter()
            same = np.array_equal(far.read_lead(far.recording(name), "II", start, start + WINDOW).ecg_mv, excerpt())
            seconds = time.perf_counter() - began
            samples, all_ = site.body_bytes(".dat"), site.body_bytes()
        if not same:
            sys.exit("the samples by HTTP differ")
        print(f"by HTTP from this machine       {1000 * seconds:9.1f} ms, {len(site.requests)} requests")
        print(
            f"bytes of samples {samples:,}: {samples / (3 * WINDOW):.3f} of the least, {samples / record_bytes:.3%} of"
        )
        print(f"the record; with headers {all_:,}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else HOURS)
