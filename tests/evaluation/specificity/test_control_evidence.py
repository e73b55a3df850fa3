"""Other analytes are judged by the rule of claim 1, and compared with the study's own patient by patient."""

import dataclasses

import numpy as np
import pytest

from kalemia.core.config import Arm, Verdict
from kalemia.evaluation.specificity.control_evidence import evidence_rows, judge_controls, rank_correlation

N_PATIENTS, N_SHIFTED = 12, 19


@pytest.fixture
def with_sodium(study):
    arms = {"rolling": Arm(protocol="rolling", negative_controls={"shifted": N_SHIFTED})}
    return dataclasses.replace(study, arms=arms, verdict=Verdict(arm="rolling"), controls=("sodium",))


def _runs(subject, auc, shifted, n_shifted=N_SHIFTED):
    about = {"arm": "rolling", "subject_id": subject, "control": "sodium", "test_runs": 5, "reason": None}
    about |= {"n_test": 18, "n_positive": 8}
    own = about | {"kind": "own", "repeat": 0, "auc": auc}
    return [own, *(about | {"kind": "shifted", "repeat": i, "auc": shifted} for i in range(n_shifted))]


def _own(subject, auc, shifted):
    row = {"subject_id": subject, "rolling": True, "test_runs": 5, "n_positive": 8, "n_negative": 10}
    return row | {"auc": auc, "auc_shifted": shifted, "n_shifted": N_SHIFTED}


def _judged(study, gain_of_sodium, gain_of_potassium):
    spread = np.linspace(-0.05, 0.05, N_PATIENTS)
    runs = [run for i in range(N_PATIENTS) for run in _runs(i, 0.5 + gain_of_sodium + spread[i], 0.5)]
    own = [_own(i, 0.5 + gain_of_potassium + spread[::-1][i], 0.5) for i in range(N_PATIENTS)]
    return judge_controls(own, evidence_rows(runs, {"sodium": {0: -0.5, 1: -0.3}}, study), study)["controls"]["sodium"]


def test_an_analyte_that_is_read_as_well_is_shown_by_the_rule_of_the_claim(with_sodium):
    found = _judged(with_sodium, 0.2, 0.25)
    assert found["state"] == "shown"
    assert found["comparison"]["difference"] == pytest.approx(0.2)
    assert found["own_less_control"]["difference"] == pytest.approx(0.05)
    assert found["own_less_control"]["patients"] == N_PATIENTS
    assert found["correlation"] == pytest.approx(-0.4)


def test_an_analyte_that_is_not_read_is_excluded_and_read_less(with_sodium):
    found = _judged(with_sodium, 0.0, 0.3)
    assert found["state"] == "excluded"
    assert found["own_less_control"]["state"] == "shown"
    assert 0.2 < found["own_less_control"]["lower"] < 0.3


def test_a_patient_with_too_few_shifted_runs_counts_on_neither_side(with_sodium):
    runs = _runs(1, 0.8, 0.5) + _runs(2, 0.8, 0.5, n_shifted=18)
    rows = evidence_rows(runs, {}, with_sodium)
    found = judge_controls([_own(1, 0.9, 0.5), _own(2, 0.9, 0.5)], rows, with_sodium)["controls"]["sodium"]
    assert (found["comparison"]["patients"], found["own_less_control"]["patients"]) == (1, 1)
    assert found["state"] == "open"


def test_a_patient_without_both_classes_is_told(with_sodium):
    why = "its draws do not have both classes of sodium"
    alone = {"arm": "rolling", "subject_id": 3, "control": "sodium", "kind": "own", "repeat": 0, "reason": why}
    alone |= dict.fromkeys(("auc", "test_runs", "n_test", "n_positive"))
    rows = evidence_rows([*_runs(1, 0.8, 0.5), alone], {}, with_sodium)
    assert [(row["subject_id"], row["n_positive"], row["n_negative"]) for row in rows] == [(1, 8, 10), (3, None, None)]
    found = judge_controls([_own(3, 0.9, 0.5)], rows, with_sodium)["controls"]["sodium"]
    assert found["without"] == {3: why}
    assert found["own_less_control"]["patients"] == 0


def test_a_rank_correlation_by_hand():
    assert rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([140.0, 139.0, 130.0, 120.0])) == pytest.approx(-1)
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([5.0, 9.0, 7.0])) == pytest.approx(0.5)
    for values in (np.ones(5), np.arange(2.0)):
        assert np.isnan(rank_correlation(np.arange(len(values), dtype=float), values))
