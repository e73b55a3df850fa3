"""Test draws with a treatment against those without."""

import numpy as np
import pytest

from kalemia.evaluation.patient_scores import ScoredDraws
from kalemia.evaluation.specificity.treated_draws import compare_treated, score_difference, treatments_by_draw

VALUES = np.array([4.0, 4.5, 5.0, 5.8, 6.2, 6.6, 4.2, 6.0])
TREATED = np.array([1, 0, 1, 0, 1, 0, 0, 1], bool)


def _test(first_id, logits):
    ids = np.arange(first_id, first_id + len(VALUES))
    scores = np.array([logits, logits])
    return ScoredDraws(ids, (VALUES > 5.5).astype(int), VALUES, ids, scores, scores, {})


def test_scores_that_follow_potassium_alone_do_not_differ():
    assert score_difference(3 * VALUES - 2, VALUES, TREATED) == pytest.approx(0, abs=1e-9)


def test_what_a_treatment_adds_to_the_score_is_found_in_sds():
    scores = VALUES - 2.0 * TREATED
    assert score_difference(scores, VALUES, TREATED) == pytest.approx(-2.0 / scores.std())


def test_a_score_that_levels_off_differs_though_it_follows_potassium_alone():
    """As docs/method.md and the page say: treated draws have more potassium, and the line does not fit."""
    random, found = np.random.default_rng(1), []
    for _ in range(200):
        values = random.normal(5.2, 1, 21)
        treated = random.random(21) < 1 / (1 + np.exp(-2 * (values - 6)))
        found.append(score_difference(np.tanh(2 * (values - 5.25)), values, treated))
    assert np.nanmean(found) > 0.05


@pytest.mark.parametrize("treated", [np.arange(8) < 1, np.arange(8) < 7, np.zeros(8, bool)])
def test_too_few_draws_of_a_kind_give_no_difference(treated):
    assert np.isnan(score_difference(VALUES, VALUES, treated))


def test_where_values_tell_treated_draws_there_is_no_difference():
    values = np.where(TREATED, 6.0, 4.0)
    assert np.isnan(score_difference(np.arange(8.0), values, TREATED))


def test_each_kind_of_draws_has_its_own_auc():
    right_if_untreated = np.where(TREATED, -VALUES, VALUES)
    tests = [_test(0, right_if_untreated), _test(100, VALUES)]
    given = {draw: bool(treated) for first in (0, 100) for draw, treated in enumerate(TREATED, first)}
    found = compare_treated(tests, given)
    assert (found["draws"], found["patients"], found["score_patients"]) == (8, 2, 2)
    assert (found["auc_treated"], found["auc_untreated"]) == (0.5, 1.0)
    assert found["difference"] == -0.5
    assert found["difference_lower"] < -0.5 < found["difference_upper"]


def test_draws_of_which_nobody_knows_count_on_neither_side():
    found = compare_treated([_test(0, VALUES)], {0: True, 1: False})
    assert (found["draws"], found["patients"], found["score_patients"]) == (1, 0, 0)
    assert np.isnan(found["difference"])


def test_any_treatment_is_known_if_one_was_given_or_all_are_known_not_to_be():
    rows = [
        {"draw_id": 1, "calcium": None, "insulin": True, "bicarbonate": False, "dialysis": False},
        {"draw_id": 2, "calcium": None, "insulin": False, "bicarbonate": False, "dialysis": False},
        {"draw_id": 3, "calcium": False, "insulin": False, "bicarbonate": False, "dialysis": False},
    ]
    found = treatments_by_draw(rows)
    assert found["any"] == {1: True, 3: False}
    assert found["calcium"] == {3: False}
    assert found["insulin"] == {1: True, 2: False, 3: False}
