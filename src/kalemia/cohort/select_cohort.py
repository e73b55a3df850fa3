"""The cohort: who is studied, which recording lies before each draw, and which draws are read."""

import logging
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.cohort.labs import build_draws
from kalemia.cohort.matching import Match, headers_to_read, match_draws, recordings_outside_admissions
from kalemia.core.config import Analyte, Cohort, Populations
from kalemia.core.errors import UserError
from kalemia.core.seeds import rng
from kalemia.core.tables import read_rows_of, read_table, table_from_rows, write_table
from kalemia.sources import Recording, Source, recordings_named

log = logging.getLogger(__name__)


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
    """Write every draw with its flags, its recording and its candidate population, the subjects who have draws to
    read, and the recordings that could not be used or whose date contradicts every admission.

    Raises `UserError` if no draw is left.
    """
    draws = build_draws(source.analyte_rows(analyte.items), analyte)
    subject, reason = draws["subject_id"].to_pylist(), draws["reason"].to_pylist()
    if cohort.exclude_codes:
        coded = source.excluded_by_code()
        reason = [why or coded.get(subject[i]) for i, why in enumerate(reason)]
    matches, unreadable = _match_recordings(draws, subject, reason, source, cohort)
    candidate = _assign_candidates(subject, draws["label"].to_pylist(), reason, cohort, populations, seed)
    n_read = sum(of is not None for of in candidate)
    if not n_read:
        counts = Counter(reason).most_common(3)
        why = (
            ", ".join(f"{count} {reason}" for reason, count in counts)
            or f"there is no row of items {list(analyte.items)}"
        )
        raise UserError(f"cohort: no draw can be used ({why}); check source, analyte and cohort in the config")
    subjects = sorted({pair for pair in zip(subject, candidate, strict=True) if pair[1]})
    log.info("%d of %d draws are read, of %d subjects", n_read, len(draws), len(subjects))
    columns = {
        "recording": [match and match.recording for match in matches],
        "sample_from": [match and match.sample_from for match in matches],
        "sample_to": [match and match.sample_to for match in matches],
        "candidate": candidate,
    }
    types = {"recording": pa.string(), "sample_from": pa.int64(), "sample_to": pa.int64(), "candidate": pa.string()}
    for name, values in columns.items():
        draws = draws.append_column(name, pa.array(values, types[name]))
    draws = draws.set_column(draws.column_names.index("reason"), "reason", pa.array(reason, pa.string()))
    write_table(draws_path, "draws", draws, digest)
    write_table(unreadable_path, "ledger", table_from_rows("ledger", unreadable), digest)
    rows = [{"subject_id": subject, "candidate": candidate} for subject, candidate in subjects]
    write_table(subjects_path, "subjects", table_from_rows("subjects", rows), digest)


def _match_recordings(
    draws: pa.Table, subject: list[int], reason: list[str | None], source: Source, cohort: Cohort
) -> tuple[list[Match | None], list[dict]]:
    """The recording of every draw, and ledger rows of recordings; a draw without one is given its reason, in place."""
    names = source.recording_names()
    usable: dict[int, list[int]] = defaultdict(list)
    for i, why in enumerate(reason):
        if why is None and subject[i] in names:
            usable[subject[i]].append(i)
        elif why is None:
            reason[i] = "no recording"
    places = np.array([i for mine in usable.values() for i in mine], dtype=np.int64)
    time = dict(zip(places.tolist(), draws["draw_time"].take(places).to_pylist(), strict=True))
    last: dict[int, datetime] = {of: max(time[i] for i in mine) for of, mine in usable.items()}
    wanted = headers_to_read(source, names, last)
    found = recordings_named(source, [name for mine in wanted.values() for name in mine])
    matches: list[Match | None] = [None] * len(reason)
    for of, mine in usable.items():
        headers = [found[name] for name in wanted[of]]
        readable = [recording for recording in headers if isinstance(recording, Recording)]
        for i, match in zip(mine, match_draws([time[i] for i in mine], readable, source, cohort), strict=True):
            matches[i] = match
            if match is None:
                lost = bool(headers) and not readable
                reason[i] = headers[0].reason if lost else "not recording at the time"
    unreadable = [
        {"subject_id": of, "recording": name, "reason": found[name].reason, "detail": found[name].detail}
        for of, mine in wanted.items()
        for name in mine
        if not isinstance(found[name], Recording)
    ]
    return matches, unreadable + recordings_outside_admissions(source, names, cohort)


def _assign_candidates(
    subject: list[int],
    label: list[int | None],
    reason: list[str | None],
    cohort: Cohort,
    populations: Populations,
    seed: int,
) -> list[str | None]:
    """personal or generic for every draw that is read; one that is not is given its reason, in place.

    Personal candidates keep every draw. The others keep some of one class, positive ones if they have any; or some of
    either class where the generic set is taken within patients.
    """
    candidate: list[str | None] = [None] * len(reason)
    by_subject: dict[int, list[int]] = defaultdict(list)
    for i, why in enumerate(reason):
        if why is None:
            by_subject[subject[i]].append(i)
    for of, mine in by_subject.items():
        count = Counter(label[i] for i in mine)
        if min(count[0], count[1]) >= populations.personal_min_draws:
            for i in mine:
                candidate[i] = "personal"
            continue
        used = (0, 1) if populations.generic_sampling == "within_patients" else (1 if count[1] else 0,)
        chosen = set()
        for of_class in used:
            those = [i for i in mine if label[i] == of_class]
            names = ("generic draws", of, of_class) if len(used) > 1 else ("generic draws", of)
            order = rng(seed, *names).permutation(len(those))
            chosen |= {those[k] for k in order[: cohort.draws_per_generic_patient]}
        for i in mine:
            if i in chosen:
                candidate[i] = "generic"
            elif label[i] is None:
                reason[i] = "gray zone of a generic patient"
            elif label[i] not in used:
                reason[i] = "class not used for the patient"
            else:
                reason[i] = "more draws than needed"
    return candidate


def count_draws_to_read(path: str | Path, subject_id: int) -> tuple[int, int]:
    """How many draws of one subject, and how many of all subjects, are read."""
    subjects = read_table(path, "draws", ["subject_id", "candidate"]).drop_null()["subject_id"]
    return pc.sum(pc.equal(subjects, subject_id)).as_py() or 0, len(subjects)


def read_subject_draws(path: str | Path, subject_id: int) -> list[dict]:
    """The draws of one subject that are read, in the order of time."""
    draws = read_rows_of(path, "draws", subject_id)
    mine = draws.filter(pc.is_valid(draws["candidate"]))
    return mine.sort_by([("draw_time", "ascending"), ("draw_id", "ascending")]).to_pylist()
