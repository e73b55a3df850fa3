"""What was known of the patient at the moment of each draw, beside the ECG: for baselines that must be beaten."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.cohort.labs import NO_VALUE_FLAGS
from kalemia.cohort.treatments import TreatmentIntervals, given_within, read_treatment_intervals
from kalemia.core.config import Context
from kalemia.core.tables import read_table, write_table
from kalemia.sources.mimic_codes import TREATMENTS
from kalemia.sources.mimic_tables import admissions

_DRAW_COLUMNS = ["draw_id", "subject_id", "hadm_id", "draw_time", "potassium", "label", "flags"]
_HOUR = np.timedelta64(1, "h")


def write_context(
    draws_path: str | Path,
    quality_paths: Iterable[str | Path],
    tables: str | Path | None,
    available: Iterable[str],
    context: Context,
    digest: str,
    path: str | Path,
) -> None:
    """Write one row for every draw of `draws_path`, in its order.

    `given`: the tables of treatments that there are; `tables` is None where nothing but draws is known. Nothing in a
    row was known later than its draw, but for `hours_since_admission` of a draw taken before its admission.
    """
    draws = read_table(draws_path, "draws", _DRAW_COLUMNS)
    time = draws["draw_time"].to_numpy()
    spans = _subject_slices(draws["subject_id"].to_numpy())
    columns = {name: draws[name] for name in ("subject_id", "draw_id", "draw_time")}
    columns |= _last_values(draws, time, spans, context.result_delay_hours)
    columns |= _current_admissions(draws, time, spans, tables)
    columns["heart_rate_bpm"] = _heart_rates(draws["draw_id"], quality_paths)
    courses = (
        read_treatment_intervals(tables, available)
        if tables
        else {name: TreatmentIntervals({}, {}, False) for name in TREATMENTS}
    )
    for name in TREATMENTS:
        columns[name] = given_within(courses[name], time, spans, context.treatment_window_hours)
    write_table(path, "context", pa.table(columns), digest)


def _subject_slices(subject: np.ndarray) -> dict[int, slice]:
    """Where each subject's draws lie, of a sorted column."""
    starts = np.flatnonzero(np.diff(subject, prepend=-1))
    stops = np.append(starts[1:], len(subject))
    return {int(subject[start]): slice(start, stop) for start, stop in zip(starts, stops, strict=False)}


def _last_values(draws: pa.Table, time: np.ndarray, spans: dict[int, slice], result_delay_hours: float) -> dict:
    """The last value before each draw whose result was there by then; the last label, which may be an older draw's."""
    subject, has_value = draws["subject_id"].to_numpy(), _has_value(draws)
    values, labels = draws["potassium"].to_numpy(), draws["label"].fill_null(-1).to_numpy()
    of_value, of_label = (
        _last_available(_first_of_specimen(subject, time, is_wanted), time, spans, result_delay_hours)
        for is_wanted in (has_value, has_value & (labels >= 0))
    )
    unknown = of_value < 0
    return {
        "last_potassium": pa.array(values[of_value].astype(np.float32), mask=unknown),
        "last_label": pa.array(labels[of_label].astype(np.int8), mask=of_label < 0),
        "hours_since_last": pa.array(((time - time[of_value]) / _HOUR).astype(np.float32), mask=unknown),
    }


def _last_available(
    is_used: np.ndarray, time: np.ndarray, spans: dict[int, slice], result_delay_hours: float
) -> np.ndarray:
    """For each draw (n,) the place of the last one used whose result was there by then, -1 where there is none."""
    last = np.full(len(time), -1)
    latency = np.timedelta64(round(result_delay_hours * 3_600e6), "us")
    side = "right" if result_delay_hours else "left"  # without latency too, a draw knows nothing of its own value
    for span in spans.values():
        known = np.flatnonzero(is_used[span]) + span.start
        place = np.searchsorted(time[known] + latency, time[span], side=side) - 1
        last[span] = np.where(place >= 0, known[np.maximum(place, 0)], -1) if len(known) else -1
    return last


def _has_value(draws: pa.Table) -> np.ndarray:
    flags = draws["flags"].combine_chunks()
    of_row = pc.list_parent_indices(flags).to_numpy()
    without = np.isin(flags.flatten().to_numpy(zero_copy_only=False), NO_VALUE_FLAGS)
    has_value = np.ones(len(draws), bool)
    has_value[of_row[without]] = False
    return has_value


def _first_of_specimen(subject: np.ndarray, time: np.ndarray, is_wanted: np.ndarray) -> np.ndarray:
    """Of the wanted rows those that are the first of their subject and time, so that of twins one counts."""
    places = np.flatnonzero(is_wanted)
    is_new = (np.diff(subject[places]) != 0) | (np.diff(time[places]) != np.timedelta64(0))
    first = np.zeros(len(subject), bool)
    first[places[np.append(True, is_new)[: len(places)]]] = True
    return first


def _current_admissions(draws: pa.Table, time: np.ndarray, spans: dict[int, slice], tables: str | Path | None) -> dict:
    """The admission in which each draw was taken, or else the one that the laboratory names, and the hours since."""
    stays: dict[int, list[tuple]] = defaultdict(list)
    for row in admissions(tables).to_pylist() if tables else []:
        if row["ADMITTIME"] and row["DISCHTIME"]:
            stays[row["SUBJECT_ID"]].append((row["ADMITTIME"], row["DISCHTIME"], row["HADM_ID"]))
    hadm = draws["hadm_id"].fill_null(-1).to_numpy()
    found, since = np.full(len(draws), -1), np.full(len(draws), np.nan)
    for subject, span in spans.items():
        for is_within in (False, True):  # being within an admission has the last word
            for admitted, discharged, number in stays.get(subject, ()):
                start, stop = np.datetime64(admitted, "us"), np.datetime64(discharged, "us")
                mine = (time[span] >= start) & (time[span] <= stop) if is_within else hadm[span] == number
                places = np.flatnonzero(mine) + span.start
                found[places], since[places] = number, (time[places] - start) / _HOUR
    return {
        "admission_id": pa.array(found.astype(np.int32), mask=found < 0),
        "hours_since_admission": pa.array(since.astype(np.float32), mask=found < 0),
    }


def _heart_rates(draw_id: pa.ChunkedArray, quality_paths: Iterable[str | Path]) -> pa.Array:
    rates: dict[int, float | None] = {}
    for path in quality_paths:
        table = read_table(path, "quality", ["draw_id", "heart_rate_bpm"])
        rates.update(zip(table["draw_id"].to_pylist(), table["heart_rate_bpm"].to_pylist(), strict=True))
    rate = [rates.get(draw) for draw in draw_id.to_pylist()]
    return pa.array([None if value is None or value != value else value for value in rate], pa.float32())
