"""Progress of downloading a whole study: every job adds a line and reports the sum of all jobs."""

import os
import re
from pathlib import Path

_LINE = re.compile(r"(\d+) (\d+) (\d+) (\d+\.\d)")
_JOBS_OF_RATE = 50  # the most recent ones, from which the remaining time is estimated


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
