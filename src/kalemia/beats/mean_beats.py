"""Compute the mean beat of every draw of a patient, so that the patient's page can be rebuilt without the ECG."""

from pathlib import Path

import numpy as np

from kalemia.core.schemas import BEAT_SAMPLES, SCHEMAS
from kalemia.core.tables import read_table, table_from_rows, write_table


def write_mean_beats(shard_path: str | Path, quality_path: str | Path, digest: str, path: str | Path) -> None:
    """Write the table `mean_beats` of one subject: one row per draw of the quality table, sorted by time.

    A mean beat, (120,) in mV, is over the draw's beats in the shard, or null if there are none. Raises `UserError` as
    `tables.read_table`.
    """
    shard = read_table(shard_path, "beats", columns=["draw_id", "beat"])
    columns = [name for name in SCHEMAS["mean_beats"].names if name != "mean_beat"]
    rows = read_table(quality_path, "quality", columns=columns).sort_by("draw_time").to_pylist()
    draw_ids = shard["draw_id"].to_numpy()
    beats_mv = shard["beat"].combine_chunks().flatten().to_numpy().reshape(-1, BEAT_SAMPLES)
    for row in rows:
        draw_beats_mv = beats_mv[draw_ids == row["draw_id"]]
        row["mean_beat"] = draw_beats_mv.mean(axis=0, dtype=np.float64) if len(draw_beats_mv) else None
    write_table(path, "mean_beats", table_from_rows("mean_beats", rows), digest)
