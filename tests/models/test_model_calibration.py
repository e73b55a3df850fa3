"""Calibration of exported networks: on which draws it rests, and that its coverage is measured on others."""

from datetime import timedelta

import numpy as np
import pytest

from beat_shards import START, write_split
from kalemia.core.paths import ResultPaths, subject_name
from kalemia.core.seeds import rng
from kalemia.core.tables import table_from_rows, write_table
from kalemia.models.calibration import Calibration, Coverage, calibrate_arm, calibrate_generic, calibrate_personal
from kalemia.stats.prediction_sets import fit_platt, fit_set_bounds

ARM = "forward"
PATIENTS = (10013, 11442, 12108)


def _prediction(subject, draw, role, logit):
    """A row of a predictions table; draws with even numbers are positive, as `write_split` has it."""
    about = {"subject_id": subject, "draw_id": draw, "draw_time": START + timedelta(hours=6 * (draw % 1000))}
    return about | {"label": 1 - draw % 2, "role": role, "n_beats": 1, "votes": 0, "logit": logit, "decision": 0}


def _logit(subject, draw, round_):
    """What the network of a round says of a draw: another number for each."""
    return 2.0 * (1 - draw % 2) - 1 + rng(1, "logit", subject, draw, round_).normal(0, 1)


def _write_patient(study, paths, subject, n_rounds, n_test=6):
    """The split and the predictions of every round of a patient."""
    pairs = [(subject * 1000 + 2 * k, subject * 1000 + 2 * k + 1) for k in range(n_rounds)]
    first = subject * 1000 + 2 * n_rounds
    test = list(range(first, first + n_test))
    folder = paths.arm_file(ARM, subject_name(subject), "")
    write_split(f"{folder}split.json", subject, pairs, test, ARM)
    for round_ in range(n_rounds + 1):
        learned = [draw for pair in pairs[:round_] for draw in pair]
        roles = dict.fromkeys([draw for pair in pairs for draw in pair], "other") | dict.fromkeys(learned, "train")
        roles |= dict.fromkeys(test, "test")
        rows = [_prediction(subject, draw, role, _logit(subject, draw, round_)) for draw, role in roles.items()]
        path = paths.round_file(ARM, subject_name(subject), round_, "predictions.parquet")
        digest = study.digest("baselines") if round_ == 0 else study.arm_digest(ARM)
        write_table(path, "predictions", table_from_rows("predictions", rows), digest)
    return {"arm": ARM, "subject_id": subject, "rounds": n_rounds, "reason": None}


def _write_arm(study, paths, rounds_of):
    rows = [_write_patient(study, paths, subject, n) for subject, n in rounds_of.items()]
    write_table(paths("personal/arms.parquet"), "arms", table_from_rows("arms", rows))


@pytest.fixture
def paths(tmp_path):
    return ResultPaths(tmp_path)


@pytest.fixture
def study_here(study, tmp_path):
    import dataclasses

    return dataclasses.replace(study, results=str(tmp_path))


def _learned(subject, n_rounds):
    """Draws and logits of the second round's pair on, each by the network of the round before."""
    draws = [(subject * 1000 + 2 * k + i, k) for k in range(1, n_rounds) for i in (0, 1)]
    return np.array([1 - draw % 2 for draw, _ in draws]), np.array([_logit(subject, draw, k) for draw, k in draws])


def test_with_few_own_draws_it_rests_on_what_the_networks_of_others_said_before_they_learned(study_here, paths):
    _write_arm(study_here, paths, dict.fromkeys(PATIENTS, 6))
    found = calibrate_personal(study_here, paths, ARM, PATIENTS[0], 6, None)
    labels, logits = (np.concatenate(parts) for parts in zip(*(_learned(p, 6) for p in PATIENTS[1:]), strict=True))
    assert (found.source, found.n_positive, found.n_negative, found.n_patients) == ("other patients", 10, 10, 2)
    assert found.bounds == fit_set_bounds(logits, labels, 0.9)
    assert found.scale == fit_platt(logits, labels)
    assert (found.coverage.n, found.coverage.n_patients) == (18, 3)
    assert (found.own_coverage.n, found.own_coverage.low) == (6, None)


def test_with_enough_own_draws_it_rests_on_them(study_here, paths):
    _write_arm(study_here, paths, dict(zip(PATIENTS, (12, 6, 6), strict=True)))
    found = calibrate_personal(study_here, paths, ARM, PATIENTS[0], 12, None)
    labels, logits = _learned(PATIENTS[0], 12)
    assert (found.source, found.n_positive, found.n_negative, found.n_patients) == ("patient", 11, 11, 1)
    assert found.bounds == fit_set_bounds(logits, labels, 0.9)
    assert found.coverage is None
    assert found.own_coverage.n == 6


def test_an_earlier_round_knows_nothing_of_later_draws_of_its_patient(study_here, paths):
    """At round 4 the patient has too few draws of its own, whatever it learns later."""
    _write_arm(study_here, paths, dict(zip(PATIENTS, (12, 6, 6), strict=True)))
    found = calibrate_personal(study_here, paths, ARM, PATIENTS[0], 4, None)
    assert (found.source, found.n_positive) == ("other patients", 10)


def test_too_few_draws_calibrate_nothing(study_here, paths):
    _write_arm(study_here, paths, dict.fromkeys(PATIENTS, 5))
    assert calibrate_personal(study_here, paths, ARM, PATIENTS[0], 5, None) is None


def test_a_patient_without_others_takes_the_calibration_of_the_generic_networks_study(study_here, paths):
    _write_arm(study_here, paths, dict.fromkeys(PATIENTS, 6))
    population = calibrate_arm(study_here, paths, ARM)
    labels, logits = (np.concatenate(parts) for parts in zip(*(_learned(p, 6) for p in PATIENTS), strict=True))
    assert (population.source, population.n_patients, population.coverage.n) == ("population", 3, 18)
    assert population.bounds == fit_set_bounds(logits, labels, 0.9)
    _write_arm(study_here, paths, {PATIENTS[0]: 5})
    found = calibrate_personal(study_here, paths, ARM, PATIENTS[0], 5, population)
    assert (found.bounds, found.coverage) == (population.bounds, population.coverage)
    assert found.own_coverage.n == 6


def test_coverage_counts_the_test_draws_whose_label_is_in_their_set(study_here, paths):
    _write_arm(study_here, paths, dict.fromkeys(PATIENTS, 6))
    found = calibrate_personal(study_here, paths, ARM, PATIENTS[0], 6, None)
    test = range(PATIENTS[0] * 1000 + 12, PATIENTS[0] * 1000 + 18)
    sets = [found.prediction_set(_logit(PATIENTS[0], draw, 6)) for draw in test]
    hits = [1 - draw % 2 in held for draw, held in zip(test, sets, strict=True)]
    assert found.own_coverage.share == pytest.approx(np.mean(hits))
    assert found.own_coverage.single == pytest.approx(np.mean([len(held) == 1 for held in sets]))


def test_a_generic_network_rests_on_validation_draws_and_is_measured_on_test_draws(study_here, paths):
    roles = ["validation"] * 20 + ["test"] * 10 + ["train"] * 4
    rows = [_prediction(i, i, role, _logit(i, i, 0)) for i, role in enumerate(roles)]
    table = table_from_rows("predictions", rows)
    write_table(paths("generic/predictions.parquet"), "predictions", table, study_here.digest("generic"))
    found = calibrate_generic(study_here, paths)
    assert isinstance(found, Calibration)
    assert (found.source, found.n_positive, found.n_negative) == ("validation", 10, 10)
    assert isinstance(found.coverage, Coverage)
    assert (found.coverage.n, found.coverage.n_patients) == (10, 10)
    assert found.own_coverage is None


def test_probabilities_and_sets_follow_the_logit(study_here, paths):
    _write_arm(study_here, paths, dict.fromkeys(PATIENTS, 6))
    found = calibrate_personal(study_here, paths, ARM, PATIENTS[0], 6, None)
    probabilities = [found.probability(logit) for logit in (-9.0, 0.0, 9.0)]
    assert probabilities == sorted(probabilities)
    assert (found.prediction_set(-9.0), found.prediction_set(9.0)) == ((0,), (1,))
