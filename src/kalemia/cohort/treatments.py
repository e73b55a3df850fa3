"""When subjects were given what moves potassium, out of the tables of inputs, procedures and prescriptions."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.sources.mimic_codes import TREATMENT_TABLES, TREATMENTS, drug_patterns, items_of
from kalemia.sources.mimic_tables import item_batches, table_batches, table_path

_DAY = np.timedelta64(1, "D")
_COLUMNS = {
    "INPUTEVENTS_MV": ("SUBJECT_ID", "ITEMID", "STARTTIME", "ENDTIME", "STATUSDESCRIPTION"),
    "INPUTEVENTS_CV": ("SUBJECT_ID", "ITEMID", "CHARTTIME", "AMOUNT", "RATE"),
    "PROCEDUREEVENTS_MV": ("SUBJECT_ID", "ITEMID", "STARTTIME", "ENDTIME", "STATUSDESCRIPTION"),
}
Intervals = dict[int, list[tuple[np.datetime64, np.datetime64]]]


@dataclass(frozen=True)
class TreatmentIntervals:
    """When one treatment was given, by subject, as (start, stop).

    `sure`: it was under way all the time; `possible`: it may have been, as far as the day of an order says.
    `is_complete`: every table that could tell of it was there, so that silence means no.
    """

    certain: Intervals
    possible: Intervals
    is_complete: bool


def read_treatment_intervals(tables: str | Path, available: Iterable[str]) -> dict[str, TreatmentIntervals]:
    """The courses of each of `TREATMENTS`, out of those tables that are given.

    INPUTEVENTS_MV and PROCEDUREEVENTS_MV tell start and end (rows that were rewritten do not count), INPUTEVENTS_CV a
    moment at which something ran in. PRESCRIPTIONS tells the first and the last day of an order: it is sure between
    these two days, possible on them, and an order is no proof that anything was given.
    """
    available = set(available)
    sure: dict[str, Intervals] = {name: defaultdict(list) for name in TREATMENTS}
    possible: dict[str, Intervals] = {name: defaultdict(list) for name in TREATMENTS}
    for table in TREATMENT_TABLES:
        if table not in available:
            continue
        if table == "PRESCRIPTIONS":
            _add_prescriptions(tables, sure, possible)
        else:
            _add_events(tables, table, sure)
    return {
        name: TreatmentIntervals(sure[name], possible[name], _tables_recording(name) <= available)
        for name in TREATMENTS
    }


def given_within(treatment: TreatmentIntervals, time: np.ndarray, slices: dict[int, slice], hours: float) -> pa.Array:
    """Whether a course was under way at some time in the `hours` before each draw; null where that is not known.

    time: (draws,) datetime64; spans: where each subject's draws lie in it.
    """
    is_sure, is_possible = (
        _overlaps_window(course, time, slices, np.timedelta64(round(hours * 3_600e6), "us"))
        for course in (treatment.certain, treatment.possible)
    )
    is_unknown = ~is_sure & (is_possible | (not treatment.is_complete))
    return pa.array(is_sure, mask=is_unknown)


def _overlaps_window(
    course: Intervals, time: np.ndarray, spans: dict[int, slice], before: np.timedelta64
) -> np.ndarray:
    found = np.zeros(len(time), bool)
    for subject in course.keys() & spans.keys():
        span = spans[subject]
        start, stop = np.array(sorted(course[subject]), "datetime64[us]").T
        latest = np.maximum.accumulate(stop)
        begun = np.searchsorted(start, time[span], side="left")  # how many began before the draw
        found[span] = (begun > 0) & (latest[np.maximum(begun - 1, 0)] >= time[span] - before)
    return found


def _tables_recording(treatment: str) -> set[str]:
    events = {table for table in _COLUMNS if any(item.meaning == treatment for item in items_of(table))}
    return events | ({"PRESCRIPTIONS"} if treatment in drug_patterns() else set())


def _add_events(tables: str | Path, table: str, sure: dict[str, Intervals]) -> None:
    items = items_of(table)
    meanings: dict[int, list[str]] = defaultdict(list)
    for item in items:
        meanings[item.item].append(item.meaning)
    for batch in item_batches(tables, table, sorted(meanings), _COLUMNS[table]):
        for subject, item, start, stop in _event_rows(batch, table):
            for meaning in meanings[item]:
                sure[meaning][subject].append((start, stop))


def _event_rows(batch: pa.RecordBatch, table: str) -> Iterable[tuple]:
    if table == "INPUTEVENTS_CV":
        amounts = [pc.fill_null(pc.greater(batch[name], 0), False) for name in ("AMOUNT", "RATE")]
        batch = batch.filter(pc.and_(pc.or_(*amounts), pc.is_valid(batch["CHARTTIME"])))
        start = stop = batch["CHARTTIME"]
    else:
        is_rewritten = pc.fill_null(pc.equal(batch["STATUSDESCRIPTION"], "Rewritten"), False)
        batch = batch.filter(pc.and_(pc.invert(is_rewritten), pc.is_valid(batch["STARTTIME"])))
        start, stop = batch["STARTTIME"], pc.coalesce(batch["ENDTIME"], batch["STARTTIME"])
    times = (column.to_numpy(zero_copy_only=False) for column in (start, stop))
    return zip(batch["SUBJECT_ID"].to_pylist(), batch["ITEMID"].to_pylist(), *times, strict=True)


def _add_prescriptions(tables: str | Path, sure: dict[str, Intervals], possible: dict[str, Intervals]) -> None:
    columns = ("SUBJECT_ID", "STARTDATE", "ENDDATE", "DRUG")
    for batch in table_batches(table_path(tables, "PRESCRIPTIONS"), columns):
        drugs = pc.utf8_lower(pc.fill_null(batch["DRUG"], ""))
        for meaning, pattern in drug_patterns().items():
            is_mine = pc.and_(pc.match_substring_regex(drugs, pattern), pc.is_valid(batch["STARTDATE"]))
            mine = batch.filter(is_mine)
            first = mine["STARTDATE"].to_numpy(zero_copy_only=False).astype("datetime64[D]")
            ends = pc.coalesce(mine["ENDDATE"], mine["STARTDATE"]).to_numpy(zero_copy_only=False)
            last = np.maximum(ends.astype("datetime64[D]"), first)
            for subject, start, stop in zip(mine["SUBJECT_ID"].to_pylist(), first, last, strict=True):
                possible[meaning][subject].append((start, stop + _DAY))
                if start + _DAY < stop:
                    sure[meaning][subject].append((start + _DAY, stop))
