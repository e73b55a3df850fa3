"""Collect what was known about the patient at the time of each draw, apart from the ECG, for the baselines."""

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

_DRAW_COLUMNS = ["draw_id", "subject_id", "hadm_id", "draw_time", "result_time", "value", "label", "flags", "reason"]
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
    """Write one row per draw of `draws_path` that has a time, in the same order.

    tables: folder of the clinical tables, None if there are none. available: names of the treatment tables in it. Each
    row contains only what was known by the time of its draw, except `hours_since_admission` of a draw taken before its
    admission. Raises `UserError` if a table cannot be read.
    """
    draws = read_table(draws_path, "draws", _DRAW_COLUMNS)
    draws = draws.filter(pc.is_valid(draws["draw_time"])).combine_chunks()
    time = draws["draw_time"].to_numpy()
    slices = _subject_slices(draws["subject_id"].to_numpy())
    columns = {name: draws[name] for name in ("subject_id", "draw_id", "draw_time")}
    columns |= _last_values(draws, time, slices, context.result_delay_hours)
    columns |= _current_admissions(draws, time, slices, tables)
    columns["heart_rate_bpm"] = _heart_rates(draws["draw_id"], quality_paths)
    unknown = {name: TreatmentIntervals({}, {}, is_complete=False) for name in TREATMENTS}
    treatments = read_treatment_intervals(tables, available) if tables else unknown
    for name in TREATMENTS:
        columns[name] = given_within(treatments[name], time, slices, context.treatment_window_hours)
    write_table(path, "context", pa.table(columns), digest)


def _subject_slices(subject: np.ndarray) -> dict[int, slice]:
    """Subject -> slice of its rows in a sorted column (n,)."""
    starts = np.flatnonzero(np.diff(subject, prepend=-1))
    stops = np.append(starts[1:], len(subject))
    return {int(subject[start]): slice(start, stop) for start, stop in zip(starts, stops, strict=False)}


def _last_values(draws: pa.Table, time: np.ndarray, slices: dict[int, slice], result_delay_hours: float) -> dict:
    """Columns of the last value and the last label whose results were available by the time of each draw.

    A result is available at its own time if the table has it, else `result_delay_hours` after the draw. The last label
    may be that of an older draw than the last value.
    """
    subject, has_value = draws["subject_id"].to_numpy(), _has_value(draws)
    values, labels = draws["value"].to_numpy(), draws["label"].fill_null(-1).to_numpy()
    available = time + np.timedelta64(round(result_delay_hours * 3_600e6), "us")
    stated = draws["result_time"].to_numpy()
    available = np.where(stated > time, stated, available)  # NaT is not greater
    last_value, last_label = (
        _last_available(_first_of_specimen(subject, time, is_wanted), available, time, slices)
        for is_wanted in (has_value, has_value & (labels >= 0))
    )
    unknown = last_value < 0
    return {
        "last_value": pa.array(values[last_value].astype(np.float32), mask=unknown),
        "last_label": pa.array(labels[last_label].astype(np.int8), mask=last_label < 0),
        "hours_since_last": pa.array(((time - time[last_value]) / _HOUR).astype(np.float32), mask=unknown),
    }


def _last_available(
    is_used: np.ndarray, available: np.ndarray, time: np.ndarray, slices: dict[int, slice]
) -> np.ndarray:
    """For each draw, the index of the last used draw whose result was available by then, or -1: int (n,)."""
    last = np.full(len(time), -1)
    for rows in slices.values():
        used = np.flatnonzero(is_used[rows]) + rows.start
        if not len(used):
            continue
        by_result = used[np.argsort(available[used], kind="stable")]
        newest = np.maximum.accumulate(by_result)  # a later draw may have its result first
        before, up_to = (np.searchsorted(available[by_result], time[rows], side) for side in ("left", "right"))
        # a draw never knows its own value, even if that is available at once
        n_known = np.where(available[rows] > time[rows], up_to, before)
        last[rows] = np.where(n_known > 0, newest[np.maximum(n_known - 1, 0)], -1)
    return last


def _has_value(draws: pa.Table) -> np.ndarray:
    flags = draws["flags"].combine_chunks()
    of_row = pc.list_parent_indices(flags).to_numpy()
    without = np.isin(flags.flatten().to_numpy(zero_copy_only=False), NO_VALUE_FLAGS)
    has_value = np.ones(len(draws), bool)
    has_value[of_row[without]] = False
    return has_value & (draws["reason"].to_numpy() != "hemolyzed")  # which is known with the value


def _first_of_specimen(subject: np.ndarray, time: np.ndarray, is_wanted: np.ndarray) -> np.ndarray:
    """Whether each row is the first wanted one of its subject and time, so that only one of twins counts: bool (n,)."""
    indices = np.flatnonzero(is_wanted)
    is_new = (np.diff(subject[indices]) != 0) | (np.diff(time[indices]) != np.timedelta64(0, "us"))
    first = np.zeros(len(subject), bool)
    first[indices[np.append(True, is_new)[: len(indices)]]] = True
    return first


def _current_admissions(draws: pa.Table, time: np.ndarray, slices: dict[int, slice], tables: str | Path | None) -> dict:
    """Columns of the admission that contains each draw, or else the one in its laboratory row, and hours since."""
    stays: dict[int, list[tuple]] = defaultdict(list)
    for row in admissions(tables).to_pylist() if tables else []:
        if row["ADMITTIME"] and row["DISCHTIME"]:
            stays[row["SUBJECT_ID"]].append((row["ADMITTIME"], row["DISCHTIME"], row["HADM_ID"]))
    hadm = draws["hadm_id"].fill_null(-1).to_numpy()
    admission_id, since = np.full(len(draws), -1), np.full(len(draws), np.nan)
    for subject, rows in slices.items():
        for is_within in (False, True):  # an admission that contains the draw takes precedence
            for admitted, discharged, number in stays.get(subject, ()):
                start, stop = np.datetime64(admitted, "us"), np.datetime64(discharged, "us")
                is_in = (time[rows] >= start) & (time[rows] <= stop) if is_within else hadm[rows] == number
                indices = np.flatnonzero(is_in) + rows.start
                admission_id[indices], since[indices] = number, (time[indices] - start) / _HOUR
    return {
        "admission_id": pa.array(admission_id.astype(np.int32), mask=admission_id < 0),
        "hours_since_admission": pa.array(since.astype(np.float32), mask=admission_id < 0),
    }


def _heart_rates(draw_id: pa.ChunkedArray, quality_paths: Iterable[str | Path]) -> pa.Array:
    rates: dict[int, float | None] = {}
    for path in quality_paths:
        table = read_table(path, "quality", ["draw_id", "heart_rate_bpm"])
        rates.update(zip(table["draw_id"].to_pylist(), table["heart_rate_bpm"].to_pylist(), strict=True))
    rate = [rates.get(draw) for draw in draw_id.to_pylist()]
    return pa.array([None if value is None or value != value else value for value in rate], pa.float32())
