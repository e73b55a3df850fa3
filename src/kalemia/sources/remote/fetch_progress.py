"""Progress of downloads: of the bytes of one process while they come, and the sum of all jobs of a study."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from kalemia.core.jobs import PROGRESS_EVERY_S, log_and_print, shows_bars

_LINE = re.compile(r"(\d+) (\d+) (\d+) (\d+\.\d)")
_JOBS_OF_RATE = 50  # the most recent ones, from which the remaining time is estimated
_LOOK_EVERY_S = 0.2


@contextmanager
def watch_bytes(what: str, total: int, received: Callable[[], int]) -> Iterator[None]:
    """Show how many of `total` bytes have come, with rate and time left: a bar, or a line from time to time.

    received: the bytes that have come, from any starting point.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(what, total, received, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(what: str, total: int, received: Callable[[], int], ended: threading.Event) -> None:
    before, began_s = received(), time.monotonic()
    last_s = began_s
    with tqdm(total=total, desc=what, unit="B", unit_scale=True, leave=False, disable=not shows_bars()) as bar:
        while not ended.wait(_LOOK_EVERY_S):
            n, now_s = received() - before, time.monotonic()
            bar.update(n - bar.n)
            if bar.disable and n and now_s - last_s >= PROGRESS_EVERY_S:
                last_s = now_s
                log_and_print(f"{what}: {describe_progress(n, total, now_s - began_s)}")


def describe_progress(n_bytes: int, total: int, seconds: float) -> str:
    """For example ``12.3 of 75.0 MB, 410 kB/s, about 3 min left``."""
    rate = n_bytes / seconds
    left_min = max(0, total - n_bytes) / rate / 60
    return f"{n_bytes / 1e6:,.1f} of {total / 1e6:,.1f} MB, {rate / 1e3:,.0f} kB/s, about {left_min:,.0f} min left"


def record_progress(
    path: str | Path, subject_id: int, draws: int, fetched_bytes: int, total_draws: int, now_s: float
) -> str:
    """Add a subject to the tally at `path`; returns one line with draws done, MB fetched and time left of the study.

    `now_s` is the current time as of `time.time`. A subject that is done again counts once.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # a short write in append mode is atomic, also if several jobs end at once, but not on a network file system
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666), "wb", buffering=0) as file:
        file.write(f"{subject_id} {draws} {fetched_bytes} {now_s:.1f}\n".encode())
    matches = map(_LINE.fullmatch, path.read_text(errors="replace").splitlines())
    lines = [[float(word) for word in match.groups()] for match in matches if match]
    done = int(sum({line[0]: line[1] for line in lines}.values()))
    line = f"excerpts: {done:,} of {total_draws:,} draws done, {sum(line[2] for line in lines) / 1e6:,.1f} MB fetched"
    recent = lines[-_JOBS_OF_RATE:]
    of_draws = sum(line[1] for line in recent[1:])
    if not of_draws or now_s <= recent[0][3]:
        return line
    left_s = max(0, total_draws - done) * (now_s - recent[0][3]) / of_draws
    return f"{line}, about {left_s / 60:,.0f} min left"
