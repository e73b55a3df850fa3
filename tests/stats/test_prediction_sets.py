"""Platt scaling and conformal sets, on known answers and over many random draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.stats.logistic_regression import sigmoid
from kalemia.stats.prediction_sets import fit_platt, fit_set_bounds, smallest_class


def _draws(n, seed, slope=1.0, offset=0.0):
    """Logits whose probability is sigmoid(slope * logit + offset)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, n)
    return logits, (random.random(n) < sigmoid(slope * logits + offset)).astype(int)


def test_the_scale_of_many_draws_is_the_true_one():
    scale = fit_platt(*_draws(200_000, 1, slope=0.4, offset=-0.7))
    assert (scale.slope, scale.offset) == pytest.approx((0.4, -0.7), abs=0.02)


def test_classes_that_are_apart_have_the_probabilities_of_platts_targets():
    scale = fit_platt(np.array([-5.0, -5.0, 5.0, 5.0, 5.0]), np.array([0, 0, 1, 1, 1]))
    assert scale.probability(np.array([-5.0, 5.0])) == pytest.approx([1 / 4, 4 / 5], abs=1e-4)


def test_a_network_that_is_wrong_is_not_turned_around():
    logits = np.array([-1.0, -2.0, 1.0, 2.0, 3.0])
    scale = fit_platt(logits, np.array([1, 1, 0, 0, 0]))
    assert scale.slope == 0
    assert scale.probability(9.0) == pytest.approx((2 * 3 / 4 + 3 * 1 / 5) / 5)


def test_bounds_are_the_ranks_of_the_theorem():
    """Of 19 draws at 90% rank 18 counts: one negative draw may lie above, one positive below."""
    negative, positive = np.arange(19.0), np.arange(100.0, 119.0)
    labels = np.repeat([0, 1], 19)
    bounds = fit_set_bounds(np.concatenate([negative, positive]), labels, 0.9)
    assert (bounds.negative_to, bounds.positive_from) == (17.0, 101.0)
    assert [held.tolist() for held in bounds.holds(np.array([17.0, 50.0, 101.0]))] == [
        [True, False, False],
        [False, False, True],
    ]


@pytest.mark.parametrize(("level", "n"), [(0.9, 9), (0.8, 4), (0.95, 19)])
def test_one_draw_fewer_than_the_smallest_class_is_too_few(level, n):
    assert smallest_class(level) == n
    labels = np.repeat([0, 1], n)
    fit_set_bounds(np.arange(2.0 * n), labels, level)
    with pytest.raises(ValueError, match="too few"):
        fit_set_bounds(np.arange(2.0 * n - 1), labels[1:], level)


@given(st.integers(0, 2**32 - 1))
def test_bounds_do_not_depend_on_the_order_of_draws(seed):
    logits, labels = _draws(200, seed)
    order = np.random.default_rng(seed).permutation(200)
    assert fit_set_bounds(logits, labels, 0.9) == fit_set_bounds(logits[order], labels[order], 0.9)


def test_new_draws_of_each_class_are_covered_as_often_as_the_sets_say():
    """Over 400 calibrations on 30 draws of each class; the theorem gives 90.3%, rank 28 of 31."""
    covered = []
    for seed in range(400):
        random = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 30)
        logits = random.normal(labels * 1.5, 1)
        bounds = fit_set_bounds(logits, labels, 0.9)
        new_labels = np.repeat([0, 1], 200)
        held = np.stack(bounds.holds(random.normal(new_labels * 1.5, 1)))
        covered.append([held[label][new_labels == label].mean() for label in (0, 1)])
    assert np.mean(covered, axis=0) == pytest.approx([28 / 31, 28 / 31], abs=0.01)
