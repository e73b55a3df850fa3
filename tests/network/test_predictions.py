from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beat_shards import simulated_beats, write_shard
from kalemia.beats.dataset import DRAW_COLUMNS, concatenate_beat_sets, read_beats
from kalemia.core.errors import UserError
from kalemia.core.schemas import SCHEMAS
from kalemia.core.tables import read_table, write_table
from kalemia.network.predictions import beat_logits, beat_tensor, draw_predictions
from kalemia.network.resnet import resnet

START = datetime(2150, 3, 1)
SCHEMA = pa.schema([SCHEMAS["beats"].field(name) for name in DRAW_COLUMNS])


def rows(draw_ids: list[int], labels: dict[int, int | None] | None = None) -> pa.Table:
    """One row a beat; draw 10 is the latest, 9 the one before, and so on."""
    return pa.Table.from_pylist(
        [
            {
                "subject_id": 7,
                "draw_id": draw_id,
                "draw_time": START + timedelta(hours=draw_id),
                "value": 4.0,
                "label": (labels or {}).get(draw_id),
            }
            for draw_id in draw_ids
        ],
        schema=SCHEMA,
    )


def test_each_draw_keeps_the_logits_of_its_own_beats_in_order():
    found = draw_predictions(
        np.array([1, -2, 3, -4], np.float32), rows([9, 8, 9, 8], {8: 0, 9: 1}), {8: "test"}, "vote"
    )
    assert dict(zip(found["draw_id"].to_pylist(), found["beat_logits"].to_pylist(), strict=True)) == {
        8: [-4.0, -2.0],
        9: [1.0, 3.0],
    }
    assert draw_predictions(np.zeros(0, np.float32), rows([]), {}, "vote")["beat_logits"].to_pylist() == []


def test_a_draw_has_the_votes_and_the_mean_logit_of_its_beats():
    logits = np.array([1.0, -1.0, 4.0, -3.0, -1.0], np.float32)
    table = draw_predictions(logits, rows([9, 9, 9, 8, 8], {9: 1, 8: 0}), {9: "test", 8: "train"}, "vote")
    first, second = table.to_pylist()
    assert (first["draw_id"], first["n_beats"], first["votes"], first["decision"]) == (8, 2, 0, 0)
    assert (second["draw_id"], second["n_beats"], second["votes"], second["decision"]) == (9, 3, 2, 1)
    assert (first["logit"], second["logit"]) == (-2.0, pytest.approx(4 / 3))
    assert second["probability"] == pytest.approx(1 / (1 + np.exp(-4 / 3)))
    assert (first["role"], second["role"]) == ("train", "test")
    assert (first["label"], second["label"]) == (0, 1)


def test_the_decision_follows_the_configured_rule():
    logits = np.array([9.0, -1.0, -1.0], np.float32)
    decisions = {
        rule: draw_predictions(logits, rows([1, 1, 1]), {}, rule)["decision"][0].as_py()
        for rule in ("vote", "mean_logit")
    }
    assert decisions == {"vote": 0, "mean_logit": 1}


def test_a_logit_of_zero_is_no_vote():
    assert draw_predictions(np.zeros(3, np.float32), rows([1, 1, 1]), {}, "vote")["votes"].to_pylist() == [0]


def test_a_draw_without_role_is_other_and_without_label_is_null():
    (row,) = draw_predictions(np.ones(2, np.float32), rows([1, 1]), {}, "vote").to_pylist()
    assert (row["role"], row["label"]) == ("other", None)


def test_draws_of_the_same_time_are_sorted_by_id():
    beats = rows([3, 1, 2])
    same_time = beats.set_column(2, "draw_time", pa.array([START] * 3, SCHEMA.field("draw_time").type))
    assert draw_predictions(np.ones(3, np.float32), same_time, {}, "vote")["draw_id"].to_pylist() == [1, 2, 3]


@given(
    beats=st.lists(st.tuples(st.integers(1, 5), st.integers(-8, 8)), min_size=1, max_size=30), seed=st.integers(0, 99)
)
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_beats_does_not_matter(beats, seed):
    shuffled = [beats[place] for place in np.random.default_rng(seed).permutation(len(beats))]
    tables = [
        draw_predictions(np.array([logit for _, logit in order], np.float32), rows([d for d, _ in order]), {}, "vote")
        for order in (beats, shuffled)
    ]
    assert tables[0].equals(tables[1])
    assert sum(tables[0]["n_beats"].to_pylist()) == len(beats)


def test_predictions_can_be_written_and_read(tmp_path):
    table = draw_predictions(np.ones(2, np.float32), rows([1, 2]), {}, "vote")
    write_table(tmp_path / "p.parquet", "predictions", table)
    assert read_table(tmp_path / "p.parquet", "predictions").equals(table)


def test_no_beats_give_no_predictions():
    assert len(draw_predictions(beat_logits(resnet(18, 1), np.zeros((0, 120), np.float32)), rows([]), {}, "vote")) == 0


def test_the_logit_of_a_beat_does_not_depend_on_the_others():
    network, beats_mv = resnet(18, 2), simulated_beats(1, 7, np.random.default_rng(1))
    logits = beat_logits(network, beats_mv)
    alone = np.concatenate([beat_logits(network, beat_mv[None]) for beat_mv in beats_mv])
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, alone, rtol=1e-5, atol=1e-6)


def test_beat_tensor_is_aligned_to_64_bytes():
    block = np.arange(4 * 120 + 16, dtype=np.float32)
    for start in range(16):
        beats_mv = block[start : start + 480].reshape(4, 120)
        tensor = beat_tensor(beats_mv, torch.device("cpu"))
        assert tensor.data_ptr() % 64 == 0
        np.testing.assert_array_equal(tensor, beats_mv)


def test_a_shard_is_read_as_it_was_written(tmp_path):
    draw_ids = write_shard(tmp_path / "p.parquet", 200001, [1, 0, None], beats_per_draw=4)
    beats = read_beats(tmp_path / "p.parquet")
    written = read_table(tmp_path / "p.parquet", "beats")
    assert beats.beats_mv.tolist() == written["beat"].to_pylist()
    assert beats.draw_ids.tolist() == [draw for draw in draw_ids for _ in range(4)]
    assert beats.rows["label"].to_pylist() == written["label"].to_pylist()


def test_an_empty_shard_has_no_beats(tmp_path):
    write_shard_without_beats = SCHEMAS["beats"].empty_table()
    write_table(tmp_path / "p.parquet", "beats", write_shard_without_beats)
    assert read_beats(tmp_path / "p.parquet").beats_mv.shape == (0, 120)


def test_taking_and_joining_keep_beats_with_their_draws(tmp_path):
    write_shard(tmp_path / "p.parquet", 200001, [1, 0, 1], beats_per_draw=3)
    beats = read_beats(tmp_path / "p.parquet")
    second = beats.draw_ids == beats.draw_ids[3]
    joined = concatenate_beat_sets([beats.take(second), beats.take(np.flatnonzero(~second))])
    order = [3, 4, 5, 0, 1, 2, 6, 7, 8]
    assert joined.draw_ids.tolist() == beats.draw_ids[order].tolist()
    assert np.array_equal(joined.beats_mv, beats.beats_mv[order])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nan_beat_is_named(tmp_path, value):
    path = tmp_path / "p200001.parquet"
    draw_ids = write_shard(path, 200001, [1, 0], beats_per_draw=2)
    table = read_table(path, "beats")
    beats_mv = np.array(table["beat"].to_pylist(), np.float32)
    beats_mv[3, 50] = value
    column = pa.FixedSizeListArray.from_arrays(pa.array(beats_mv.reshape(-1)), 120)
    write_table(path, "beats", table.set_column(table.column_names.index("beat"), "beat", column))
    with pytest.raises(UserError, match=rf"p200001\.parquet: draw {draw_ids[1]} has a beat with a sample that is no"):
        read_beats(path)


def test_a_table_of_another_kind_is_rejected(tmp_path):
    write_table(tmp_path / "p.parquet", "predictions", SCHEMAS["predictions"].empty_table())
    with pytest.raises(UserError, match=r"p\.parquet: holds table 'predictions'"):
        read_beats(tmp_path / "p.parquet")
