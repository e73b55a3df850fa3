from datetime import datetime, timedelta

import numpy as np
import pytest

from kalemia.evaluation.claims.evidence import _known_draws
from kalemia.evaluation.patient_scores import PatientArmScores, ScoredDraws
from kalemia.personal.splits import count_test_runs

START = datetime(2150, 1, 1)


def _trial(labels, logit):
    ids, scores = np.arange(len(labels)), np.array([np.zeros(len(labels)), logit])
    decisions = {"vote": np.zeros(scores.shape, np.int8)}
    draws = ScoredDraws(ids, np.array(labels), 4.0 + ids / 10, ids, scores, scores, decisions)
    return PatientArmScores("rolling", 7, draws, draws.labels >= 0)


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


def test_every_draw_of_the_period_with_a_last_value_counts_labeled_or_not():
    split = _split([0, 1, None, 0, None, 1], test=[3, 5]) | {"protocol": "rolling", "rounds": [[1, 0]]}
    split["predicted_by"] = {"2": 1, "3": 1, "4": 1, "5": 1}
    trial = _trial([0, 1, -1, 0, -1, 1], logit=np.arange(6.0))
    known = _known_draws(trial, split, {draw: 5.0 + draw for draw in (1, 2, 3, 5)})
    assert known.scores.tolist() == [2.0, 3.0, 5.0]
    assert known.last_values.tolist() == [7.0, 8.0, 10.0]
    assert known.values.tolist() == [4.2, 4.3, 4.5]
