"""Read when treatments that change potassium were given, from the tables of inputs, procedures and prescriptions."""

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
    """When one treatment was given: subject -> (start, stop) intervals.

    certain: the treatment was under way throughout. possible: it may have been, judging by the day of an order.
    is_complete: every table that records the treatment was available, so that no interval means no treatment.
    """

    certain: Intervals
    possible: Intervals
    is_complete: bool


def read_treatment_intervals(tables: str | Path, available: Iterable[str]) -> dict[str, TreatmentIntervals]:
    """Read the intervals of each of `TREATMENTS` from the tables named in `available`, below the folder `tables`.

    INPUTEVENTS_MV and PROCEDUREEVENTS_MV record start and end (rewritten rows are skipped), INPUTEVENTS_CV single
    times at which something was infused. PRESCRIPTIONS records the first and the last day of an order: the treatment
    counts as certain between these days and as possible on them, although an order does not prove administration.
    Raises `UserError` if a table cannot be read.
    """
    available = set(available)
    certain: dict[str, Intervals] = {name: defaultdict(list) for name in TREATMENTS}
    possible: dict[str, Intervals] = {name: defaultdict(list) for name in TREATMENTS}
    for table in TREATMENT_TABLES:
        if table not in available:
            continue
        if table == "PRESCRIPTIONS":
            _add_prescriptions(tables, certain, possible)
        else:
            _add_events(tables, table, certain)
    return {
        name: TreatmentIntervals(certain[name], possible[name], _tables_recording(name) <= available)
        for name in TREATMENTS
    }


def given_within(treatment: TreatmentIntervals, time: np.ndarray, slices: dict[int, slice], hours: float) -> pa.Array:
    """Whether a treatment was under way at any time in the `hours` before each draw: bool (n,), null if unknown.

    time: (n,) datetime64 of the draws, sorted by subject. slices: subject -> slice of its draws in `time`.
    """
    is_certain, is_possible = (
        _overlaps_window(intervals, time, slices, np.timedelta64(round(hours * 3_600e6), "us"))
        for intervals in (treatment.certain, treatment.possible)
    )
    is_unknown = ~is_certain & (is_possible | (not treatment.is_complete))
    return pa.array(is_certain, mask=is_unknown)


def _overlaps_window(
    intervals: Intervals, time: np.ndarray, slices: dict[int, slice], window: np.timedelta64
) -> np.ndarray:
    """Whether any interval of the subject overlaps the window before each draw: bool (n,)."""
    overlaps = np.zeros(len(time), bool)
    for subject in intervals.keys() & slices.keys():
        rows = slices[subject]
        start, stop = np.array(sorted(intervals[subject]), "datetime64[us]").T
        latest_stop = np.maximum.accumulate(stop)
        n_started = np.searchsorted(start, time[rows], side="left")  # how many began before the draw
        overlaps[rows] = (n_started > 0) & (latest_stop[np.maximum(n_started - 1, 0)] >= time[rows] - window)
    return overlaps


def _tables_recording(treatment: str) -> set[str]:
    events = {table for table in _COLUMNS if any(item.meaning == treatment for item in items_of(table))}
    return events | ({"PRESCRIPTIONS"} if treatment in drug_patterns() else set())


def _add_events(tables: str | Path, table: str, certain: dict[str, Intervals]) -> None:
    items = items_of(table)
    meanings: dict[int, list[str]] = defaultdict(list)
    for item in items:
        meanings[item.item].append(item.meaning)
    for batch in item_batches(tables, table, sorted(meanings), _COLUMNS[table]):
        for subject, item, start, stop in _event_rows(batch, table):
            for meaning in meanings[item]:
                certain[meaning][subject].append((start, stop))


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


def _add_prescriptions(tables: str | Path, certain: dict[str, Intervals], possible: dict[str, Intervals]) -> None:
    columns = ("SUBJECT_ID", "STARTDATE", "ENDDATE", "DRUG")
    for batch in table_batches(table_path(tables, "PRESCRIPTIONS"), columns):
        drugs = pc.utf8_lower(pc.fill_null(batch["DRUG"], ""))
        for meaning, pattern in drug_patterns().items():
            is_match = pc.and_(pc.match_substring_regex(drugs, pattern), pc.is_valid(batch["STARTDATE"]))
            orders = batch.filter(is_match)
            first = orders["STARTDATE"].to_numpy(zero_copy_only=False).astype("datetime64[D]")
            ends = pc.coalesce(orders["ENDDATE"], orders["STARTDATE"]).to_numpy(zero_copy_only=False)
            last = np.maximum(ends.astype("datetime64[D]"), first)
            for subject, start, stop in zip(orders["SUBJECT_ID"].to_pylist(), first, last, strict=True):
                possible[meaning][subject].append((start, stop + _DAY))
                if start + _DAY < stop:
                    certain[meaning][subject].append((start + _DAY, stop))
