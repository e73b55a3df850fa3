"""The cohort: who is studied, which recording lies before each draw, and which draws are read."""

import logging
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc

from kalemia.config import Analyte, Cohort
from kalemia.errors import UserError
from kalemia.labs import draws_from_rows
from kalemia.seeds import rng
from kalemia.sources import Recording, Source, recordings_named
from kalemia.tables import read_table, table_from_rows, write_table

log = logging.getLogger(__name__)


def write_cohort(
    source: Source,
    analyte: Analyte,
    cohort: Cohort,
    personal_min_draws: int,
    seed: int,
    digest: str,
    draws_path: str | Path,
    subjects_path: str | Path,
    unreadable_path: str | Path,
) -> None:
    """Write every draw with its recording and its candidate population, the subjects who have draws to read, and the
    recordings that could not be used.

    Raises `UserError` if no draw is left.
    """
    draws = draws_from_rows(source.analyte_rows(analyte.items), analyte).to_pylist()
    for draw in draws:
        draw.update(recording=None, sample_from=None, sample_to=None, candidate=None)
    if cohort.exclude_codes:
        _exclude_coded(draws, source.coded_reasons())
    unreadable = _match_recordings(draws, source, cohort)
    _choose_candidates(draws, cohort, personal_min_draws, seed)
    read = [draw for draw in draws if draw["reason"] is None]
    if not read:
        counts = Counter(draw["reason"] for draw in draws).most_common(3)
        why = (
            ", ".join(f"{count} {reason}" for reason, count in counts)
            or f"there is no row of items {list(analyte.items)}"
        )
        raise UserError(f"cohort: no draw can be used ({why}); check source, analyte and cohort in the config")
    subjects = sorted({(draw["subject_id"], draw["candidate"]) for draw in read})
    log.info("%d of %d draws are read, of %d subjects", len(read), len(draws), len(subjects))
    write_table(draws_path, "draws", table_from_rows("draws", draws), digest)
    write_table(unreadable_path, "ledger", table_from_rows("ledger", unreadable), digest)
    rows = [{"subject_id": subject, "candidate": candidate} for subject, candidate in subjects]
    write_table(subjects_path, "subjects", table_from_rows("subjects", rows), digest)


def window_of(draw_time: datetime, recording: Recording, window_minutes: float) -> tuple[int, int]:
    """The samples of the recording that lie in the minutes before the draw, half open; empty where none do."""
    stop = min(recording.sample_at(draw_time), recording.n_samples)
    start = max(recording.sample_at(draw_time - timedelta(minutes=window_minutes)), 0)
    return start, max(start, stop)


def best_recording(
    draw_time: datetime, recordings: list[Recording], cohort: Cohort
) -> tuple[Recording, int, int] | None:
    """The recording with the most samples in the window, with the window's samples; None if it has too few.

    Between recordings with as many samples the first by name is taken.
    """
    best, most = None, 0
    for recording in sorted(recordings, key=lambda recording: recording.name):
        start, stop = window_of(draw_time, recording, cohort.window_minutes)
        recorded = recording.recorded_samples(start, stop)
        if recorded > most and recorded >= cohort.min_recorded_minutes * 60 * recording.rate_hz:
            best, most = (recording, start, stop), recorded
    return best


def _exclude_coded(draws: list[dict], reasons: dict[int, str]) -> None:
    for draw in draws:
        draw["reason"] = draw["reason"] or reasons.get(draw["subject_id"])


def _match_recordings(draws: list[dict], source: Source, cohort: Cohort) -> list[dict]:
    """Give every draw its recording or the reason why it has none; returns ledger rows of unreadable recordings.

    Only headers of recordings that may have been running at some draw are read.
    """
    names = source.names()
    usable = [draw for draw in draws if draw["reason"] is None]
    last_draw: dict[int, datetime] = {}
    for draw in usable:
        subject, time = draw["subject_id"], draw["draw_time"]
        last_draw[subject] = max(last_draw.get(subject, time), time)
    wanted = {
        subject: [name for name in names.get(subject, []) if source.may_hold(name, time)]
        for subject, time in sorted(last_draw.items())
    }
    found = recordings_named(source, [name for mine in wanted.values() for name in mine])
    for draw in usable:
        mine = [found[name] for name in wanted[draw["subject_id"]]]
        readable = [recording for recording in mine if isinstance(recording, Recording)]
        match = best_recording(draw["draw_time"], readable, cohort)
        if match:
            recording, draw["sample_from"], draw["sample_to"] = match
            draw["recording"] = recording.name
        elif mine and not readable:
            draw["reason"] = mine[0].reason
        else:
            draw["reason"] = "not recording at the time" if names.get(draw["subject_id"]) else "no recording"
    return [
        {"subject_id": subject, "recording": name, "reason": found[name].reason, "detail": found[name].detail}
        for subject, mine in wanted.items()
        for name in mine
        if not isinstance(found[name], Recording)
    ]


def _choose_candidates(draws: list[dict], cohort: Cohort, personal_min_draws: int, seed: int) -> None:
    """Personal candidates keep every draw; the others some draws of one class, positive ones if they have any."""
    by_subject: dict[int, list[dict]] = {}
    for draw in draws:
        if draw["reason"] is None:
            by_subject.setdefault(draw["subject_id"], []).append(draw)
    for subject, mine in by_subject.items():
        count = Counter(draw["label"] for draw in mine)
        if min(count[0], count[1]) >= personal_min_draws:
            for draw in mine:
                draw["candidate"] = "personal"
            continue
        used_class = 1 if count[1] else 0
        of_class = [draw for draw in mine if draw["label"] == used_class]
        order = rng(seed, "generic draws", subject).permutation(len(of_class))
        chosen = {of_class[i]["draw_id"] for i in order[: cohort.draws_per_generic_patient]}
        for draw in mine:
            if draw["draw_id"] in chosen:
                draw["candidate"] = "generic"
            elif draw["label"] is None:
                draw["reason"] = "grey zone of a generic patient"
            elif draw["label"] != used_class:
                draw["reason"] = "class not used for the patient"
            else:
                draw["reason"] = "more draws than needed"


def draws_to_read(path: str | Path, subject_id: int) -> tuple[int, int]:
    """How many draws of one subject, and how many of all subjects, are read."""
    subjects = read_table(path, "draws", ["subject_id", "candidate"]).drop_null()["subject_id"]
    return pc.sum(pc.equal(subjects, subject_id)).as_py() or 0, len(subjects)


def read_draws_of(path: str | Path, subject_id: int) -> list[dict]:
    """The draws of one subject that are read, in the order of time."""
    draws = read_table(path, "draws", digest=None)
    mine = draws.filter(pc.and_(pc.equal(draws["subject_id"], subject_id), pc.is_valid(draws["candidate"])))
    return mine.sort_by([("draw_time", "ascending"), ("draw_id", "ascending")]).to_pylist()
