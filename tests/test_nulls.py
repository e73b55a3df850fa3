import dataclasses
import itertools
import weakref
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kalemia.strangers
from beat_shards import NETWORK, simulated_beats, write_generic_model, write_shard
from kalemia import config
from kalemia.arms import write_subject_split
from kalemia.checkpoints import file_hash, load_round
from kalemia.episodes import Draw
from kalemia.frozen import Above, write_features
from kalemia.nulls import (
    between_beats,
    inputs_between_beats,
    metrics_by,
    possible_shifts,
    shifted,
    shuffled,
    write_nulls,
)
from kalemia.personal import train_round
from kalemia.predictions import beat_outputs, read_beats
from kalemia.splits import Split, read_split
from kalemia.strangers import strangers, tested, write_strangers
from kalemia.tables import read_table, table_from_rows, write_table
from kalemia.training import outputs_of

ARM = config.Arm("paper", 0.2, "blocks", "adapt", False, epochs=2, batch_size=16, learning_rate=1e-2)
PERSONAL = config.Personal(
    max_rounds=2, pairs_per_round=1, held_out=0.25, min_test_draws=2, trained_stages=1, threads=1
)
SUBJECT, OTHER = 200001, 200002
LABELS = [1, 1, 0, 0] * 3
START = datetime(2150, 3, 1)
DRAWS = [Draw(i, START + timedelta(hours=6 * i), label, f"r{i // 2}", 1) for i, label in enumerate(LABELS)]


class Patient:
    """The files of a simulated patient up to the split and the features, in one arm."""

    def __init__(self, folder, generic, subject, arm=ARM):
        self.folder, self.generic, self.arm, self.subject = folder / f"paper/p{subject}", generic, arm, subject
        self.shard, self.split = self.folder / "beats.parquet", self.folder / "split.json"
        self.features = self.folder / "features.safetensors"
        draws = write_shard(self.shard, subject, LABELS, beats_per_draw=8)
        rows = [
            {"subject_id": subject, "draw_id": draw, "draw_time": START + timedelta(hours=6 * i), "label": label}
            for i, (draw, label) in enumerate(zip(draws, LABELS, strict=True))
        ]
        write_table(self.folder / "quality.parquet", "quality", table_from_rows("quality", rows))
        write_subject_split(self.folder / "quality.parquet", self.shard, "paper", arm, PERSONAL, 1, "", self.split)
        write_features(self.shard, generic, NETWORK, 1, 1, self.features)

    def nulls(self, name="nulls", **repeats):
        arm = dataclasses.replace(self.arm, nulls=repeats)
        path = self.folder / f"{name}.parquet"
        write_nulls(self.split, self.shard, self.features, self.generic, NETWORK, PERSONAL, arm, 1, "d", "vote", path)
        return read_table(path, "nulls", digest="d").to_pylist()

    def last_round(self):
        previous = None
        for k in (1, 2):
            out = self.folder / f"round-{k}"
            train_round(
                k, self.split, self.shard, self.features, self.generic, previous, NETWORK, self.arm, PERSONAL, 1, "d",
                "vote", out / "model.safetensors", out / "predictions.parquet", out / "metrics.json",
            )  # fmt: skip
            previous = out / "model.safetensors"
        return previous


@pytest.fixture
def generic(tmp_path):
    return write_generic_model(tmp_path / "generic.safetensors")


@pytest.fixture
def patient(tmp_path, generic):
    return Patient(tmp_path, generic, SUBJECT)


def test_each_null_is_repeated_with_a_seed_of_its_own(patient):
    rows = patient.nulls(shuffled=2, shifted=2, between_beats=1)
    assert [(row["kind"], row["repeat"]) for row in rows] == [
        ("shuffled", 0), ("shuffled", 1), ("shifted", 0), ("shifted", 1), ("between_beats", 0),
    ]  # fmt: skip
    assert len({row["seed"] for row in rows}) == 5
    assert {row["arm"] for row in rows} == {"paper"}


def test_the_same_nulls_give_the_same_bytes_and_leave_the_generic_model_alone(patient):
    before = file_hash(patient.generic)
    patient.nulls("first", shuffled=1, shifted=1)
    patient.nulls("again", shuffled=1, shifted=1)
    assert (patient.folder / "first.parquet").read_bytes() == (patient.folder / "again.parquet").read_bytes()
    assert file_hash(patient.generic) == before


def test_a_repeat_does_not_depend_on_those_before_it(patient):
    assert patient.nulls(shuffled=3)[:1] == patient.nulls(shuffled=1)


@pytest.mark.parametrize("trained", ["head", "all", "scratch"])
def test_every_way_of_training_has_its_nulls(patient, trained):
    patient.arm = dataclasses.replace(ARM, trained=trained)
    rows = patient.nulls(shuffled=1, between_beats=1)
    assert all(0 <= row["auc"] <= 1 for row in rows)


def test_shuffled_labels_change_places_among_the_draws_learned_from():
    truth = Split(((0, 2), (4, 6), (1, 3)), (8, 10))
    nulls = [shuffled(truth, DRAWS, seed) for seed in range(20)]
    for null in nulls:
        assert sorted(null.split.learned) == sorted(truth.learned)
        assert null.split.test == truth.test
        label = null.moved({draw.draw_id: draw.label for draw in DRAWS})
        for positive, negative in null.split.rounds:
            assert (label[positive], label[negative]) == (1, 0)
        assert [label[draw] for draw in truth.test] == [DRAWS[draw].label for draw in truth.test]
    assert len({null.split.rounds for null in nulls}) > 10


def test_shuffled_rounds_are_as_large_as_the_true_ones():
    truth = Split(((0, 2, 1, 3), (4, 6)), (8, 10))
    assert [len(pairs) for pairs in shuffled(truth, DRAWS, 1).split.rounds] == [4, 2]


@given(st.lists(st.integers(0, 1), min_size=4, max_size=30), st.integers(0, 30))
def test_shifted_labels_keep_their_runs(labels, steps):
    draws = [Draw(i, START + timedelta(hours=i), label) for i, label in enumerate(labels)]
    source = shifted(draws, steps % len(draws))
    moved = [labels[source[i]] for i in range(len(draws))]
    assert moved == list(np.roll(labels, steps))
    assert sum(a != b for a, b in zip(moved, moved[1:] + moved[:1], strict=True)) == sum(
        a != b for a, b in zip(labels, labels[1:] + labels[:1], strict=True)
    )


def test_shifts_are_divided_anew_by_the_protocol():
    arm = dataclasses.replace(ARM, protocol="forward", purge_hours=1.0)
    for null in possible_shifts(DRAWS, arm, PERSONAL, 1, SUBJECT):
        label = null.moved({draw.draw_id: draw.label for draw in DRAWS})
        assert max(null.split.learned) < min(null.split.test)
        assert {label[draw] for draw in null.split.test} == {0, 1}
        for positive, negative in null.split.rounds:
            assert (label[positive], label[negative]) == (1, 0)


def test_between_beats_nothing_of_the_waves_is_left():
    random = np.random.default_rng(1)
    tall, flat = simulated_beats(1, 5, random), simulated_beats(0, 5, random)
    tall[:, :20] = flat[:, :20]
    np.testing.assert_array_equal(between_beats(tall), between_beats(flat))
    np.testing.assert_allclose(between_beats(tall)[:, :10].mean(axis=1), 0, atol=1e-6)


def test_between_beats_no_interval_tells_the_rate(patient):
    network = dataclasses.replace(NETWORK, rr_intervals=True)
    beats = read_beats(patient.shard, network)
    assert (inputs_between_beats(beats, network)[:, -2:] == 1).all()
    assert inputs_between_beats(beats, network).shape == beats.inputs.shape


def test_strangers_are_other_patients():
    assert strangers(3, [1, 2, 3, 4], 9, 1) != []
    assert 3 not in strangers(3, [1, 2, 3, 4], 9, 1)
    assert len(strangers(3, [1, 2, 3, 4], 2, 1)) == 2


@pytest.fixture
def arm_of_three(tmp_path, generic):
    """Three patients with their last rounds, and `write_strangers` on them: the rows, by patient."""
    patients = [Patient(tmp_path, generic, subject) for subject in (SUBJECT, OTHER, 200003)]
    rounds = {patient.subject: patient.last_round() for patient in patients}

    def rows(n):
        write_strangers(
            [patient.split for patient in patients], [patient.shard for patient in patients],
            [patient.features for patient in patients], list(rounds.values()), generic, NETWORK, PERSONAL,
            dataclasses.replace(ARM, nulls={"stranger": n}), 1, "", "vote", tmp_path / "strangers.parquet",
        )  # fmt: skip
        return read_table(tmp_path / "strangers.parquet", "nulls").to_pylist()

    return patients, rounds, rows


def test_a_stranger_s_network_scores_the_patient_s_own_test_draws(arm_of_three):
    patients, rounds, rows_of = arm_of_three
    rows = rows_of(5)
    assert {(row["subject_id"], row["seed"]) for row in rows} == set(itertools.permutations(rounds, 2))
    assert [(row["subject_id"], row["repeat"]) for row in rows] == [(s, repeat) for s in rounds for repeat in (0, 1)]
    n_test = {patient.subject: len(read_split(patient.split)["test"]) for patient in patients}
    assert [row["n_test"] for row in rows] == [n_test[row["subject_id"]] for row in rows]
    assert len(rows_of(1)) == 3


def test_a_stranger_says_of_stored_features_what_it_says_of_the_beats(arm_of_three):
    patients, rounds, rows_of = arm_of_three
    split_of = {patient.subject: read_split(patient.split) for patient in patients}
    by_subject = {patient.subject: patient for patient in patients}
    for row in rows_of(2):
        patient, split = by_subject[row["subject_id"]], split_of[row["subject_id"]]
        network = load_round(rounds[row["seed"]], patient.generic, NETWORK)[0]
        beats, inputs = tested(split["test"], patient.shard, patient.features, patient.generic, NETWORK, after=3)
        whole = beat_outputs(network, beats.inputs)
        np.testing.assert_allclose(outputs_of(Above(network, 3), inputs).numpy(), whole, atol=1e-5)
        label_of = {draw["draw_id"]: draw["label"] for draw in split["draws"]}
        assert row.items() >= metrics_by(whole, beats, label_of, "vote").items()


def test_one_patient_s_beats_are_in_memory_at_a_time(arm_of_three, monkeypatch):
    held = []

    def watched(*arguments):
        assert [inputs() for inputs in held] == [None] * len(held)
        beats, inputs = tested(*arguments)
        held.append(weakref.ref(inputs))
        return beats, inputs

    monkeypatch.setattr(kalemia.strangers, "tested", watched)
    arm_of_three[2](2)
    assert len(held) == 3
