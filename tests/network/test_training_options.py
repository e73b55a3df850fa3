"""The options that the paper does not have, all together, from shards through both trainings to the explanation."""

from types import SimpleNamespace

import numpy as np
import pytest

from beat_shards import write_generic_cohort, write_shard, write_split
from kalemia.beats.dataset import concatenate_beat_sets, read_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.schemas import EXPLANATION
from kalemia.core.tables import empty_table, read_json, read_table, table_from_rows, write_table
from kalemia.explanation.explain_patient import PatientFiles, TrainingSettings, explain_subject
from kalemia.network.checkpoints import load_generic
from kalemia.network.train_generic import train_generic
from kalemia.personal.finetune import train_round
from kalemia.personal.frozen_stages import write_features
from kalemia.personal.nulls import write_nulls
from kalemia.personal.score_generic import score_generic

NETWORK = config.Network(18, 4, "draw", rr_intervals=True, auxiliary_head="ordinal", ordinal_thresholds=(4.0, 5.0, 6.0))
SETTINGS = config.Generic(
    epochs=4, batch_size=32, learning_rate=1e-2, lr_patience=3, lr_decay_factor=0.5, threads=1, precision="bfloat16",
    early_stopping_patience=3, sampler="per_subject", label_smoothing=0.1,
    augmentation=config.Augmentation(amplitude=0.1, baseline=0.05, shift=2, noise=0.05),
)  # fmt: skip
ARM = config.Arm(
    "paper", 0.2, "last_stages", "frozen", replay=False, epochs=2, batch_size=16, learning_rate=1e-3,
    negative_controls={"shuffled": 1, "between_beats": 1},
)  # fmt: skip
PERSONAL = config.Personal(
    max_rounds=2, pairs_per_round=1, test_fraction=0.25, min_test_draws=1, n_trained_stages=1, threads=1
)
SUBJECT = 10059


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beyond")
    draws_path, beats_path = write_generic_cohort(folder / "cohort", subjects_per_split=8, beats_per_draw=60)
    names = ("model.safetensors", "history.parquet", "predictions.parquet", "metrics.json")
    generic = dict(zip(("model", "history", "predictions", "metrics"), (folder / name for name in names), strict=True))
    train_generic(draws_path, beats_path, NETWORK, SETTINGS, 2022, "a-digest", "vote", *generic.values())
    shard = folder / "p010059.parquet"
    draws = write_shard(shard, SUBJECT, [1, 0, 1, 0], beats_per_draw=12)
    split = write_split(folder / "split.json", SUBJECT, [tuple(draws[:2])], draws[2:])
    features = folder / "features.safetensors"
    write_features(shard, generic["model"], NETWORK, PERSONAL.n_trained_stages, 1, features)
    write_table(folder / "context.parquet", "context", empty_table("context"))
    score_generic(
        split, shard, features, generic["model"], folder / "context.parquet", None, NETWORK, config.Range(above=5.5),
        "vote", "a-digest", folder / "0.parquet", folder / "0.json", folder / "baselines.parquet",
    )  # fmt: skip
    train_round(
        1, split, shard, features, generic["model"], None, NETWORK, ARM, PERSONAL, 2022, "a-digest", "vote",
        folder / "1.safetensors", folder / "1.parquet", folder / "1.json",
    )  # fmt: skip
    write_nulls(
        split, shard, features, generic["model"], NETWORK, PERSONAL, ARM, ARM.null_chunks["first"], 2022, "a-digest",
        "vote", folder / "nulls.parquet",
    )  # fmt: skip
    return SimpleNamespace(folder=folder, shard=shard, split=split, draws=draws, **generic)


def test_the_planted_sign_is_learned(study):
    assert read_json(study.metrics)["test"]["beats"]["accuracy"][0] > 0.9


def test_the_analyte_is_estimated_and_its_error_reported(study):
    rows = read_table(study.predictions, "predictions").to_pylist()
    errors = [abs(row["estimate"] - row["value"]) for row in rows if row["role"] == "test"]
    assert read_json(study.metrics)["test"]["mean_absolute_error"] == pytest.approx(np.mean(errors), abs=1e-6)
    assert np.mean(errors) < 0.8


@pytest.mark.parametrize("round_", [0, 1])
def test_personal_rounds_use_the_inputs_of_the_generic_network(study, round_):
    rows = read_table(study.folder / f"{round_}.parquet", "predictions").to_pylist()
    assert [row["draw_id"] for row in rows] == study.draws
    assert all(3 < row["estimate"] < 7 for row in rows)
    assert read_json(study.folder / "0.json")["auc"] == 1


def test_nulls_use_the_inputs_of_the_generic_network(study):
    rows = read_table(study.folder / "nulls.parquet", "nulls").to_pylist()
    assert [row["kind"] for row in rows] == ["shuffled", "between_beats"]
    assert rows[1]["auc"] is not None


def test_the_explanation_shows_beats_in_millivolt_for_any_network_input(study, tmp_path):
    settings = config.Explanation(gradcam_stages=(4,), beats_per_draw=4, perplexity=5.0)
    paths = {kind: tmp_path / f"{kind}.parquet" for kind in EXPLANATION}
    files = PatientFiles(
        study.shard, study.folder / "features.safetensors", study.model, {"paper": study.split},
        {"paper": study.folder / "1.safetensors"},
    )  # fmt: skip
    explain_subject(SUBJECT, files, TrainingSettings(NETWORK, PERSONAL, {"paper": ARM}, 1), settings, "a-digest", paths)
    beats = read_beats(study.shard)
    positive_mv = beats.beats_mv[beats.rows["label"].to_numpy() == 1].mean(axis=0)
    maps = read_table(paths["gradcam"], "gradcam").to_pylist()
    (row,) = (row for row in maps if (row["model"], row["label"]) == ("generic", 1))
    assert row["mean_beat"] == pytest.approx(positive_mv, abs=1e-5)
    assert len(row["attention"]) == 120


def test_a_configuration_without_the_options_rejects_the_network(study):
    with pytest.raises(
        UserError, match="has a network with normalization draw and rr_intervals True and auxiliary_head"
    ):
        load_generic(study.model, config.Network(18, 4))


def test_inputs_are_the_bare_beats_unless_the_network_takes_more(study):
    plain = read_beats(study.shard, config.Network(18, 4))
    assert plain.inputs is plain.beats_mv
    assert plain.take(np.arange(3)).inputs is not plain.inputs
    parts = [plain.take(np.arange(3)), plain.take(np.arange(3, 7))]
    assert concatenate_beat_sets(parts).inputs is not None
    assert np.array_equal(concatenate_beat_sets(parts).inputs, plain.beats_mv[:7])
    full = read_beats(study.shard, NETWORK)
    assert full.inputs.shape == (48, 122)
    assert full.inputs[:, 120:] == pytest.approx(0.8)
    assert np.array_equal(
        concatenate_beat_sets([full.take(np.arange(3)), full.take(np.arange(3, 7))]).inputs, full.inputs[:7]
    )
    assert np.array_equal(full.beats_mv, plain.beats_mv)


def test_a_nan_interval_is_rejected_if_the_network_uses_intervals(tmp_path):
    write_shard(tmp_path / "p1.parquet", 1, [1, 0], beats_per_draw=2)
    rows = read_table(tmp_path / "p1.parquet", "beats").to_pylist()
    rows[3]["rr_after_ms"] = float("nan")
    write_table(tmp_path / "p1.parquet", "beats", table_from_rows("beats", rows))
    assert len(read_beats(tmp_path / "p1.parquet")) == 4
    with pytest.raises(UserError, match=r"p1\.parquet: draw 1001 has a beat with an interval that is not a finite"):
        read_beats(tmp_path / "p1.parquet", NETWORK)
