"""The protocol rolling through training and scores: no draw is scored by a network that has learned from it."""

import dataclasses

import numpy as np
import pytest

from beat_shards import NETWORK, write_generic_model
from kalemia.core.config import Arm
from kalemia.core.tables import read_table
from kalemia.personal.finetune import train_round
from kalemia.personal.splits import parse_split, predictions_by_round, read_split
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
