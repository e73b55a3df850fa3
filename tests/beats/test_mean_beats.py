import numpy as np
import pytest

from kalemia.beats.mean_beats import write_mean_beats
from kalemia.core.tables import read_table, table_from_rows, write_table


@pytest.fixture
def means(tmp_path):
    """Of two draws, the earlier of them without a beat, written from a shard whose beats are flat."""

    def write(beats_mv):
        about = [{"draw_id": 1, "n_kept": 2}, {"draw_id": 2, "n_kept": 0, "reason": "too few good beats"}]
        quality = [row | {"draw_time": time} for row, time in zip(about, (20, 10), strict=True)]
        shard = [{"draw_id": 1, "beat": np.full(120, beat_mv)} for beat_mv in beats_mv]
        write_table(tmp_path / "q.parquet", "quality", table_from_rows("quality", quality))
        write_table(tmp_path / "b.parquet", "beats", table_from_rows("beats", shard), group_by="draw_id")
        write_mean_beats(tmp_path / "b.parquet", tmp_path / "q.parquet", "", tmp_path / "m.parquet")
        return read_table(tmp_path / "m.parquet", "mean_beats").to_pylist()

    return write


def test_draws_are_sorted_by_time_with_the_mean_of_their_own_beats(means):
    first, second = means([0.25, 0.75])
    assert (first["draw_id"], first["mean_beat"], first["reason"]) == (2, None, "too few good beats")
    assert (second["draw_id"], second["mean_beat"], second["reason"]) == (1, [0.5] * 120, None)


def test_patient_without_beats_keeps_its_draws(means):
    assert [row["mean_beat"] for row in means([])] == [None, None]
