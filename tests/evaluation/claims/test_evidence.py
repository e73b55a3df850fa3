from datetime import datetime, timedelta

import numpy as np
import pytest

from kalemia.evaluation.claims.evidence import _with_last_value, count_test_runs
from kalemia.evaluation.patient_scores import PatientArmScores, ScoredDraws

START = datetime(2150, 1, 1)


def _trial(subject, labels, logit):
    labels, n = np.array(labels), len(labels)
    decisions = {"vote": np.zeros((2, n), np.int8)}
    scores = np.array([np.zeros(n), logit])
    draws = ScoredDraws(np.arange(n) + 100 * subject, labels, np.arange(n), scores, scores, decisions)
    return PatientArmScores("forward", subject, draws, np.ones(n, bool))


def _split(labels, test, admissions=None):
    draws = [
        {
            "draw_id": i,
            "time": (START + timedelta(hours=i)).isoformat(),
            "label": label,
            "recording": "a",
            "admission": admissions[i] if admissions else 1,
            "segments": [],
            "r_samples": [],
        }
        for i, label in enumerate(labels)
    ]
    return {"test": test, "draws": draws}


@pytest.mark.parametrize(
    ("labels", "test", "runs"),
    [
        ([0, 1, 1, 0, 0, 1], [1, 2, 3, 4, 5], 3),
        ([0, 1, 1, 0, 0, 1], [2, 3], 2),
        ([1, 0, 1, 0, 1], [0, 2, 4], 1),  # draws between them that are not tested do not divide a run
        ([1, None, 1, 0], [0, 2, 3], 2),
        ([1, 0], [], 0),
    ],
)
def test_runs_of_the_test_are_counted_in_the_order_of_time(labels, test, runs):
    assert count_test_runs(_split(labels, test)) == runs


def test_a_run_ends_with_its_admission():
    assert count_test_runs(_split([1, 1, 0], [0, 1, 2], admissions=[1, 2, 2])) == 3


def _patients(n, with_score, with_last, seed=1):
    """Patients whose network and last value each carry a part of the label that the other lacks."""
    random = np.random.default_rng(seed)
    trials, last = [], []
    for subject in range(n):
        labels = random.permutation([0, 1] * 10)
        signal = 2.0 * labels - 1
        trial = _trial(subject, labels, 50 * (with_score * signal + random.standard_normal(20)))
        values = with_last * signal + random.standard_normal(20)
        trials.append(trial)
        last.append(dict(zip(trial.test.ids.tolist(), values.tolist(), strict=True)))
    return trials, last


def test_two_sources_together_are_better_than_one():
    alone, together = _with_last_value(*_patients(12, with_score=1.0, with_last=1.0))
    assert np.mean(together - alone) > 0.05


def test_a_score_of_noise_adds_nothing():
    alone, together = _with_last_value(*_patients(30, with_score=0.0, with_last=1.0))
    assert abs(np.mean(together - alone)) < 0.01


def test_no_test_draw_has_a_part_in_its_own_weights():
    trials, last = _patients(4, 1.0, 1.0)
    _, together = _with_last_value(trials, last)
    flipped = _trial(0, 1 - trials[0].test.labels, trials[0].test.logit[-1])
    _, other = _with_last_value([flipped, *trials[1:]], last)
    assert other[0] == pytest.approx(1 - together[0])  # the same score, whatever the patient's own labels


def test_a_single_patient_has_no_weights():
    alone, together = _with_last_value(*_patients(1, 1.0, 1.0))
    assert np.isfinite(alone).all()
    assert np.isnan(together).all()


def test_the_scale_of_a_network_does_not_matter():
    trials, last = _patients(4, 1.0, 1.0)
    scaled = [_trial(t.subject_id, t.test.labels, 7.0 * t.test.logit[-1] + 3) for t in trials]
    assert _with_last_value(trials, last)[1] == pytest.approx(_with_last_value(scaled, last)[1])
