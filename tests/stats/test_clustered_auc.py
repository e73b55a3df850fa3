"""Differences of AUC with intervals over people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.stats.clustered_auc import auc_difference, placements
from kalemia.stats.draw_metrics import area_under_roc


def test_placements_by_hand():
    labels, scores = np.array([1, 1, 0, 0, 0]), np.array([2.0, 1.0, 1.0, 0.0, 3.0])
    np.testing.assert_allclose(placements(labels, scores), [2 / 3, 1 / 2, 3 / 4, 1, 0])


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=2).filter(lambda x: len({a for a, _ in x}) == 2)
)
def test_placements_average_to_the_area_over_either_class(pairs):
    labels, scores = np.array(pairs).T
    placed = placements(labels, scores)
    for label in (0, 1):
        assert placed[labels == label].mean() == pytest.approx(area_under_roc(labels, scores))


def test_with_one_draw_a_person_the_interval_is_that_of_delong():
    random = np.random.default_rng(3)
    labels = np.repeat([1, 0], [400, 600])
    one, other = random.normal(labels, 1.0), random.normal(0.5 * labels, 1.0)
    found = auc_difference(labels, one, other, np.arange(1000))
    excess = placements(labels, one) - placements(labels, other)
    variance = sum(np.var(excess[labels == label], ddof=1) / np.sum(labels == label) for label in (1, 0))
    assert found.difference == pytest.approx(area_under_roc(labels, one) - area_under_roc(labels, other))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.sqrt(variance), rel=0.01)


def test_the_same_draws_repeated_make_nobody_surer():
    random = np.random.default_rng(4)
    labels, person = np.repeat([1, 0], 12), np.arange(24)
    one, other = random.normal(labels, 1.0), random.normal(size=24)
    once = auc_difference(labels, one, other, person)
    often = auc_difference(*(np.repeat(column, 5) for column in (labels, one, other, person)))
    np.testing.assert_allclose(often, once)


def test_without_variation_or_two_people_of_each_class_there_is_no_interval():
    labels = np.array([1, 1, 0, 0])
    perfect = auc_difference(labels, labels * 1.0, labels * 2.0, np.arange(4))
    assert perfect.difference == pytest.approx(0)
    assert np.isnan(perfect[1:]).all()
    assert np.isnan(auc_difference(labels, np.arange(4.0), np.zeros(4), np.array([0, 0, 1, 2])).low)


@pytest.mark.slow
def test_a_true_difference_of_zero_is_excluded_in_one_of_twenty():
    random = np.random.default_rng(5)
    labels, person, excluded = np.repeat([1, 0], [20, 60]), np.repeat(np.arange(40), 2), 0
    for _ in range(1000):
        scores = [labels + random.normal(size=40)[person] + 0.5 * random.normal(size=80) for _ in range(2)]
        excluded += auc_difference(labels, *scores, person).excludes_zero
    assert 30 <= excluded <= 75
