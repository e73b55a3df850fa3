"""The ECG before each draw of one subject: one lead, as recorded, out of gaps, segments and changing leads."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kalemia.cohort import read_draws_of
from kalemia.sources import LeadExcerpt, Recording, Source
from kalemia.tables import table_from_rows, write_table

log = logging.getLogger(__name__)


def write_excerpts(
    source: Source,
    draws_path: str | Path,
    subject_id: int,
    lead: str,
    min_recorded_minutes: float,
    digest: str,
    path: str | Path,
) -> None:
    """Write one row for each draw of the subject that is read, with its ECG or the reason why there is none."""
    recordings: dict[str, Recording] = {}
    rows = []
    for draw in read_draws_of(draws_path, subject_id):
        name = draw["recording"]
        if name not in recordings:
            recordings[name] = source.recording(name)
        rows.append(_row(draw, recordings[name], source.read_lead, lead, min_recorded_minutes))
    log.info("%s", Counter(row["reason"] or "read" for row in rows))
    write_table(path, "excerpts", table_from_rows("excerpts", rows), digest, group_by="draw_id")


def reason_without_lead(excerpt: LeadExcerpt, rate_hz: float, min_recorded_minutes: float) -> str | None:
    """Why an excerpt cannot be used; None if enough of the lead was recorded."""
    recorded_s = np.count_nonzero(np.isfinite(excerpt.ecg_mv)) / rate_hz
    if recorded_s >= 60 * min_recorded_minutes:
        return None
    if excerpt.problems:
        return Counter(excerpt.problems).most_common(1)[0][0]
    return "gap" if excerpt.segments else "no lead"


def _row(draw: dict, recording: Recording, read_lead: Callable, lead: str, min_recorded_minutes: float) -> dict:
    excerpt = read_lead(recording, lead, draw["sample_from"], draw["sample_to"])
    reason = reason_without_lead(excerpt, recording.rate_hz, min_recorded_minutes)
    kept = ("subject_id", "draw_id", "draw_time", "potassium", "label", "recording", "sample_from")
    return {
        **{name: draw[name] for name in kept},
        "rate_hz": recording.rate_hz,
        "ecg_mv": None if reason else excerpt.ecg_mv,
        "segments": [vars(segment) for segment in excerpt.segments],
        "reason": reason,
    }
