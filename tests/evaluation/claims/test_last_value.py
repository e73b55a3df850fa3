import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.evaluation.claims.last_value import KnownDraws, concordances
from kalemia.stats.draw_metrics import area_under_roc, concordance

EMPTY = KnownDraws(*np.empty((3, 0)))


def _patients(n, with_score, with_last, seed=1):
    """Patients whose score and last value each carry a part of the value that the other lacks."""
    random = np.random.default_rng(seed)
    patients = []
    for _ in range(n):
        values, noise = random.standard_normal(20), random.standard_normal((2, 20))
        patients.append(
            KnownDraws(5 + values, 5 + with_last * values + noise[0], 50 * (with_score * values + noise[1]))
        )
    return patients


def test_a_concordance_by_hand():
    assert concordance(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 5.0, 4.0, 4.0])) == pytest.approx(3.5 / 5)
    assert np.isnan(concordance(np.array([2.0, 2.0]), np.array([0.0, 1.0])))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=2, max_size=20))
def test_of_two_values_a_concordance_is_an_auc(rows):
    labels, scores = np.array(rows).T
    assert concordance(labels, scores) == pytest.approx(area_under_roc(labels, scores), nan_ok=True)


def test_two_sources_together_are_better_than_one():
    alone, together = concordances(_patients(12, with_score=1.0, with_last=1.0))
    assert np.mean(together - alone) > 0.04


def test_a_score_of_noise_adds_nothing():
    alone, together = concordances(_patients(30, with_score=0.0, with_last=1.0))
    assert abs(np.mean(together - alone)) < 0.01


def test_a_last_value_that_counts_downward_gives_a_score_of_noise_no_gain():
    """Where a high value is followed by a low one, as by dialysis, its sign is no merit of the ECG."""
    alone, together = concordances(_patients(30, with_score=0.0, with_last=-1.0))
    assert alone.mean() > 0.7
    assert abs(np.mean(together - alone)) < 0.01


def test_no_draw_has_a_part_in_its_own_prediction():
    patients = _patients(4, 1.0, 1.0)
    _, together = concordances(patients)
    opposite = dataclasses.replace(patients[0], values=-patients[0].values)
    _, other = concordances([opposite, *patients[1:]])
    assert other[0] == pytest.approx(1 - together[0])  # predicted alike, whatever the patient's own values


def test_the_scale_of_a_network_does_not_matter():
    patients = _patients(4, 1.0, 1.0)
    scaled = [dataclasses.replace(one, scores=7.0 * one.scores + 3) for one in patients]
    assert concordances(scaled)[1] == pytest.approx(concordances(patients)[1])


def test_a_single_patient_has_no_weights():
    assert np.isnan(concordances(_patients(1, 1.0, 1.0))).all()


def test_a_patient_without_a_known_value_is_unknown_and_changes_nothing():
    patients = _patients(4, 1.0, 1.0)
    alone, together = concordances([*patients, EMPTY])
    assert np.isnan([alone[-1], together[-1]]).all()
    assert together[:-1] == pytest.approx(concordances(patients)[1])
    assert np.isnan(concordances([EMPTY, EMPTY])).all()


def test_scores_that_are_all_equal_add_nothing():
    patients = [dataclasses.replace(one, scores=np.zeros(20)) for one in _patients(4, 1.0, 1.0)]
    alone, together = concordances(patients)
    assert together == pytest.approx(alone)
