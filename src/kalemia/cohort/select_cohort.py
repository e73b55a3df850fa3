"""Select the cohort: match draws with recordings, and choose the patients and draws whose ECG is read."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.cohort.inclusion_flow import OUTSIDE_ADMISSIONS
from kalemia.cohort.labs import NO_VALUE_FLAGS, build_draws, describe_unusable
from kalemia.cohort.matching import (
    Match,
    Unmatched,
    headers_to_read,
    match_draws,
    pair_draws,
    recordings_outside_admissions,
)
from kalemia.core.config import Analyte, Cohort, Populations, is_url
from kalemia.core.errors import UserError
from kalemia.core.jobs import log_and_print
from kalemia.core.seeds import rng
from kalemia.core.tables import read_subject_rows, read_table, table_from_rows, write_table
from kalemia.core.wording import list_counts, plural
from kalemia.sources import CORRECTED, SHORTER, Recording, Source, recordings_named
from kalemia.sources.remote.fetch_notice import announce_fetch

log = logging.getLogger(__name__)

_USUAL_HEADER_BYTES = 2000
_MAX_TOLD = 5  # values of a reason; the ledger has all
SUBJECT_COLUMNS = ("subject_id", "candidate_population")


def write_cohort(
    source: Source,
    analyte: Analyte,
    cohort: Cohort,
    populations: Populations,
    seed: int,
    digest: str,
    draws_path: str | Path,
    subjects_path: str | Path,
    unreadable_path: str | Path,
) -> None:
    """Write every draw with its flags, recording and candidate population; the subjects with draws to read; and a
    ledger of recordings that could not be used or that began outside every admission.

    Raises `UserError` if no draw is left.
    """
    draws, unreadable = select_draws(source, analyte, cohort, populations, seed)
    _tell_lost(unreadable)
    for line in unusable_lines(draws):
        log_and_print(line)
    to_read = draws.filter(pc.is_valid(draws["candidate_population"]))
    _announce_ecg(source, to_read, cohort.lead)
    subjects = sorted({*zip(*(to_read[name].to_pylist() for name in SUBJECT_COLUMNS), strict=True)})
    log.info("%d of %d draws will be read, from %d subjects", len(to_read), len(draws), len(subjects))
    write_table(draws_path, "draws", draws, digest)
    write_table(unreadable_path, "ledger", table_from_rows("ledger", unreadable), digest)
    rows = [dict(zip(SUBJECT_COLUMNS, subject, strict=True)) for subject in subjects]
    write_table(subjects_path, "subjects", table_from_rows("subjects", rows), digest)


def _tell_lost(ledger: list[dict]) -> None:
    """Print how many recordings cannot be read, and why."""
    lost = [row["reason"] for row in ledger if row["reason"] not in (CORRECTED, SHORTER, OUTSIDE_ADMISSIONS)]
    if lost:
        counts = list_counts(dict(Counter(lost).most_common()))
        log_and_print(f"{plural(len(lost), 'recording')} cannot be read: {counts}; cohort/ledger.csv will say which")


def unusable_lines(draws: pa.Table) -> Iterator[str]:
    """For each reason, how many values cannot be used, and the first of them; what is the same, once."""
    draws = draws.sort_by("draw_id")
    for reason in NO_VALUE_FLAGS:
        details = draws.filter(pc.equal(draws["reason"], reason))["detail"].to_pylist()
        if details:
            unlike = list(dict.fromkeys(details))
            more = f"; and {len(unlike) - _MAX_TOLD:,} more" if len(unlike) > _MAX_TOLD else ""
            yield f"{plural(len(details), 'value')} not used, {reason}: {'; '.join(unlike[:_MAX_TOLD])}{more}"


def _announce_ecg(source: Source, draws: pa.Table, lead: str) -> None:
    """Print how much ECG will be fetched for the draws to read, if any."""
    if not is_url(source.where):
        return
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in draws.select(["recording", "sample_from", "sample_to"]).to_pylist():
        spans[row["recording"]].append((row["sample_from"], row["sample_to"]))
    sizes = {
        name: source.bytes_to_fetch(source.recording(name), lead, mine, is_about=True) for name, mine in spans.items()
    }
    if n := sum(len(spans[name]) for name, size in sizes.items() if size):
        announce_fetch("ECG excerpt", n, sum(sizes.values()), source.where, is_about=True)


def select_draws(
    source: Source, analyte: Analyte, cohort: Cohort, populations: Populations, seed: int
) -> tuple[pa.Table, list[dict]]:
    """Every draw as in ``cohort/draws.parquet``, and ledger rows of recordings; raises `UserError` if none is left."""
    rows = source.analyte_rows(analyte.items)
    draws = build_draws(rows, analyte)
    unusable = describe_unusable(rows, draws, analyte)
    subject, reason = draws["subject_id"].to_pylist(), draws["reason"].to_pylist()
    if cohort.exclude_codes:
        reason_by_code = source.excluded_by_code()
        reason = [r or reason_by_code.get(subject[i]) for i, r in enumerate(reason)]
    found, unreadable = _match_recordings(draws, subject, reason, source, cohort)
    reason = [of.reason if isinstance(of, Unmatched) else why for of, why in zip(found, reason, strict=True)]
    detail = [
        of.detail if isinstance(of, Unmatched) else unusable.get(draw_id)
        for of, draw_id in zip(found, draws["draw_id"].to_pylist(), strict=True)
    ]
    matches = [of if isinstance(of, Match) else None for of in found]
    candidate = _assign_candidates(subject, draws["label"].to_pylist(), reason, cohort, populations, seed)
    if not any(candidate):
        counts = list_counts(dict(Counter(reason).most_common(3)))
        why = counts or f"there is no row of items {list(analyte.items)}"
        raise UserError(f"cohort: no draw can be used ({why}); check source, analyte and cohort in the config")
    columns = {
        "recording": [match and match.recording for match in matches],
        "sample_from": [match and match.sample_from for match in matches],
        "sample_to": [match and match.sample_to for match in matches],
        "minutes_from_ecg": [match and match.minutes for match in matches],
        "candidate_population": candidate,
    }
    types = {
        "recording": pa.string(),
        "sample_from": pa.int64(),
        "sample_to": pa.int64(),
        "minutes_from_ecg": pa.float64(),
        "candidate_population": pa.string(),
    }
    for name, values in columns.items():
        draws = draws.append_column(name, pa.array(values, types[name]))
    draws = draws.set_column(draws.column_names.index("reason"), "reason", pa.array(reason, pa.string()))
    return draws.append_column("detail", pa.array(detail, pa.string())), unreadable


def _match_recordings(
    draws: pa.Table, subject: list[int], reason: list[str | None], source: Source, cohort: Cohort
) -> tuple[list[Match | Unmatched | None], list[dict]]:
    """Match every draw that has no reason with a recording, None for others; also return ledger rows of recordings."""
    names = source.recording_names()
    matches: list[Match | Unmatched | None] = [None] * len(reason)
    usable: dict[int, list[int]] = defaultdict(list)  # subject -> rows of its usable draws
    for i, why in enumerate(reason):
        if why is None and subject[i] in names:
            usable[subject[i]].append(i)
        elif why is None:
            matches[i] = Unmatched("no recording")
    all_usable = np.array([i for rows in usable.values() for i in rows], dtype=np.int64)
    offset = timedelta(hours=cohort.offset_hours)
    ends = (time - offset for time in draws["draw_time"].take(all_usable).to_pylist())
    time = dict(zip(all_usable.tolist(), ends, strict=True))  # at which the ECG of each draw ends
    last_end: dict[int, datetime] = {subject_id: max(time[i] for i in rows) for subject_id, rows in usable.items()}
    paired = cohort.pairing_hours is not None
    needed = (
        {subject_id: names[subject_id] for subject_id in usable} if paired else headers_to_read(source, names, last_end)
    )
    opened = [name for subject_names in needed.values() for name in subject_names]
    if n_missing := len(source.headers_to_fetch(opened)):
        announce_fetch("header", n_missing, _USUAL_HEADER_BYTES * n_missing, source.where, is_about=True)
    headers = recordings_named(source, opened)
    for subject_id, rows in usable.items():
        subject_headers = [headers[name] for name in needed[subject_id]]
        readable = [header for header in subject_headers if isinstance(header, Recording)]
        times = [time[i] for i in rows]
        found = (
            pair_draws(times, readable, cohort.pairing_hours)
            if paired
            else match_draws(times, readable, source, cohort)
        )
        for i, match in zip(rows, found, strict=True):
            matches[i] = match
            if isinstance(match, Unmatched) and subject_headers and not readable:
                matches[i] = Unmatched(subject_headers[0].reason, subject_headers[0].detail)
    unreadable = [
        {"subject_id": subject_id, "recording": name, "reason": headers[name].reason, "detail": headers[name].detail}
        for subject_id, subject_names in needed.items()
        for name in subject_names
        if not isinstance(headers[name], Recording)
    ]
    noted = [
        {"subject_id": recording.subject_id, "recording": recording.name, "reason": reason, "detail": detail}
        for recording in headers.values()
        if isinstance(recording, Recording)
        for reason, detail in recording.notes
    ]
    return matches, unreadable + noted + recordings_outside_admissions(source, names, cohort)


def _assign_candidates(
    subject: list[int],
    label: list[int | None],
    reason: list[str | None],
    cohort: Cohort,
    populations: Populations,
    seed: int,
) -> list[str | None]:
    """Assign "personal", "generic" or None to every draw; draws with None are not read.

    Sets the reason of usable draws that are not read, in place. Personal candidates keep every draw. Other patients
    keep a few draws of one class, positive if they have any, or of both classes if the generic set is sampled within
    patients.
    """
    candidate: list[str | None] = [None] * len(reason)
    by_subject: dict[int, list[int]] = defaultdict(list)
    for i, why in enumerate(reason):
        if why is None:
            by_subject[subject[i]].append(i)
    for subject_id, rows in by_subject.items():
        count, least = Counter(label[i] for i in rows), populations.personal_min_draws
        if least is not None and min(count[0], count[1]) >= least:
            for i in rows:
                candidate[i] = "personal"
            continue
        classes = (0, 1) if populations.generic_sampling == "within_patients" else (1 if count[1] else 0,)
        chosen = set()
        for class_ in classes:
            class_rows = [i for i in rows if label[i] == class_]
            names = ("generic draws", subject_id, class_) if len(classes) > 1 else ("generic draws", subject_id)
            order = rng(seed, *names).permutation(len(class_rows))
            chosen |= {class_rows[k] for k in order[: cohort.draws_per_generic_patient]}
        for i in rows:
            if i in chosen:
                candidate[i] = "generic"
            elif label[i] is None:
                reason[i] = "gray zone of a generic patient"
            elif label[i] not in classes:
                reason[i] = "class not used for the patient"
            else:
                reason[i] = "more draws than needed"
    return candidate


def count_draws_to_read(path: str | Path, subject_id: int) -> tuple[int, int]:
    """Number of draws to read of one subject and of all subjects, from the table of draws."""
    subjects = read_table(path, "draws", ["subject_id", "candidate_population"]).drop_null()["subject_id"]
    return pc.sum(pc.equal(subjects, subject_id)).as_py() or 0, len(subjects)


def read_subject_draws(path: str | Path, subject_id: int) -> list[dict]:
    """The draws of one subject that are to be read, sorted by time."""
    draws = read_subject_rows(path, "draws", subject_id)
    to_read = draws.filter(pc.is_valid(draws["candidate_population"]))
    return to_read.sort_by([("draw_time", "ascending"), ("draw_id", "ascending")]).to_pylist()
