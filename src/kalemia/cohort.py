"""The cohort: who is studied, which recording lies before each draw, and which draws are read."""

import logging
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kalemia.config import Analyte, Cohort
from kalemia.errors import UserError
from kalemia.labs import analyte_rows, draws_from_rows, read_csv_table
from kalemia.seeds import rng
from kalemia.sources import Recording, Source, recordings_of
from kalemia.tables import read_table, table_from_rows, write_table

log = logging.getLogger(__name__)

# ICD-9-CM as MIMIC writes it, without the point. Diagnoses: 427.3x atrial fibrillation and flutter, V45.01 pacemaker
# and V53.31 its fitting. Procedures: 37.7x leads and 37.8x pacemakers, 00.50 and 00.53 resynchronization.
_FIBRILLATION = ("42731", "42732")
_PACING_DIAGNOSES = ("V4501", "V5331")
_PACING_PROCEDURES = ("377", "378", "0050", "0053")


def write_cohort(
    tables: str | Path,
    source: Source,
    analyte: Analyte,
    cohort: Cohort,
    personal_min_draws: int,
    seed: int,
    digest: str,
    draws_path: str | Path,
    subjects_path: str | Path,
) -> None:
    """Write every draw with its recording and its candidate population, and the subjects who have draws to read.

    Raises `UserError` if no draw is left.
    """
    draws = draws_from_rows(analyte_rows(tables, analyte.items), analyte).to_pylist()
    for draw in draws:
        draw.update(recording=None, sample_from=None, sample_to=None, candidate=None)
    if cohort.exclude_codes:
        _exclude_coded(draws, coded_reasons(tables))
    _match_recordings(draws, source, cohort)
    _choose_candidates(draws, cohort, personal_min_draws, seed)
    read = [draw for draw in draws if draw["reason"] is None]
    if not read:
        counts = Counter(draw["reason"] for draw in draws).most_common(3)
        why = (
            ", ".join(f"{count} {reason}" for reason, count in counts)
            or f"LABEVENTS has no row of items {list(analyte.items)}"
        )
        raise UserError(f"cohort: no draw can be used ({why}); check source, analyte and cohort in the config")
    subjects = sorted({(draw["subject_id"], draw["candidate"]) for draw in read})
    log.info("%d of %d draws are read, of %d subjects", len(read), len(draws), len(subjects))
    write_table(draws_path, "draws", table_from_rows("draws", draws), digest)
    rows = [{"subject_id": subject, "candidate": candidate} for subject, candidate in subjects]
    write_table(subjects_path, "subjects", table_from_rows("subjects", rows), digest)


def coded_reasons(tables: str | Path) -> dict[int, str]:
    """Why subjects are left out by their ICD-9 codes, of any admission."""
    diagnoses = read_csv_table(tables, "DIAGNOSES_ICD", ["SUBJECT_ID", "ICD9_CODE"])
    procedures = read_csv_table(tables, "PROCEDURES_ICD", ["SUBJECT_ID", "ICD9_CODE"])

    def subjects(table: pa.Table, prefixes: tuple[str, ...]) -> list[int]:
        coded = pc.match_substring_regex(table["ICD9_CODE"], f"^({'|'.join(prefixes)})")
        return table.filter(pc.fill_null(coded, False))["SUBJECT_ID"].to_pylist()

    paced = subjects(diagnoses, _PACING_DIAGNOSES) + subjects(procedures, _PACING_PROCEDURES)
    reasons = dict.fromkeys(paced, "pacing coded")
    return reasons | dict.fromkeys(subjects(diagnoses, _FIBRILLATION), "atrial fibrillation coded")


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


def _match_recordings(draws: list[dict], source: Source, cohort: Cohort) -> None:
    names = source.names()
    recordings: dict[int, tuple[list[Recording], list[str]]] = {}
    for draw in draws:
        if draw["reason"] is not None:
            continue
        subject = draw["subject_id"]
        if subject not in recordings:
            recordings[subject] = recordings_of(source, names.get(subject, []))
        readable, broken = recordings[subject]
        match = best_recording(draw["draw_time"], readable, cohort)
        if match:
            recording, draw["sample_from"], draw["sample_to"] = match
            draw["recording"] = recording.name
        elif not readable:
            draw["reason"] = broken[0] if broken else "no recording"
        else:
            draw["reason"] = "not recording at the time"


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


def read_draws_of(path: str | Path, subject_id: int) -> list[dict]:
    """The draws of one subject that are read, in the order of time."""
    draws = read_table(path, "draws", digest=None)
    mine = draws.filter(pc.and_(pc.equal(draws["subject_id"], subject_id), pc.is_valid(draws["candidate"])))
    return mine.sort_by([("draw_time", "ascending"), ("draw_id", "ascending")]).to_pylist()
