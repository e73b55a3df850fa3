import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.stats.clustered_shares import share_difference


def _people(*counts):
    return [np.array(column) for column in zip(*counts, strict=True)]


def test_many_people_with_one_draw_have_newcombes_interval():
    """Newcombe 1998, table II, example (a): 56 of 70 less 48 of 80 is 0.2 (0.0524 to 0.3339); t is wider."""
    people = [(1, 1, 0, 0)] * 56 + [(0, 1, 0, 0)] * 14 + [(0, 0, 1, 1)] * 48 + [(0, 0, 0, 1)] * 32
    found = share_difference(*_people(*people))
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=0.005), pytest.approx(0.3339, abs=0.005))
    assert found.high - found.low > 0.3339 - 0.0524
    assert found.excludes_zero


def test_losses_that_people_have_whole_are_less_certain_than_scattered_ones():
    scattered = _people(*[(2, 10, 1, 10)] * 10)
    whole = _people(*[(10, 10, 0, 10)] * 2, *[(0, 10, 10, 10)] * 1, *[(0, 10, 0, 10)] * 7)
    found = [share_difference(*people) for people in (scattered, whole)]
    assert [one.difference for one in found] == [pytest.approx(0.1)] * 2
    assert found[1].high - found[1].low > 2 * (found[0].high - found[0].low)


def test_a_loss_that_people_share_between_classes_is_no_difference():
    same = share_difference(*_people((5, 10, 5, 10), (1, 10, 1, 10), (0, 10, 0, 10)))
    assert same.difference == pytest.approx(0)
    assert not same.excludes_zero


def test_nothing_lost_has_no_interval_and_a_class_without_draws_no_difference():
    none_lost = share_difference(*_people((0, 5, 0, 6), (0, 4, 0, 2)))
    assert none_lost.difference == pytest.approx(0)
    assert np.isnan([none_lost.low, none_lost.high]).all()
    assert np.isnan(share_difference(*_people((1, 5, 0, 0), (0, 4, 0, 0)))).all()
    assert np.isnan(share_difference(*_people((1, 5, 0, 6)))[1:]).all()
    assert not none_lost.excludes_zero


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=2, max_size=9))
def test_the_interval_holds_the_difference_and_turns_with_the_classes(people):
    hits, more, other_hits, other_more = _people(*people)
    one, other = (hits, hits + more), (other_hits, other_hits + other_more)
    found, turned = share_difference(*one, *other), share_difference(*other, *one)
    if np.isfinite(found.low):
        assert found.low <= found.difference <= found.high
    np.testing.assert_allclose([found.low, found.high], [-turned.high, -turned.low], atol=1e-12)


def test_the_interval_of_people_who_differ_holds_the_truth_about_as_often_as_stated():
    random = np.random.default_rng(5)
    covered, runs = 0, 400
    for _ in range(runs):
        draws, other_draws = random.integers(5, 40, 16), random.integers(10, 80, 16)
        lost = random.beta(0.4, 3.6, 16)  # a tenth, unlike from person to person
        found = share_difference(random.binomial(draws, lost), draws, random.binomial(other_draws, lost), other_draws)
        covered += not found.excludes_zero
    assert 0.9 <= covered / runs <= 0.98
