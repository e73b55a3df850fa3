"""Build the draws of an analyte from laboratory rows: label them, and flag values that may be wrong."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.cohort.inclusion_flow import FLAGS
from kalemia.cohort.lab_text import contradicts, has_comparator, is_other_unit, mentions_hemolysis, units_in_words
from kalemia.core.config import Analyte, Contamination
from kalemia.core.errors import UserError
from kalemia.core.wording import bounds

NO_VALUE_FLAGS = FLAGS[:6]  # of draws without a reliable value at a known time
_TEXTS = ("VALUE", "FLAG", "COMMENTS")  # columns in which the laboratory may mention hemolysis
_ROUNDING_TOLERANCE = 1e-9  # so that 5.9 - 4.4 counts as a jump of 1.5 in binary arithmetic


def label_values(values: np.ndarray, analyte: Analyte) -> np.ndarray:
    """Label float64 values (n,) in the analyte's unit: 1 positive, 0 negative, -1 neither or NaN; int8 (n,)."""
    labels = np.full(len(values), -1, np.int8)
    labels[analyte.negative.contains(values)] = 0
    labels[analyte.positive.contains(values)] = 1
    return labels


def build_draws(rows: pa.Table, analyte: Analyte) -> pa.Table:
    """Build one row per draw of the analyte, sorted by subject, time, item and row; no draw is left out.

    Columns: draw_id, subject_id, hadm_id, item_id, draw_time, result_time (null if the table lacks it), value
    (float64), label (null: neither class, or no reliable value), flags (list of `FLAGS`), reason (the flag that
    excludes the draw, or null).

    Rows of one subject and time are twins from one specimen; the first one with a usable value, in the order of
    `analyte.items` and then of their ROW_ID, is used. Twins of one item with different values are in conflict: none of
    them is used if one is positive and one negative, because nobody knows which is right. A hemolyzed value is excluded
    by default (`analyte.exclude_hemolyzed`). A contaminated value jumps away from the previous one and the next value
    jumps back; it is excluded only if `analyte.contamination.exclude` is set. Raises `UserError` if two different rows
    share a ROW_ID.
    """
    rows = _deduplicate_and_sort(rows, analyte.items)
    values = rows["VALUENUM"].to_numpy()
    labels = label_values(values, analyte)
    is_flagged = {flag: np.zeros(len(rows), bool) for flag in FLAGS}
    is_flagged["no time"] = rows["CHARTTIME"].is_null().to_numpy()
    is_flagged["no value"] = np.isnan(values)
    is_flagged["comparator"] = has_comparator(rows["VALUE"])
    is_flagged["contradiction"] = contradicts(rows["VALUE"], values)
    is_flagged["other unit"] = is_other_unit(rows["VALUEUOM"], analyte)
    is_flagged["implausible value"] = ~np.isnan(values) & ~analyte.plausible.contains(values)
    for name in set(_TEXTS) & set(rows.column_names):
        is_flagged["hemolyzed"] |= mentions_hemolysis(rows[name])
    has_value = ~np.any([is_flagged[flag] for flag in NO_VALUE_FLAGS], axis=0)
    usable = has_value & ~(is_flagged["hemolyzed"] & analyte.exclude_hemolyzed)
    specimen = _number_specimens(rows)
    is_flagged["conflicting twins"], is_undecided = _find_conflicts(
        specimen, rows["ITEMID"].to_numpy(), values, labels, usable
    )
    usable &= ~is_undecided
    is_flagged["twin"], is_spare = _find_twins(specimen, usable)
    used = np.flatnonzero(usable & ~is_spare)
    subject, time_h = rows["SUBJECT_ID"].to_numpy()[used], _hours(rows["CHARTTIME"])[used]
    is_flagged["contaminated"][used] = find_contaminated(subject, time_h, values[used], analyte.contamination)

    excludes = is_flagged | {"conflicting twins": is_undecided, "twin": is_spare}
    if not analyte.exclude_hemolyzed:
        del excludes["hemolyzed"]
    if not analyte.contamination.exclude:
        del excludes["contaminated"]
    reason = np.full(len(rows), None, object)
    for flag in reversed(excludes):  # the first of FLAGS takes precedence
        reason[excludes[flag]] = flag
    unknown = pa.nulls(len(rows), pa.timestamp("us"))
    return pa.table(
        {
            "draw_id": rows["ROW_ID"],
            "subject_id": rows["SUBJECT_ID"],
            "hadm_id": rows["HADM_ID"],
            "item_id": rows["ITEMID"],
            "draw_time": rows["CHARTTIME"],
            "result_time": rows["STORETIME"] if "STORETIME" in rows.column_names else unknown,
            "value": pa.array(values, mask=np.isnan(values)),
            "label": pa.array(labels, mask=(labels < 0) | ~has_value),
            "flags": _flag_lists(is_flagged),
            "reason": pa.array(reason, pa.string()),
        }
    )


def describe_unusable(rows: pa.Table, draws: pa.Table, analyte: Analyte) -> dict[int, str]:
    """Draw -> its value and unit as they are written, of draws whose value cannot be used.

    rows: those that `build_draws` made the draws from; their optional column PLACE names each row, as a line of a file.
    """
    reasons = draws.filter(pc.is_in(draws["reason"], pa.array(NO_VALUE_FLAGS)))
    reason_of = dict(zip(reasons["draw_id"].to_pylist(), reasons["reason"].to_pylist(), strict=True))
    must_be = {
        "other unit": f"; its unit must be {units_in_words(analyte)}",
        "implausible value": f"; it must be {bounds(analyte.plausible)}",
    }
    details = {}
    for row in rows.filter(pc.is_in(rows["ROW_ID"], reasons["draw_id"].combine_chunks())).to_pylist():
        written = " ".join(filter(None, (row["VALUE"], row["VALUEUOM"]))) or "nothing is written"
        place = f"{row['PLACE']}: " if row.get("PLACE") else ""
        details[row["ROW_ID"]] = f"{place}{written}{must_be.get(reason_of[row['ROW_ID']], '')}"
    return details


def find_contaminated(subject: np.ndarray, time_h: np.ndarray, values: np.ndarray, rule: Contamination) -> np.ndarray:
    """Find values that look contaminated: bool (n,).

    Such a value jumps up or down by at least `rule.jump` from the subject's previous value, at most
    `rule.previous_hours` earlier, and the next value, at most `rule.undone_hours` later, jumps back by as much. Arrays
    (n,) must be sorted by subject and time.
    """
    is_contaminated = np.zeros(len(values), bool)
    if len(values) < 3:
        return is_contaminated
    same_subject = subject[1:] == subject[:-1]
    interval_h = np.diff(time_h)
    change = np.diff(values)
    is_large = np.abs(change) >= rule.jump - _ROUNDING_TOLERANCE
    jumps = same_subject[:-1] & (interval_h[:-1] <= rule.previous_hours) & is_large[:-1]
    undone = same_subject[1:] & (interval_h[1:] <= rule.undone_hours) & is_large[1:]
    is_contaminated[1:-1] = jumps & undone & (np.sign(change[:-1]) != np.sign(change[1:]))
    return is_contaminated


def _deduplicate_and_sort(rows: pa.Table, items: tuple[int, ...]) -> pa.Table:
    """Drop repeated rows and sort the rest, so that results do not depend on the order of the rows."""
    once = rows.group_by(rows.column_names).aggregate([])
    ids = once["ROW_ID"].to_numpy()
    if len(np.unique(ids)) < len(ids):
        unique, counts = np.unique(ids, return_counts=True)
        raise UserError(f"LABEVENTS: two different rows have ROW_ID {unique[counts > 1][0]}; is the table intact?")
    rank = pc.index_in(once["ITEMID"], pa.array(items, once["ITEMID"].type))
    order = [(name, "ascending") for name in ("SUBJECT_ID", "CHARTTIME", "rank", "ROW_ID")]
    return once.append_column("rank", rank).sort_by(order).drop_columns("rank")


def _number_specimens(rows: pa.Table) -> np.ndarray:
    """Number the specimens, one per subject and time: int (n,), ascending."""
    keys = [rows[name].to_numpy() for name in ("SUBJECT_ID", "CHARTTIME")]
    is_new = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.concatenate([[0], np.cumsum(is_new)]) if len(rows) else np.zeros(0, int)


def _find_twins(specimen: np.ndarray, has_value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two bool arrays (n,): rows that share a specimen, and those of them whose value is not the first of it."""
    is_twin = np.bincount(specimen)[specimen] > 1 if len(specimen) else np.zeros(0, bool)
    valued = np.flatnonzero(has_value)
    is_spare = np.zeros(len(specimen), bool)
    is_spare[valued[1:]] = specimen[valued[1:]] == specimen[valued[:-1]]
    return is_twin, is_spare


def _find_conflicts(
    specimen: np.ndarray, item: np.ndarray, values: np.ndarray, labels: np.ndarray, usable: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two bool arrays (n,): usable rows with a twin of the same item and another value, and those in opposite classes.

    The latter are all of the twins, if one is positive and one negative.
    """
    is_conflict, is_undecided = np.zeros(len(usable), bool), np.zeros(len(usable), bool)
    at = np.flatnonzero(usable)
    if len(at):
        is_new = np.append(True, (np.diff(specimen[at]) != 0) | (np.diff(item[at]) != 0))
        starts, twins = np.flatnonzero(is_new), np.cumsum(is_new) - 1
        differ = np.maximum.reduceat(values[at], starts) > np.minimum.reduceat(values[at], starts)
        opposite = np.logical_and(*(np.logical_or.reduceat(labels[at] == label, starts) for label in (0, 1)))
        is_conflict[at], is_undecided[at] = differ[twins], opposite[twins]
    return is_conflict, is_undecided


def _flag_lists(is_flagged: dict[str, np.ndarray]) -> pa.Array:
    matrix = np.stack([is_flagged[flag] for flag in FLAGS], axis=1)
    offsets = np.concatenate([[0], np.cumsum(matrix.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(np.array(FLAGS, object)[np.nonzero(matrix)[1]], pa.string()))


def _hours(times: pa.ChunkedArray) -> np.ndarray:
    return times.to_numpy().astype("datetime64[us]").astype(np.int64) / 3_600e6
