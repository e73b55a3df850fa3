from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from beat_shards import START, write_generic_cohort, write_shard
from kalemia.beats.dataset import iter_beats_by_subject, read_beats
from kalemia.beats.generic_beats import write_generic_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.schemas import SCHEMAS, VERSION
from kalemia.core.tables import read_json, read_row_groups, read_table, table_from_rows, write_table
from kalemia.network.checkpoints import load_generic
from kalemia.network.predictions import beat_logits
from kalemia.network.train_generic import read_splits, train_generic
from kalemia.stats.draw_metrics import role_metrics

NETWORK = config.Network(depth=18, width=4)
SETTINGS = config.Generic(epochs=3, batch_size=32, learning_rate=1e-2, lr_patience=3, lr_decay_factor=0.5, threads=1)
FILES = ("model.safetensors", "history.parquet", "predictions.parquet", "metrics.json")


def trained(draws_path, beats_path, folder, seed=2022):
    paths = [folder / name for name in FILES]
    train_generic(draws_path, beats_path, NETWORK, SETTINGS, seed, "a-digest", "vote", *paths)
    return dict(zip(("model", "history", "predictions", "metrics"), paths, strict=True))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A small simulated cohort, and a generic model trained on it."""
    folder = tmp_path_factory.mktemp("generic")
    draws_path, beats_path = write_generic_cohort(folder / "cohort", subjects_per_split=8, beats_per_draw=60)
    outputs = trained(draws_path, beats_path, folder / "results")
    return SimpleNamespace(draws=draws_path, beats=beats_path, folder=folder, **outputs)


def shards_of(study) -> list[Path]:
    return sorted(Path(study.beats).parent.glob("p*.parquet"))


def test_the_planted_sign_is_learned(study):
    metrics = read_json(study.metrics)
    assert metrics["test"]["accuracy"] == 1
    assert metrics["test"]["beats"]["accuracy"][0] > 0.9


def test_metrics_are_those_of_the_predictions_of_each_split(study):
    metrics, predictions = read_json(study.metrics), read_table(study.predictions, "predictions", digest="a-digest")
    assert set(predictions["role"].to_pylist()) == {"train", "validation", "test"}
    for split in ("train", "validation", "test"):
        of_draws = role_metrics(predictions, split)
        assert of_draws == {name: metrics[split][name] for name in of_draws}
        assert metrics[split]["beats"]["n"] == 8 * 60
        assert metrics[split]["draws"]["accuracy"][0] == of_draws["accuracy"]
        assert metrics[split]["draws"]["auroc"][0] == pytest.approx(of_draws["auc"])


def test_predictions_have_one_row_per_listed_draw_in_order_of_time(study):
    predictions = read_table(study.predictions, "predictions")
    listed = read_table(study.draws, "generic")
    assert sorted(predictions["draw_id"].to_pylist()) == sorted(listed["draw_id"].to_pylist())
    times = list(zip(predictions["draw_time"].to_pylist(), predictions["draw_id"].to_pylist(), strict=True))
    assert times == sorted(times)


def test_best_epoch_has_the_lowest_validation_loss(study):
    history = read_table(study.history, "history", digest="a-digest").to_pylist()
    best = min(history, key=lambda row: row["validation_loss"])
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert read_json(study.metrics)["best_epoch"] == best["epoch"]


def test_the_checkpoint_reproduces_the_predictions(study):
    network, _ = load_generic(study.model, NETWORK)
    test = read_splits(study.draws, study.beats)["test"]
    predictions = read_table(study.predictions, "predictions")
    logit_of_draw = dict(zip(predictions["draw_id"].to_pylist(), predictions["logit"].to_pylist(), strict=True))
    draw_id = test.draw_ids[0]
    mean = beat_logits(network, test.beats_mv)[test.draw_ids == draw_id].mean(dtype=np.float64)
    assert mean == pytest.approx(logit_of_draw[draw_id], abs=1e-5)


def test_lineage_lists_training_and_validation_draws(study):
    _, lineage = load_generic(study.model, NETWORK)
    listed = read_table(study.draws, "generic").to_pylist()
    assert lineage.draws == tuple(sorted(row["draw_id"] for row in listed if row["split"] != "test"))
    assert (lineage.kind, lineage.digest, lineage.parent, lineage.cut_off) == ("generic", "a-digest", None, START)
    assert read_json(study.metrics)["n_parameters"] == sum(
        weight.numel() for weight in load_generic(study.model, NETWORK)[0].parameters()
    )


def test_same_study_gives_the_same_bytes(study, tmp_path):
    again = trained(study.draws, study.beats, tmp_path)
    for name in ("model", "predictions", "metrics"):
        assert again[name].read_bytes() == getattr(study, name).read_bytes()


def test_gathered_beats_have_one_row_group_per_subject_in_any_shard_order(study, tmp_path):
    shards = shards_of(study)
    write_generic_beats(shards[::-1], "", tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == Path(study.beats).read_bytes()
    groups = list(read_row_groups(study.beats, "beats"))
    assert [set(group["subject_id"].to_pylist()) for group in groups] == [{int(path.stem[1:])} for path in shards]
    assert all(group.equals(read_table(path, "beats")) for group, path in zip(groups, shards, strict=True))


def test_gathered_beats_give_the_same_inputs_as_a_shard(tmp_path):
    shards = [tmp_path / "p1.parquet", tmp_path / "p2.parquet"]
    for subject, path in enumerate(shards, start=1):
        write_shard(path, subject, [1, 0, 1], beats_per_draw=3)
    write_generic_beats(shards, "", tmp_path / "b.parquet")
    by_subject = config.Network(18, 2, "subject", rr_intervals=True)
    gathered = [beats.inputs for beats in iter_beats_by_subject(tmp_path / "b.parquet", by_subject)]
    assert [inputs.shape for inputs in gathered] == [(9, 122), (9, 122)]
    assert all(
        np.array_equal(read_beats(path, by_subject).inputs, of) for path, of in zip(shards, gathered, strict=True)
    )


def test_another_seed_gives_another_model(study, tmp_path):
    assert trained(study.draws, study.beats, tmp_path, seed=1)["model"].read_bytes() != study.model.read_bytes()


def listed_again(study, path, change):
    """The generic table with a changed copy of its rows."""
    rows = [row for row in map(change, read_table(study.draws, "generic").to_pylist()) if row is not None]
    write_table(path, "generic", table_from_rows("generic", rows))
    return path


def test_draws_that_are_not_listed_are_not_used(study, tmp_path):
    left_out = read_table(study.draws, "generic")["draw_id"][0].as_py()
    path = listed_again(study, tmp_path / "g.parquet", lambda row: None if row["draw_id"] == left_out else row)
    splits = read_splits(path, study.beats)
    assert all(left_out not in beats.draw_ids for beats in splits.values())
    assert sum(map(len, splits.values())) == 23 * 60


def test_beats_have_the_label_of_the_list(study, tmp_path):
    path = listed_again(study, tmp_path / "g.parquet", lambda row: row | {"label": 1 - row["label"]})
    swapped, straight = read_splits(path, study.beats)["train"], read_splits(study.draws, study.beats)["train"]
    assert (swapped.rows["label"].to_numpy() + straight.rows["label"].to_numpy() == 1).all()
    assert np.array_equal(swapped.beats_mv, straight.beats_mv)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(("label", "name"), [(1, "positive"), (0, "negative")])
def test_a_split_without_a_class_is_rejected(study, tmp_path, split, label, name):
    gone = (split, label)
    path = listed_again(
        study, tmp_path / "g.parquet", lambda row: None if (row["split"], row["label"]) == gone else row
    )
    with pytest.raises(UserError, match=rf"g\.parquet: the split '{split}' has no {name} draw"):
        read_splits(path, study.beats)


def test_a_subject_in_two_splits_is_rejected(study, tmp_path):
    rows = read_table(study.draws, "generic").to_pylist()
    rows.append(rows[0] | {"draw_id": 1, "split": "test"})
    write_table(tmp_path / "g.parquet", "generic", table_from_rows("generic", rows))
    with pytest.raises(UserError, match=rf"g\.parquet: subject {rows[0]['subject_id']} is in two splits"):
        read_splits(tmp_path / "g.parquet", study.beats)


def test_a_listed_draw_without_beats_is_named(study, tmp_path):
    missing = read_table(study.draws, "generic")["draw_id"][0].as_py()
    write_generic_beats(shards_of(study)[1:], "", tmp_path / "b.parquet")
    with pytest.raises(UserError, match=rf"generic\.parquet: draw {missing} has no beats in .*b\.parquet; delete both"):
        read_splits(study.draws, tmp_path / "b.parquet")


def test_an_invalid_shard_is_named_and_no_output_is_left(study, tmp_path):
    write_table(tmp_path / "p100000.parquet", "predictions", SCHEMAS["predictions"].empty_table())
    with pytest.raises(UserError, match=r"p100000\.parquet: holds table 'predictions'"):
        write_generic_beats([*shards_of(study), tmp_path / "p100000.parquet"], "", tmp_path / "b.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["p100000.parquet"]


def test_beats_of_another_version_are_named(study, tmp_path, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr("kalemia.core.tables.VERSION", 0)
        write_shard(tmp_path / "b.parquet", 100000, [0], beats_per_draw=2)
    with pytest.raises(
        UserError, match=rf"b\.parquet: holds table 'beats' version 0, not 'beats' version {VERSION}; del"
    ):
        read_splits(study.draws, tmp_path / "b.parquet")


def test_a_shard_of_several_draws_is_divided_by_draw(study, tmp_path):
    draw_ids = write_shard(tmp_path / "p1.parquet", 1, [1, 0, None], beats_per_draw=2)
    rows = [row for row in read_table(study.draws, "generic").to_pylist() if row["split"] != "train"]
    rows += [{"subject_id": 1, "draw_id": draw_ids[i], "label": 1 - i, "split": "train"} for i in (0, 1)]
    write_table(tmp_path / "g.parquet", "generic", table_from_rows("generic", rows))
    write_generic_beats([*shards_of(study), tmp_path / "p1.parquet"], "", tmp_path / "b.parquet")
    train = read_splits(tmp_path / "g.parquet", tmp_path / "b.parquet")["train"]
    assert train.draw_ids.tolist() == [draw_ids[0]] * 2 + [draw_ids[1]] * 2
    assert train.rows["label"].to_pylist() == [1, 1, 0, 0]
