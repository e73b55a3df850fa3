"""Read the ECG before each draw of one subject: one lead, as recorded, across gaps and segments."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kalemia.cohort.select_cohort import read_subject_draws
from kalemia.core.jobs import track_progress
from kalemia.core.paths import subject_name
from kalemia.core.tables import table_from_rows, write_table
from kalemia.core.wording import list_counts
from kalemia.sources import LeadExcerpt, Recording, Source, UnreadableRecordingError, recordings_named

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
    """Write one row per draw of the subject that is to be read, with its ECG or the reason why there is none.

    Raises `UserError` as `tables.read_table`.
    """
    draws = read_subject_draws(draws_path, subject_id)
    recordings = recordings_named(source, sorted({draw["recording"] for draw in draws}))
    rows = [
        _excerpt_row(draw, recordings[draw["recording"]], source.read_lead, lead, min_recorded_minutes)
        for draw in track_progress(f"draws of {subject_name(subject_id)}", draws, len(draws))
    ]
    counts = Counter(row["reason"] or "read" for row in rows)
    log.info("%s: %s", subject_name(subject_id), list_counts(counts))
    write_table(path, "excerpts", table_from_rows("excerpts", rows), digest, group_by="draw_id")


def missing_lead_reason(
    excerpt: LeadExcerpt, rate_hz: float, min_recorded_minutes: float
) -> tuple[str | None, str | None]:
    """(reason, detail) why an excerpt cannot be used; (None, None) if enough of the lead was recorded."""
    recorded_s = np.count_nonzero(np.isfinite(excerpt.ecg_mv)) / rate_hz
    if recorded_s >= 60 * min_recorded_minutes:
        return None, None
    if excerpt.problems:
        reason = Counter(problem.reason for problem in excerpt.problems).most_common(1)[0][0]
        return reason, "; ".join(problem.detail for problem in excerpt.problems if problem.reason == reason)
    return ("gap" if excerpt.segments else "no lead"), None


def _excerpt_row(
    draw: dict,
    recording: Recording | UnreadableRecordingError,
    read_lead: Callable,
    lead: str,
    min_recorded_minutes: float,
) -> dict:
    kept = ("subject_id", "draw_id", "draw_time", "value", "label", "hadm_id", "recording", "sample_from")
    row = {name: draw[name] for name in kept} | {"ecg_mv": None, "rate_hz": None, "segments": [], "faults": []}
    if isinstance(recording, UnreadableRecordingError):  # it was readable when the cohort was made
        return row | {"reason": recording.reason, "detail": recording.detail}
    excerpt = read_lead(recording, lead, draw["sample_from"], draw["sample_to"])
    reason, detail = missing_lead_reason(excerpt, recording.rate_hz, min_recorded_minutes)
    return row | {
        "rate_hz": recording.rate_hz,
        "ecg_mv": None if reason else excerpt.ecg_mv,
        "segments": [vars(segment) for segment in excerpt.segments],
        "faults": [vars(fault) for fault in excerpt.faults],
        "reason": reason,
        "detail": detail,
    }
