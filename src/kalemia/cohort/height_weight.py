"""Collect heights (cm) and weights (kg) from the charted events."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.schemas import SCHEMAS
from kalemia.core.tables import write_table
from kalemia.sources.mimic_codes import HEIGHT_WEIGHT_TABLE, items_of
from kalemia.sources.mimic_tables import item_batches

COLUMNS = ("SUBJECT_ID", "ITEMID", "CHARTTIME", "VALUENUM", "ERROR")
# Limits for adults; values outside are entry errors. Height: as in mimic-code's heightweight.sql. Weight: our choice.
PLAUSIBLE = {"height": (120.0, 230.0), "weight": (25.0, 400.0)}
_COLUMN_NAMES = {"height": "height_cm", "weight": "weight_kg"}


def write_heights_and_weights(tables: str | Path, digest: str, path: str | Path) -> None:
    """Write every plausible height and weight in CHARTEVENTS once, sorted by subject, time and value.

    Rows marked as errors and rows without a time are left out. The table is streamed: memory holds only the rows that
    are kept.
    """
    items = items_of(HEIGHT_WEIGHT_TABLE)
    batches = item_batches(tables, HEIGHT_WEIGHT_TABLE, [item.item for item in items], COLUMNS)
    kept = [_measurements(batch) for batch in batches]
    table = pa.concat_tables(kept) if kept else SCHEMAS["height_weight"].empty_table()
    names = SCHEMAS["height_weight"].names
    table = table.group_by(names).aggregate([]).sort_by([(name, "ascending") for name in names])
    write_table(path, "height_weight", table, digest)


def _measurements(batch: pa.RecordBatch) -> pa.Table:
    items = {item.item: item for item in items_of(HEIGHT_WEIGHT_TABLE)}
    factor = np.array([items[item].factor for item in batch["ITEMID"].to_pylist()])
    meaning = np.array([items[item].meaning for item in batch["ITEMID"].to_pylist()])
    value = batch["VALUENUM"].to_numpy(zero_copy_only=False) * factor
    is_error = pc.fill_null(pc.not_equal(batch["ERROR"], 0), False).to_numpy(zero_copy_only=False)
    has_time = batch["CHARTTIME"].is_valid().to_numpy(zero_copy_only=False)
    columns = {"subject_id": batch["SUBJECT_ID"], "time": batch["CHARTTIME"]}
    is_kept = np.zeros(len(batch), bool)
    for name, (low, high) in PLAUSIBLE.items():
        is_plausible = (meaning == name) & (value > low) & (value < high) & ~is_error & has_time
        columns[_COLUMN_NAMES[name]] = pa.array(value.astype(np.float32), mask=~is_plausible)
        is_kept |= is_plausible
    return pa.table(columns, SCHEMAS["height_weight"]).filter(pa.array(is_kept))
