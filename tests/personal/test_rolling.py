"""The protocol rolling through training and scores: no draw is scored by a network that has learned from it."""

import dataclasses

import numpy as np
import pytest

from beat_shards import NETWORK, write_generic_model
from kalemia.core.config import Arm, Range
from kalemia.core.tables import empty_table, read_table, write_json, write_table
from kalemia.personal.baselines import BASELINES, CROSS_PATIENT
from kalemia.personal.finetune import train_round
from kalemia.personal.frozen_stages import write_features
from kalemia.personal.score_generic import score_generic
from kalemia.personal.splits import parse_split, predictions_by_round, read_split
from personal.test_finetune import MIXED_MODEL, relabel, replace_in_draws
from personal.test_nulls import PERSONAL, Patient

ROLLING_ARM = Arm("rolling", 1.0, "last_stages", "adapt", replay=False, epochs=2, batch_size=16, learning_rate=1e-2)


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rolling")
    generic = write_generic_model(folder / "generic.safetensors")
    return Patient(folder, generic, 200001, ROLLING_ARM)


@pytest.fixture(scope="module")
def predictions(patient):
    """The table of every round, from 1."""
    tables, rounds = [], len(read_split(patient.split)["rounds"])
    for round_ in range(1, rounds + 1):
        folder = patient.folder / f"round-{round_}"
        previous = patient.folder / f"round-{round_ - 1}"
        train_round(
            round_,
            patient.split,
            patient.shard,
            patient.features,
            patient.generic,
            previous / "model.safetensors" if round_ > 1 else None,
            NETWORK,
            ROLLING_ARM,
            PERSONAL,
            1,
            "d",
            "vote",
            folder / "model.safetensors",
            folder / "predictions.parquet",
            folder / "metrics.json",
            previous / "predictions.parquet" if round_ > 1 else None,
        )
        tables.append(read_table(folder / "predictions.parquet", "predictions").to_pylist())
    return tables


def test_each_draw_keeps_what_the_round_that_predicts_it_said(patient, predictions):
    split = parse_split(read_split(patient.split))
    assert len(split.rounds) > 2
    assert len(set(split.predicted_by.values())) > 2
    last = {row["draw_id"]: row for row in predictions[-1]}
    for draw, round_ in split.predicted_by.items():
        (of_round,) = (row for row in predictions[round_ - 1] if row["draw_id"] == draw)
        assert last[draw] == of_round
        assert last[draw]["role"] == "test"
    assert [row["draw_id"] for row in predictions[-1]] == [row["draw_id"] for row in predictions[0]]


def test_a_draw_s_own_label_has_no_part_in_its_score(patient):
    """No training draw of the round that predicts a draw is that draw, or later."""
    for learned, tested in predictions_by_round(read_split(patient.split)):
        assert set(learned).isdisjoint(tested)
        assert max(learned) < min(tested)  # draws are numbered in time


def test_negative_controls_are_scored_round_by_round_as_the_real_run_is(patient):
    """With the beats replaced, everything else is the real run: each test draw counts once."""
    (row,) = patient.nulls(between_beats=1)
    split = read_split(patient.split)
    assert row["n_test"] == len(split["test"])
    assert row["n_positive"] == sum(draw["label"] == 1 for draw in split["draws"] if draw["draw_id"] in split["test"])


def test_shifted_runs_move_the_labels_of_every_round(patient):
    runs = patient.null_runs("shifted", 3)
    assert runs
    for run in runs:
        assert run.split.predicted_by
        assert set(run.split.test) == set(run.split.predicted_by)


def test_a_longer_purge_leaves_the_draws_just_after_a_round_to_the_round_before(patient):
    split = read_split(patient.split)
    longer = dataclasses.replace(ROLLING_ARM, purge_hours=7.0)
    again = Patient(patient.folder / "longer", patient.generic, 200001, longer)
    one, other = parse_split(split), parse_split(read_split(again.split))
    both = set(one.predicted_by) & set(other.predicted_by)
    moved = np.array([one.predicted_by[draw] - other.predicted_by[draw] for draw in sorted(both)])
    assert (moved >= 0).all()
    assert moved.any()


def baseline_scores(patient) -> dict[tuple[str, int], float]:
    """The score of each baseline and test draw, of which there is one."""
    context, path = patient.folder / "context.parquet", patient.folder / "baselines.parquet"
    write_table(context, "context", empty_table("context"))
    mixed_model = patient.folder / "mixed_model.json"
    write_json(mixed_model, {"model": MIXED_MODEL})
    write_features(patient.shard, patient.generic, NETWORK, PERSONAL.n_trained_stages, 1, patient.features)
    score_generic(
        patient.split, patient.shard, patient.features, patient.generic, context, mixed_model, NETWORK,
        Range(above=5.5), "vote", "d", patient.folder / "0.parquet", patient.folder / "0.json", path,
    )  # fmt: skip
    rows = read_table(path, "baselines").to_pylist()
    scores = {(row["baseline"], row["draw_id"]): row["score"] for row in rows}
    assert len(scores) == len(rows)
    return scores


def test_baselines_learn_from_the_draws_that_the_network_has_learned_from(tmp_path):
    """Another last pair changes the scores of the draws that its round predicts, and no earlier ones."""
    patient = Patient(tmp_path, write_generic_model(tmp_path / "generic.safetensors"), 200001, ROLLING_ARM)
    split = parse_split(read_split(patient.split))
    before = baseline_scores(patient)
    assert before.keys() == {(name, draw) for name in BASELINES if name != CROSS_PATIENT for draw in split.test}
    relabel(patient.shard, dict(zip(split.rounds[-1], (0, 1), strict=True)))
    replace_in_draws(patient.shard, "value", dict(zip(split.rounds[-1], (4.0, 6.5), strict=True)))
    after = baseline_scores(patient)
    changed = {key for key in before if abs(after[key] - before[key]) > 1e-9}
    assert {draw for _, draw in changed} == set(split.predicted_in(len(split.rounds)))
    assert {"mean_beat", "minirocket", "ecg_measures", "boosted_measures", "mixed_model", "recalibrated"} <= {
        name for name, _ in changed
    }
