"""The draws of an analyte out of laboratory rows: labeled, and flagged where a value is not to be trusted."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.config import Analyte, Contamination
from kalemia.core.errors import UserError

# What a draw may be flagged with. All but the last two leave no value to rely on.
FLAGS = ("no value", "comparator", "other unit", "implausible value", "twin", "contaminated")
NO_VALUE_FLAGS = FLAGS[:4]
_COMPARATOR_PATTERN = "(?i)[<>]|greater|less"
_ROUNDING_TOLERANCE = 1e-9  # a jump of 1.5 is one, whatever binary makes of 5.9 - 4.4


def label_values(values: np.ndarray, analyte: Analyte) -> np.ndarray:
    """Of float64 values in the analyte's unit: 1 positive, 0 negative, -1 neither (or NaN); int8."""
    labels = np.full(len(values), -1, np.int8)
    labels[analyte.negative.contains(values)] = 0
    labels[analyte.positive.contains(values)] = 1
    return labels


def build_draws(rows: pa.Table, analyte: Analyte) -> pa.Table:
    """Every draw of the analyte once, in the order of subject, time, item and row; none is left out.

    Columns: draw_id, subject_id, hadm_id, item_id, draw_time, potassium (float64), label (null: neither, or no value
    to rely on), flags (list of `FLAGS`), reason (of the flags the one that excludes the draw, or null).

    Rows of one subject and time are twins of one specimen: the first with a value, in the order of `analyte.items`,
    is used. A contaminated value jumps away from the one before and is undone by the next; it is excluded only if
    `analyte.contamination` says so. Raises `UserError` where a ROW_ID stands for two different rows.
    """
    rows = _deduplicate_and_sort(rows, analyte.items)
    values = rows["VALUENUM"].to_numpy()
    is_flagged = {flag: np.zeros(len(rows), bool) for flag in FLAGS}
    is_flagged["no value"] = np.isnan(values)
    is_flagged["comparator"] = _null_as_false(pc.match_substring_regex(rows["VALUE"], _COMPARATOR_PATTERN))
    is_flagged["other unit"] = _null_as_false(
        pc.not_equal(pc.utf8_lower(pc.utf8_trim_whitespace(rows["VALUEUOM"])), analyte.unit.lower())
    )
    is_flagged["implausible value"] = ~np.isnan(values) & ~analyte.plausible.contains(values)
    has_value = ~np.any([is_flagged[flag] for flag in NO_VALUE_FLAGS], axis=0)
    specimen = _number_specimens(rows)
    is_flagged["twin"], is_spare = _find_twins(specimen, has_value)
    usable = np.flatnonzero(has_value & ~is_spare)
    subject, time_h = rows["SUBJECT_ID"].to_numpy()[usable], _hours(rows["CHARTTIME"])[usable]
    is_flagged["contaminated"][usable] = find_contaminated(subject, time_h, values[usable], analyte.contamination)

    excludes = is_flagged | {"twin": is_spare}
    if not analyte.contamination.exclude:
        del excludes["contaminated"]
    reason = np.full(len(rows), None, object)
    for flag in reversed(excludes):  # the first of FLAGS has the last word
        reason[excludes[flag]] = flag
    label = label_values(values, analyte)
    return pa.table(
        {
            "draw_id": rows["ROW_ID"],
            "subject_id": rows["SUBJECT_ID"],
            "hadm_id": rows["HADM_ID"],
            "item_id": rows["ITEMID"],
            "draw_time": rows["CHARTTIME"],
            "potassium": pa.array(values, mask=np.isnan(values)),
            "label": pa.array(label, mask=(label < 0) | ~has_value),
            "flags": _flag_lists(is_flagged),
            "reason": pa.array(reason, pa.string()),
        }
    )


def find_contaminated(subject: np.ndarray, time_h: np.ndarray, values: np.ndarray, rule: Contamination) -> np.ndarray:
    """Which values jump by `rule.jump` from the subject's value before, within `rule.previous_hours`, and are undone
    as far by the next, within `rule.undone_hours`; up or down. Arrays (n,), sorted by subject and time.
    """
    found = np.zeros(len(values), bool)
    if len(values) < 3:
        return found
    same = subject[1:] == subject[:-1]
    after_h = np.diff(time_h)
    up = np.diff(values)
    jumps = same[:-1] & (after_h[:-1] <= rule.previous_hours) & (np.abs(up[:-1]) >= rule.jump - _ROUNDING_TOLERANCE)
    undone = same[1:] & (after_h[1:] <= rule.undone_hours) & (np.abs(up[1:]) >= rule.jump - _ROUNDING_TOLERANCE)
    found[1:-1] = jumps & undone & (np.sign(up[:-1]) != np.sign(up[1:]))
    return found


def _deduplicate_and_sort(rows: pa.Table, items: tuple[int, ...]) -> pa.Table:
    """Every row once, sorted so that nothing depends on the order in which they came."""
    once = rows.group_by(rows.column_names).aggregate([])
    ids = once["ROW_ID"].to_numpy()
    if len(np.unique(ids)) < len(ids):
        seen, counts = np.unique(ids, return_counts=True)
        raise UserError(f"LABEVENTS: ROW_ID {seen[counts > 1][0]} stands for two different rows; is the table whole?")
    rank = pc.index_in(once["ITEMID"], pa.array(items, once["ITEMID"].type))
    order = [(name, "ascending") for name in ("SUBJECT_ID", "CHARTTIME", "rank", "ROW_ID")]
    return once.append_column("rank", rank).sort_by(order).drop_columns("rank")


def _number_specimens(rows: pa.Table) -> np.ndarray:
    """The number of each row's specimen: one subject, one time."""
    keys = [rows[name].to_numpy() for name in ("SUBJECT_ID", "CHARTTIME")]
    is_new = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.concatenate([[0], np.cumsum(is_new)]) if len(rows) else np.zeros(0, int)


def _find_twins(specimen: np.ndarray, has_value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows share their specimen with another, and which of these have a value but are not the first that has."""
    is_twin = np.bincount(specimen)[specimen] > 1 if len(specimen) else np.zeros(0, bool)
    valued = np.flatnonzero(has_value)
    is_spare = np.zeros(len(specimen), bool)
    is_spare[valued[1:]] = specimen[valued[1:]] == specimen[valued[:-1]]
    return is_twin, is_spare


def _flag_lists(is_flagged: dict[str, np.ndarray]) -> pa.Array:
    matrix = np.stack([is_flagged[flag] for flag in FLAGS], axis=1)
    offsets = np.concatenate([[0], np.cumsum(matrix.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(np.array(FLAGS, object)[np.nonzero(matrix)[1]], pa.string()))


def _null_as_false(mask: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(mask, False).to_numpy()


def _hours(times: pa.ChunkedArray) -> np.ndarray:
    return times.to_numpy().astype("datetime64[us]").astype(np.int64) / 3_600e6
