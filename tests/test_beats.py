import dataclasses
from datetime import datetime

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from ecg_signals import clean_ecg, regular_r_samples
from kalemia.beats import segment_beats, spread_choice, write_beats
from kalemia.tables import R_INDEX, read_table, table_from_rows, write_table

N = 75_000
FROM = 1_000_000


def _excerpt(draw_id, **other):
    ecg_mv = clean_ecg(regular_r_samples(N), N)
    ecg_mv[40_000:41_000] = np.nan
    segments = [
        {"name": "3000000_0001", "start": FROM, "stop": FROM + 40_000, "gain": 50.0, "baseline": 0},
        {"name": "3000000_0002", "start": FROM + 41_000, "stop": FROM + N, "gain": 40.0, "baseline": 3},
    ]
    row = {
        "subject_id": 7,
        "draw_id": draw_id,
        "draw_time": datetime(2150, 1, 1, draw_id),
        "potassium": 6.0,
        "label": 1,
    }
    row |= {"recording": "p00/p000007/p000007-2150-01-01-00-00", "sample_from": FROM, "rate_hz": 125.0}
    return row | {"ecg_mv": ecg_mv, "segments": segments, "reason": None} | other


def _written(tmp_path, study, *excerpts, **settings):
    write_table(tmp_path / "e.parquet", "excerpts", table_from_rows("excerpts", list(excerpts)))
    beats = dataclasses.replace(study.beats, **settings)
    write_beats(tmp_path / "e.parquet", study.ecg, beats, "", tmp_path / "b.parquet", tmp_path / "q.parquet")
    return read_table(tmp_path / "b.parquet", "beats"), read_table(tmp_path / "q.parquet", "quality").to_pylist()


def test_r_peak_is_at_index_40(tmp_path, study):
    shard, _ = _written(tmp_path, study, _excerpt(1))
    beats_mv = np.array(shard["beat"].to_pylist())
    assert beats_mv.shape == (200, 120)
    assert set(beats_mv.argmax(axis=1)) == {R_INDEX} == {40}


def test_a_beat_can_be_traced_to_its_samples(tmp_path, study):
    shard, _ = _written(tmp_path, study, _excerpt(1))
    for row in shard.select(["r_sample", "segment", "recording"]).to_pylist():
        assert (row["r_sample"] - FROM - 60) % 100 == 0
        assert row["segment"] == ("3000000_0001" if row["r_sample"] < FROM + 40_000 else "3000000_0002")
        assert row["recording"].endswith("p000007-2150-01-01-00-00")


def test_intervals_are_in_milliseconds(tmp_path, study):
    shard, quality = _written(tmp_path, study, _excerpt(1))
    assert set(shard["rr_before_ms"].to_pylist()) == {800.0}
    assert quality[0]["heart_rate_bpm"] == 75.0


def test_the_shard_has_one_row_group_a_draw(tmp_path, study):
    _written(tmp_path, study, _excerpt(1), _excerpt(2))
    metadata = pq.read_metadata(tmp_path / "b.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [200, 200]


def test_what_was_kept_and_lost_adds_up(tmp_path, study):
    _, (row,) = _written(tmp_path, study, _excerpt(1))
    assert row["n_kept"] == 200
    assert row["n_good"] + sum(count for _, count in row["lost"]) == row["n_r_peaks"]
    assert row["recorded_s"] == (N - 1000) / 125


def test_a_draw_without_ecg_keeps_its_reason(tmp_path, study):
    shard, (row,) = _written(tmp_path, study, _excerpt(1, ecg_mv=None, reason="no lead"))
    assert (len(shard), row["n_kept"], row["reason"]) == (0, 0, "no lead")


def test_a_draw_with_too_few_beats_is_excluded(tmp_path, study):
    excerpt = _excerpt(1)
    excerpt["ecg_mv"][5000:] = np.nan
    shard, (row,) = _written(tmp_path, study, excerpt)
    assert (len(shard), row["reason"]) == (0, "too few R peaks")


def test_noise_is_excluded_with_its_reason(tmp_path, study):
    noise_mv = np.random.default_rng(1).normal(size=N).astype(np.float32)
    shard, (row,) = _written(tmp_path, study, _excerpt(1, ecg_mv=noise_mv))
    assert (len(shard), row["reason"]) == (0, "too few good beats")


def test_a_beat_beyond_the_ecg_is_not_whole():
    beats_mv = segment_beats(np.ones(200, np.float32), np.array([39, 40, 120, 121]))
    assert np.isfinite(beats_mv).all(axis=1).tolist() == [False, True, True, False]


def test_the_best_of_each_stretch_are_chosen():
    quality = np.array([0.9, 0.8, 0.99, 0.97, 0.5])
    position = np.array([0.01, 0.02, 0.55, 0.56, 0.95])
    assert spread_choice(quality, position, 3).tolist() == [0, 2, 4]
    assert spread_choice(quality, position, 4).tolist() == [0, 1, 2, 4]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=50), st.integers(1, 60))
def test_a_choice_is_of_distinct_items_and_as_large_as_asked_for(items, most):
    quality, position = np.array(items).reshape(-1, 2).T
    chosen = spread_choice(quality, position, most)
    assert len(set(chosen.tolist())) == len(chosen) == min(most, len(items))
    assert (np.diff(chosen) > 0).all()
