from fractions import Fraction
from functools import partial
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from kalemia.stats.draw_metrics import area_under_roc
from kalemia.stats.tests_and_intervals import (
    auc_interval,
    bootstrap_counts,
    bootstrap_indices,
    clopper_pearson,
    effective_sample_size,
    expanded_interval,
    holm,
    intraclass_correlation,
    mann_whitney,
    percentile_interval,
    wilcoxon,
)

values = st.lists(st.integers(-9, 9), min_size=1, max_size=9)


@given(values, values)
@settings(deadline=None)
def test_u_counts_the_pairs_that_are_won(one, other):
    u, p = mann_whitney(np.array(one, float), np.array(other, float))
    assert u == sum((a > b) + 0.5 * (a == b) for a, b in product(one, other))
    assert 0 <= p <= 1


def test_mann_whitney_is_exact_over_all_ways_to_deal_out_the_values():
    one, other = np.array([0.1, 2.0, 3.5]), np.array([1.0, 4.0, 5.0, 6.0, 7.0])
    u, p = mann_whitney(one, other)
    everything = np.concatenate([one, other])
    us = []
    for mine in combinations(range(8), 3):
        rest = [i for i in range(8) if i not in mine]
        us.append(sum(everything[i] > everything[j] for i, j in product(mine, rest)))
    as_far = np.abs(np.array(us) - 7.5) >= abs(u - 7.5)
    assert p == pytest.approx(as_far.mean())


def test_nothing_to_compare_has_no_p():
    assert np.isnan(mann_whitney(np.empty(0), np.array([1.0]))).all()
    assert np.isnan(wilcoxon(np.empty(0))).all()


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9).filter(any))
@settings(deadline=None)
def test_wilcoxon_is_exact_over_all_signs_with_ties_and_zeros(differences):
    known = np.array([d for d in differences if d], float)
    ranks = stats.rankdata(np.abs(known))
    statistic, p = wilcoxon(np.array(differences, float))
    of_signs = [sum(r for r, s in zip(ranks, signs, strict=True) if s) for signs in product((0, 1), repeat=len(known))]
    rank_sum = ranks[known > 0].sum()
    below, above = np.mean(np.array(of_signs) <= rank_sum), np.mean(np.array(of_signs) >= rank_sum)
    assert statistic == min(rank_sum, ranks.sum() - rank_sum)
    assert p == pytest.approx(min(1, 2 * min(below, above)))


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=9))
@settings(deadline=None)
def test_wilcoxon_of_accuracies_is_that_of_exact_fractions(pairs):
    differences = [Fraction(after, 15) - Fraction(before, 15) for after, before in pairs]
    known = [one for one in differences if one]
    sizes = [abs(one) for one in known]
    ranks = [sum(other < one for other in sizes) + Fraction(sizes.count(one) + 1, 2) for one in sizes]
    of_signs = [sum((r for r, s in zip(ranks, signs, strict=True) if s), Fraction()) for signs in _signs(len(known))]
    rank_sum = sum((r for r, one in zip(ranks, known, strict=True) if one > 0), Fraction())
    smaller = min(rank_sum, sum(ranks) - rank_sum)
    expected = min(Fraction(1), Fraction(2 * sum(one <= smaller for one in of_signs), len(of_signs)))
    after, before = np.array(pairs).T / 15
    assert wilcoxon(after - before) == (float(smaller), float(expected))


def _signs(n):
    return list(product((0, 1), repeat=n))


def test_equal_fractions_share_a_rank_whatever_their_last_bits():
    differences = np.array([0.8 - 0.6, 0.6 - 0.4, 0.4 - 0.6, 1 - 0.8])
    assert len(set(np.abs(differences))) > 1
    assert wilcoxon(differences) == (2.5, 0.625)
    assert wilcoxon(np.tile(differences, 20))[0] == 20 * 40.5
    assert wilcoxon(np.array([0.1 + 0.2 - 0.3])) == (0.0, 1.0)
    assert mann_whitney(np.array([0.1 + 0.2]), np.array([0.3])) == mann_whitney(np.array([0.3]), np.array([0.3]))


@pytest.mark.parametrize("n", [5, 16, 50, 51, 80])
def test_wilcoxon_without_ties_is_scipy_s(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    expected = stats.wilcoxon(differences, method="exact" if n <= 50 else "asymptotic", correction=n > 50)
    assert wilcoxon(differences) == pytest.approx((expected.statistic, expected.pvalue))


def test_no_difference_at_all_is_no_evidence():
    assert wilcoxon(np.zeros(4)) == (0.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_closes_bonferroni_over_every_subset(p_values):
    p = np.array(p_values)
    subsets = [s for size in range(1, len(p) + 1) for s in combinations(range(len(p)), size)]
    expected = [max(min(1, len(s) * p[list(s)].min()) for s in subsets if i in s) for i in range(len(p))]
    assert holm(p) == pytest.approx(expected)


def test_what_was_not_tested_costs_nothing():
    adjusted = holm(np.array([0.01, np.nan, 0.04]))
    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(adjusted[1])


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(deadline=None)
def test_the_exact_interval_is_the_binomial_test_turned_around(case):
    successes, n = case
    expected = stats.binomtest(successes, n).proportion_ci(method="exact")
    assert clopper_pearson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_exact_interval_covers_by_summing_binomial_terms():
    n = 7
    bounds = [clopper_pearson(k, n) for k in range(n + 1)]
    for share in np.linspace(0.01, 0.99, 60):
        terms = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
        assert sum(t for t, (low, high) in zip(terms, bounds, strict=True) if low <= share <= high) >= 0.95


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.02, 0.98))
@settings(deadline=None)
def test_bounds_of_an_area_solve_the_score_equation(n_positive, n_negative, auc):
    n, z = (n_positive + n_negative) / 2, stats.norm.isf(0.025)

    def away(t):
        variance = t * (1 - t) * (1 + (n - 1) * (1 - t) / (2 - t) + (n - 1) * t / (1 + t)) / (n_positive * n_negative)
        return (auc - t) ** 2 - z**2 * variance

    low, high = auc_interval(auc, n_positive, n_negative)
    assert low == pytest.approx(brentq(away, 0, auc), abs=1e-6)
    assert high == pytest.approx(brentq(away, auc, 1), abs=1e-6)


def test_an_area_of_one_is_not_certain():
    low, high = auc_interval(1.0, 4, 4)
    assert (0.5 < low < 0.7, high) == (True, 1.0)
    assert auc_interval(0.0, 4, 4) == pytest.approx((0.0, 1 - low))
    assert auc_interval(1.0, 40, 40)[0] > 0.9
    assert np.isnan(auc_interval(float("nan"), 0, 4)).all()


@pytest.mark.parametrize("apart", [0.0, 1.0, 2.0])
def test_intervals_of_single_areas_cover_with_four_draws_of_a_class(apart):
    random, truth = np.random.default_rng(1), stats.norm.cdf(apart / np.sqrt(2))
    labels = np.array([1] * 4 + [0] * 4)
    covered = []
    for _ in range(1000):
        low, high = auc_interval(area_under_roc(labels, random.normal(apart * labels, 1)), 4, 4)
        covered.append(low <= truth <= high)
    assert 0.93 <= np.mean(covered) <= 1.0


def test_places_and_counts_are_the_same_resampling():
    places, counts = (
        bootstrap_indices(5, 20_000, np.random.default_rng(1)),
        bootstrap_counts(5, 20_000, np.random.default_rng(2)),
    )
    of_places = np.array([(places == i).sum(axis=1) for i in range(5)]).T
    assert (of_places.sum(axis=1) == 5).all()
    assert (counts.sum(axis=1) == 5).all()
    assert of_places.var(axis=0) == pytest.approx(counts.var(axis=0), rel=0.05)
    assert np.corrcoef(of_places.T)[0, 1] == pytest.approx(-0.25, abs=0.03)


def test_the_percentile_interval_holds_the_mean_and_shrinks_with_people():
    random = np.random.default_rng(1)
    few, many = random.normal(0.1, 0.2, 10), random.normal(0.1, 0.2, 400)
    (low, high), (lower, higher) = (
        percentile_interval(one[bootstrap_indices(len(one), 10_000, np.random.default_rng(2))].mean(axis=1))
        for one in (few, many)
    )
    assert low < few.mean() < high
    assert higher - lower < (high - low) / 3
    assert (higher - lower) == pytest.approx(2 * 1.96 * many.std() / 20, rel=0.05)


@pytest.mark.parametrize("n", [5, 16, 200])
def test_the_expanded_interval_is_as_wide_as_that_of_t(n):
    people = np.random.default_rng(n).normal(0, 1, n)
    replicates = people[bootstrap_indices(n, 200_000, np.random.default_rng(2))].mean(axis=1)
    low, high = expanded_interval(replicates, n)
    t = stats.t.isf(0.025, n - 1) * people.std(ddof=1) / np.sqrt(n)
    assert (high - low) / 2 == pytest.approx(t, rel=0.06 if n > 5 else 0.25)
    assert np.isnan(expanded_interval(replicates, 1)).all()


def test_replicates_that_are_not_known_are_left_out():
    known = np.linspace(0, 1, 101)
    assert percentile_interval(np.array([np.nan, *known, np.nan])) == percentile_interval(known)
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()


def test_replicates_that_do_not_differ_have_no_interval():
    for interval in (percentile_interval, partial(expanded_interval, n_people=9)):
        assert np.isnan(interval(np.zeros(50))).all()
        assert np.isnan(interval(np.array([0.2, np.nan, 0.1 + 0.1]))).all()


@pytest.mark.parametrize("alike", [0.0, 0.5, 4.0])
def test_the_correlation_within_groups_is_that_of_the_f_ratio(alike):
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(12), 5)
    scores = random.normal(0, 1, 60) + alike * random.normal(0, 1, 12)[groups]
    f = stats.f_oneway(*(scores[groups == g] for g in range(12))).statistic
    expected = np.clip((f - 1) / (f + 4), 0, 1)
    assert intraclass_correlation(scores, groups, np.zeros(60, int)) == pytest.approx(expected)


def test_the_correlation_knows_nothing_of_the_means_of_strata():
    random = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 3)
    strata = groups // 4
    scores = random.normal(0, 1, 120) + random.normal(0, 1, 40)[groups]
    found = intraclass_correlation(scores, groups, strata)
    assert intraclass_correlation(scores + 10 * strata, groups, strata) == pytest.approx(found)
    assert found == pytest.approx(0.5, abs=0.2)


def test_where_groups_cannot_be_told_from_strata_the_correlation_is_not_known():
    two = np.array([1.0, 2.0, 3.0])
    assert np.isnan(intraclass_correlation(two, np.array([0, 0, 1]), np.array([0, 0, 1])))
    assert np.isnan(intraclass_correlation(two, np.arange(3), np.zeros(3, int)))
    assert np.isnan(intraclass_correlation(np.ones(4), np.array([0, 0, 1, 1]), np.zeros(4, int)))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.floats(0, 1))
def test_draws_are_worth_something_between_one_an_episode_and_each_its_own(sizes, correlation):
    worth = effective_sample_size(sizes, correlation)
    assert len(sizes) - 1e-9 <= worth <= sum(sizes) + 1e-9
    assert effective_sample_size(sizes, 0.0) == sum(sizes)
    assert effective_sample_size(sizes, float("nan")) == pytest.approx(len(sizes))


def test_the_variance_of_a_mean_is_that_of_so_many_independent_draws():
    random, sizes, alike = np.random.default_rng(5), [4] * 6, 0.4
    groups = np.repeat(np.arange(6), 4)
    shared = random.normal(0, np.sqrt(alike), (40_000, 6))[:, groups]
    means = (shared + random.normal(0, np.sqrt(1 - alike), (40_000, 24))).mean(axis=1)
    assert 1 / means.var() == pytest.approx(effective_sample_size(sizes, alike), rel=0.03)
