import dataclasses
import itertools
import weakref
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import kalemia.personal.cross_patient
from beat_shards import NETWORK, simulated_beats, write_generic_model, write_shard
from kalemia.beats.dataset import read_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.negative_controls import NEGATIVE_CONTROLS, chunks_of_runs
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.network.checkpoints import file_hash, load_generic, load_round
from kalemia.network.inference import predict
from kalemia.network.predictions import beat_logits, beat_outputs, draw_predictions
from kalemia.personal.arms import write_subject_split
from kalemia.personal.cross_patient import OTHER_PATIENTS, read_test_inputs, sample_other_patients, write_strangers
from kalemia.personal.episodes import Draw
from kalemia.personal.finetune import train_round
from kalemia.personal.frozen_stages import TrainableHead, last_frozen_stage, read_inputs, write_features
from kalemia.personal.negative_controls import (
    RUNS,
    NullRun,
    null_runs,
    possible_shifts,
    shift_labels,
    shuffle_labels,
    tp_segment,
    tp_segment_inputs,
)
from kalemia.personal.nulls import score_with_labels, train_null, write_nulls
from kalemia.personal.splits import Split, read_split
from kalemia.stats.draw_metrics import area_under_roc, role_metrics

ARM = config.Arm("paper", 0.2, "last_stages", "adapt", False, epochs=2, batch_size=16, learning_rate=1e-2)
PERSONAL = config.Personal(
    max_rounds=2, pairs_per_round=1, test_fraction=0.25, min_test_draws=2, n_trained_stages=1, threads=1
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
        """The rows of a number of runs of each control, or of a range of them, as one file."""
        runs = {kind: range(n) if isinstance(n, int) else n for kind, n in repeats.items()}
        path = self.folder / f"{name}.parquet"
        write_nulls(
            self.split, self.shard, self.features, self.generic, NETWORK, PERSONAL, self.arm, runs, 1, "d", "vote", path
        )
        return read_table(path, "nulls", digest="d").to_pylist()

    def null_runs(self, kind, n):
        return null_runs(kind, n, read_split(self.split), self.arm, PERSONAL, 1)

    def outputs_after(self, null, generic):
        """Outputs for all beats after the rounds of a run that start from `generic`."""
        beats = read_beats(self.shard, NETWORK)
        after = last_frozen_stage(self.arm, PERSONAL.n_trained_stages)
        inputs = read_inputs(self.features, self.shard, self.generic, beats.inputs, after)
        *_, (_, last) = train_null(null, generic, inputs, beats, NETWORK, self.arm, PERSONAL)
        return predict(last, inputs).numpy()

    def tested(self, outputs, null):
        """Own and moved labels of the run's test draws, and the mean logits of their beats."""
        label_of = {row["draw_id"]: row["label"] for row in read_split(self.split)["draws"]}
        draw_ids = read_beats(self.shard).draw_ids
        logits = np.array([outputs[draw_ids == draw].mean() for draw in null.split.test])
        own, moved = (np.array([of[draw] for draw in null.split.test]) for of in (label_of, null.relabel(label_of)))
        return own, moved, logits

    def metrics_of(self, network):
        """Metrics of a network on the test draws of the split."""
        beats, test = read_beats(self.shard, NETWORK), read_split(self.split)["test"]
        outputs = beat_logits(network, beats.inputs)
        return role_metrics(draw_predictions(outputs, beats.rows, dict.fromkeys(test, "test"), "vote"), "test")

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


def test_every_declared_negative_control_is_made():
    made = {*RUNS, *OTHER_PATIENTS}
    assert made == NEGATIVE_CONTROLS.keys()
    assert {kind for kind in made if NEGATIVE_CONTROLS[kind].trains} == RUNS.keys()


def test_each_run_has_a_seed_of_its_own(patient):
    rows = patient.nulls(shuffled=2, shifted=2, between_beats=1)
    assert [(row["kind"], row["repeat"]) for row in rows] == [
        ("shuffled", 0), ("shuffled", 1), ("shifted", 0), ("shifted", 1), ("between_beats", 0),
    ]  # fmt: skip
    assert len({row["seed"] for row in rows}) == 5
    assert {row["arm"] for row in rows} == {"paper"}


def test_the_same_runs_give_the_same_bytes_and_do_not_change_the_generic_model(patient):
    before = file_hash(patient.generic)
    patient.nulls("first", shuffled=1, shifted=1)
    patient.nulls("again", shuffled=1, shifted=1)
    assert (patient.folder / "first.parquet").read_bytes() == (patient.folder / "again.parquet").read_bytes()
    assert file_hash(patient.generic) == before


def test_a_run_does_not_depend_on_those_after_it(patient):
    assert patient.nulls(shuffled=3)[:1] == patient.nulls(shuffled=1)


def test_chunks_have_the_rows_that_all_runs_together_have(patient):
    n_runs = {"shuffled": 4, "shifted": 12, "between_beats": 5}
    chunks = chunks_of_runs(n_runs)
    assert list(chunks) == ["first", "shuffled-3", "shifted-3", "shifted-10", "between_beats-3"]
    rows = [row for name, runs in chunks.items() for row in patient.nulls(name, **runs)]
    assert len(rows) == 21

    def by_run(row):
        return row["kind"], row["repeat"]

    assert sorted(rows, key=by_run) == sorted(patient.nulls("together", **n_runs), key=by_run)


def test_a_chunk_that_the_arm_does_not_have_is_refused_in_one_line(patient):
    with pytest.raises(UserError, match=r"nulls\.parquet: the arm has no such runs") as error:
        patient.nulls()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("trained", ["last_stages", "all"])
def test_every_run_starts_from_the_generic_weights(patient, trained):
    patient.arm = dataclasses.replace(ARM, train=trained)
    generic, _ = load_generic(patient.generic, NETWORK)
    before = {name: tensor.clone() for name, tensor in generic.state_dict().items()}
    nulls = patient.null_runs("shuffled", 3)
    last = [patient.outputs_after(null, generic) for null in nulls][-1]
    assert all(torch.equal(before[name], tensor) for name, tensor in generic.state_dict().items())
    fresh = patient.outputs_after(nulls[2], load_generic(patient.generic, NETWORK)[0])
    np.testing.assert_array_equal(last, fresh)
    _, labels, logits = patient.tested(fresh, nulls[2])
    assert patient.nulls(shuffled=3)[2]["auc"] == area_under_roc(labels, logits)


def test_only_between_beats_keeps_the_labels(patient):
    split = read_split(patient.split)
    rounds, test = tuple(map(tuple, split["rounds"])), tuple(split["test"])
    label_of = {row["draw_id"]: row["label"] for row in split["draws"]}
    for kind in ("shuffled", "shifted"):
        nulls = patient.null_runs(kind, 5)
        assert sum(null.relabel(label_of) != label_of for null in nulls) >= 4
        assert sum(null.split.rounds != rounds for null in nulls) >= 4
    assert {null.split.test == test for null in patient.null_runs("shuffled", 5)} == {True}
    for null in patient.null_runs("between_beats", 2):
        assert (null.split.rounds, null.split.test, null.relabel(label_of)) == (rounds, test, label_of)


def test_a_run_is_trained_on_its_own_labels(patient):
    """With every pair reversed, the order of the test draws, which keep their labels, is reversed."""
    patient.arm = dataclasses.replace(ARM, train="all", epochs=30)
    (null,) = patient.null_runs("between_beats", 1)
    turned = {draw: other for pair in null.split.rounds for draw, other in zip(pair, pair[::-1], strict=True)}
    rounds = tuple(pair[::-1] for pair in null.split.rounds)
    inverted = NullRun(null.seed, Split(rounds, null.split.test), turned)
    aucs = []
    for each in (null, inverted):
        outputs = patient.outputs_after(each, load_generic(patient.generic, NETWORK)[0])
        _, labels, logits = patient.tested(outputs, each)
        aucs.append(area_under_roc(labels, logits))
    assert aucs == [1, 0]


def test_metrics_use_the_given_labels(patient):
    beats = read_beats(patient.shard)
    label_of = dict(zip(beats.draw_ids.tolist(), beats.rows["label"].to_pylist(), strict=True))
    outputs = np.array([2.0 * label_of[draw] - 1 for draw in beats.draw_ids.tolist()], np.float32)
    inverted = {draw: 1 - label for draw, label in label_of.items()}
    one_positive = dict.fromkeys(label_of, 0) | {min(label_of): 1}
    found = [score_with_labels(outputs, beats, labels, "vote") for labels in (label_of, inverted, one_positive)]
    assert [metrics["n_positive"] for metrics in found] == [6, 6, 1]
    assert [metrics["auc"] for metrics in found] == [1, 0, pytest.approx((6 + 5 / 2) / 11)]


def test_shifted_runs_are_tested_on_the_moved_labels(patient):
    patient.arm = dataclasses.replace(ARM, train="all", epochs=10)
    generic, _ = load_generic(patient.generic, NETWORK)
    rows, nulls = patient.nulls(shifted=5), patient.null_runs("shifted", 5)
    tested = [patient.tested(patient.outputs_after(null, generic), null) for null in nulls]
    for row, (_, moved, logits) in zip(rows, tested, strict=True):
        assert row["n_positive"] == np.sum(moved == 1)
        assert row["auc"] == area_under_roc(moved, logits)
    areas = [(area_under_roc(own, logits), area_under_roc(moved, logits)) for own, moved, logits in tested]
    assert any(own != pytest.approx(moved, abs=1e-6) for own, moved in areas)


@pytest.mark.parametrize("trained", ["head", "all", "from_scratch"])
def test_every_way_of_training_has_negative_controls(patient, trained):
    patient.arm = dataclasses.replace(ARM, train=trained)
    rows = patient.nulls(shuffled=1, between_beats=1)
    assert all(0 <= row["auc"] <= 1 for row in rows)


@pytest.mark.parametrize("protocol", ["paper", "forward"])
def test_shuffled_labels_are_permuted_among_the_training_draws(protocol):
    real = Split(((0, 2), (4, 6), (1, 3)), (8, 10))
    nulls = [shuffle_labels(real, DRAWS, protocol, seed) for seed in range(20)]
    for null in nulls:
        assert sorted(null.split.training_draws) == sorted(real.training_draws)
        assert null.split.test == real.test
        label = null.relabel({draw.draw_id: draw.label for draw in DRAWS})
        for positive, negative in null.split.rounds:
            assert (label[positive], label[negative]) == (1, 0)
        assert [label[draw] for draw in real.test] == [DRAWS[draw].label for draw in real.test]
    assert len({null.split.rounds for null in nulls}) > 10


@pytest.mark.parametrize("protocol", ["paper", "episode", "admission"])
def test_shuffled_pairs_are_in_random_order_if_the_protocol_has_no_order(protocol):
    """Each of four draws of a class is as often in the last round as in another."""
    real = Split(((0, 2), (4, 6), (1, 3), (5, 7)), (8, 10))
    last = [shuffle_labels(real, DRAWS, protocol, seed).split.rounds[-1] for seed in range(400)]
    counts = np.bincount(np.array(last).ravel(), minlength=8)
    assert counts.sum() == 800
    assert (np.abs(counts - 100) < 50).all()


def test_shuffled_rounds_are_in_the_order_of_time_under_forward():
    real = Split(((0, 2), (1, 3), (4, 6)), (8, 10))
    for seed in range(20):
        rounds = shuffle_labels(real, DRAWS, "forward", seed).split.rounds
        for earlier, later in pairwise(rounds):
            assert earlier[0] < later[0]
            assert earlier[1] < later[1]


@pytest.mark.parametrize("protocol", ["paper", "forward"])
def test_shuffled_rounds_are_as_large_as_the_real_ones(protocol):
    real = Split(((0, 2, 1, 3), (4, 6)), (8, 10))
    assert [len(pairs) for pairs in shuffle_labels(real, DRAWS, protocol, 1).split.rounds] == [4, 2]


@given(st.lists(st.integers(0, 1), min_size=4, max_size=30), st.integers(0, 30))
def test_shifted_labels_keep_their_runs(labels, steps):
    draws = [Draw(i, START + timedelta(hours=i), label) for i, label in enumerate(labels)]
    source = shift_labels(draws, steps % len(draws))
    moved = [labels[source[i]] for i in range(len(draws))]
    assert moved == list(np.roll(labels, steps))
    assert sum(a != b for a, b in zip(moved, moved[1:] + moved[:1], strict=True)) == sum(
        a != b for a, b in zip(labels, labels[1:] + labels[:1], strict=True)
    )


def test_shifts_repeat_only_after_all_were_used_and_then_in_another_order():
    rows = [dataclasses.asdict(draw) | {"time": draw.time.isoformat(), "segments": []} for draw in DRAWS]
    split = {"subject_id": SUBJECT, "arm": "paper", "rounds": [], "test": [], "draws": rows}
    n = len(possible_shifts(DRAWS, ARM, PERSONAL, 1, SUBJECT))
    runs = [null.label_source for null in null_runs("shifted", 2 * n, split, ARM, PERSONAL, 1)]
    first, second = ([source[DRAWS[0].draw_id] for source in cycle] for cycle in (runs[:n], runs[n:]))
    assert len(set(first)) == n > 3
    assert sorted(first) == sorted(second)
    assert first != second


def test_shifted_draws_are_split_by_the_protocol():
    arm = dataclasses.replace(ARM, protocol="forward", purge_hours=1.0)
    for null in possible_shifts(DRAWS, arm, PERSONAL, 1, SUBJECT):
        label = null.relabel({draw.draw_id: draw.label for draw in DRAWS})
        assert max(null.split.training_draws) < min(null.split.test)
        assert {label[draw] for draw in null.split.test} == {0, 1}
        for positive, negative in null.split.rounds:
            assert (label[positive], label[negative]) == (1, 0)


def test_between_beats_removes_all_waves():
    random = np.random.default_rng(1)
    tall, flat = simulated_beats(1, 5, random), simulated_beats(0, 5, random)
    tall[:, :20] = flat[:, :20]
    np.testing.assert_array_equal(tp_segment(tall), tp_segment(flat))
    np.testing.assert_allclose(tp_segment(tall)[:, :10].mean(axis=1), 0, atol=1e-6)


def test_between_beats_hides_the_heart_rate(patient):
    network = dataclasses.replace(NETWORK, rr_intervals=True)
    beats = read_beats(patient.shard, network)
    assert (tp_segment_inputs(beats, network)[:, -2:] == 1).all()
    assert tp_segment_inputs(beats, network).shape == beats.inputs.shape


def test_other_patients_are_sampled_without_the_patient():
    assert sample_other_patients(3, [1, 2, 3, 4], 9, 1) != []
    assert 3 not in sample_other_patients(3, [1, 2, 3, 4], 9, 1)
    assert len(sample_other_patients(3, [1, 2, 3, 4], 2, 1)) == 2


def test_a_cross_patient_run_is_the_other_patient_s_last_round_on_the_test_draws(tmp_path, generic):
    arm = dataclasses.replace(ARM, train="all", epochs=10, negative_controls={"stranger": 3})
    patients = [Patient(tmp_path, generic, subject, arm) for subject in (SUBJECT, OTHER)]
    rounds = [patient.last_round() for patient in patients]
    write_strangers(
        [patient.split for patient in patients], [patient.shard for patient in patients],
        [patient.features for patient in patients], rounds, generic, NETWORK, PERSONAL, arm,
        1, "", "vote", tmp_path / "cross_patient.parquet",
    )  # fmt: skip
    rows = read_table(tmp_path / "cross_patient.parquet", "nulls").to_pylist()
    assert [(row["subject_id"], row["seed"], row["repeat"]) for row in rows] == [
        (SUBJECT, OTHER, 0),
        (OTHER, SUBJECT, 0),
    ]
    by_generic = [patient.metrics_of(load_generic(generic, NETWORK)[0]) for patient in patients]
    by_stranger = [
        patient.metrics_of(load_round(round_, generic, NETWORK)[0])
        for patient, round_ in zip(patients, rounds[::-1], strict=True)
    ]
    assert [{name: row[name] for name in by_stranger[0]} for row in rows] == by_stranger
    pairs = zip(by_generic, by_stranger, strict=True)
    assert all(one != pytest.approx(other, abs=1e-6, nan_ok=True) for one, other in pairs)


@pytest.fixture
def arm_of_three(tmp_path, generic):
    """Three patients with their last rounds, and `write_strangers` on them: the rows, by patient."""
    patients = [Patient(tmp_path, generic, subject) for subject in (SUBJECT, OTHER, 200003)]
    rounds = {patient.subject: patient.last_round() for patient in patients}

    def rows(n):
        write_strangers(
            [patient.split for patient in patients], [patient.shard for patient in patients],
            [patient.features for patient in patients], list(rounds.values()), generic, NETWORK, PERSONAL,
            dataclasses.replace(ARM, negative_controls={"stranger": n}), 1, "", "vote",
            tmp_path / "cross_patient.parquet",
        )  # fmt: skip
        return read_table(tmp_path / "cross_patient.parquet", "nulls").to_pylist()

    return patients, rounds, rows


def test_every_pair_of_patients_is_scored(arm_of_three):
    patients, rounds, rows_of = arm_of_three
    rows = rows_of(5)
    assert {(row["subject_id"], row["seed"]) for row in rows} == set(itertools.permutations(rounds, 2))
    assert [(row["subject_id"], row["repeat"]) for row in rows] == [(s, repeat) for s in rounds for repeat in (0, 1)]
    n_test = {patient.subject: len(read_split(patient.split)["test"]) for patient in patients}
    assert [row["n_test"] for row in rows] == [n_test[row["subject_id"]] for row in rows]
    assert len(rows_of(1)) == 3


def test_a_cross_patient_run_scores_stored_features_as_it_scores_beats(arm_of_three):
    patients, rounds, rows_of = arm_of_three
    split_of = {patient.subject: read_split(patient.split) for patient in patients}
    by_subject = {patient.subject: patient for patient in patients}
    for row in rows_of(2):
        patient, split = by_subject[row["subject_id"]], split_of[row["subject_id"]]
        network = load_round(rounds[row["seed"]], patient.generic, NETWORK)[0]
        beats, inputs = read_test_inputs(split["test"], patient.shard, patient.features, patient.generic, NETWORK, 3)
        whole = beat_outputs(network, beats.inputs)
        np.testing.assert_allclose(predict(TrainableHead(network, 3), inputs).numpy(), whole, atol=1e-5)
        label_of = {draw["draw_id"]: draw["label"] for draw in split["draws"]}
        assert row.items() >= score_with_labels(whole, beats, label_of, "vote").items()


def test_an_arm_without_cross_patient_runs_is_refused(arm_of_three):
    with pytest.raises(UserError, match="the arm has no such negative control; add stranger"):
        arm_of_three[2](0)


def test_only_one_patient_s_beats_are_in_memory_at_a_time(arm_of_three, monkeypatch):
    held = []

    def watched(*arguments):
        assert [inputs() for inputs in held] == [None] * len(held)
        beats, inputs = read_test_inputs(*arguments)
        held.append(weakref.ref(inputs))
        return beats, inputs

    monkeypatch.setattr(kalemia.personal.cross_patient, "read_test_inputs", watched)
    arm_of_three[2](2)
    assert len(held) == 3
