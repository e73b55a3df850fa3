"""Tests and intervals: those of the paper, and those for few patients with correlated draws.

Cluster bootstrap: patients are resampled with replacement, together with all their draws (Field and Welsh, J R Stat Soc
B 2007;69:369). scipy is imported inside the functions, because many jobs do not need it.
"""

from collections.abc import Sequence

import numpy as np

SIGNIFICANCE_LEVEL = 0.05  # of tests; intervals cover the rest
_Z = 1.959963984540054  # of the normal distribution, leaving out SIGNIFICANCE_LEVEL
_EXACT_PAIRS = 50  # more are compared by the normal approximation
_HALVINGS = 60  # of an interval in which a bound is searched
_DECIMALS = 12  # fewer than a float holds, and more than tell two shares of draws apart

Bounds = tuple[float, float]
NO_BOUNDS: Bounds = (float("nan"), float("nan"))


def round_for_ties(values: np.ndarray) -> np.ndarray:
    """Round values (n,) of about 1 or smaller, so that equal fractions are equal.

    0.8 - 0.6 and 0.6 - 0.4 are the same difference but two floats; ranks and maxima would treat them as different.
    """
    return np.round(values, _DECIMALS)


def mann_whitney(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """U of `one` (n,) against `other` (m,) and its two-sided p, as in Chiu 2022; NaN without values.

    Exact for small samples without ties, else the normal approximation with corrections for ties and continuity
    (scipy.stats.mannwhitneyu). It assumes independent samples, which the same patients before and after are not.
    """
    if not len(one) or not len(other):
        return NO_BOUNDS
    from scipy.stats import mannwhitneyu

    one, other = round_for_ties(one), round_for_ties(other)
    if min(one.min(), other.min()) == max(one.max(), other.max()):  # for which scipy 1.18 has no p
        return len(one) * len(other) / 2, 1.0
    found = mannwhitneyu(one, other)
    return float(found.statistic), float(found.pvalue)


def wilcoxon(differences: np.ndarray) -> tuple[float, float]:
    """The signed rank statistic of differences (n,), the smaller of both rank sums, and its two-sided p.

    Zeros are left out (Wilcoxon, Biometrics Bull 1945;1:80); without another value p is 1. Up to 50 differences p is
    exact, also with ties, over all possible signs of the ranks. NaN without any difference.
    """
    if not len(differences):
        return NO_BOUNDS
    rounded = round_for_ties(differences)
    known = rounded[rounded != 0]
    if not len(known):
        return 0.0, 1.0
    if len(known) > _EXACT_PAIRS:
        from scipy.stats import wilcoxon as of_scipy

        found = of_scipy(known, method="asymptotic", correction=True)
        return float(found.statistic), float(found.pvalue)
    doubled = np.rint(2 * average_ranks(np.abs(known))).astype(int)
    smaller = min(doubled[known > 0].sum(), doubled[known < 0].sum())
    return smaller / 2, min(1.0, 2 * float(_sign_distribution(doubled, smaller)))


def holm(p_values: np.ndarray) -> np.ndarray:
    """p values (n,) adjusted so that the chance of any false one stays as given (Holm, Scand J Stat 1979;6:65).

    NaN stands for a comparison without a test, and stays NaN.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return adjusted


def clopper_pearson(successes: float, n: float) -> Bounds:
    """The exact 95% interval of a share (Clopper and Pearson, Biometrika 1934;26:404); NaN for n = 0.

    With effective numbers, which are not whole, it is that of Korn and Graubard (Surv Methodol 1998;24:193).
    """
    if not n:
        return NO_BOUNDS
    from scipy.special import betaincinv

    low = betaincinv(successes, n - successes + 1, SIGNIFICANCE_LEVEL / 2) if successes else 0.0
    high = betaincinv(successes + 1, n - successes, 1 - SIGNIFICANCE_LEVEL / 2) if successes < n else 1.0
    return float(low), float(high)


def auc_interval(auc: float, n_positive: float, n_negative: float) -> Bounds:
    """95% interval of an area under the ROC curve of independent draws, also for very few draws and areas of 0 or 1.

    The numbers may be effective ones, which are not whole.

    The score interval of Newcombe (Stat Med 2006;25:559, method 5): the areas at which the variance of Hanley and
    McNeil, with both class sizes replaced by their mean, puts the observed area at 1.96 standard errors.
    """
    if not (n_positive and n_negative and np.isfinite(auc)):
        return NO_BOUNDS
    sizes = n_positive, n_negative
    return _lower_auc_bound(auc, *sizes), 1 - _lower_auc_bound(1 - auc, *sizes)


def bootstrap_indices(n: int, replicates: int, random: np.random.Generator) -> np.ndarray:
    """Indices (replicates, n) of n items drawn with replacement."""
    return random.integers(0, n, (replicates, n))


def bootstrap_counts(n: int, replicates: int, random: np.random.Generator) -> np.ndarray:
    """How often (replicates, n) each of n things is drawn, where only that matters; distributed as `drawn` counts."""
    return random.multinomial(n, np.full(n, 1 / n), size=replicates)


def percentile_interval(replicates: np.ndarray) -> Bounds:
    """The central 95% of the finite replicates (n,) (Efron 1979); too narrow with few patients.

    NaN where they are a point: resamples cannot give what was not observed, and a point would look like certainty.
    """
    return _central_interval(replicates, SIGNIFICANCE_LEVEL / 2)


def expanded_interval(replicates: np.ndarray, n_people: int) -> Bounds:
    """As `percentile_interval`, with percentiles moved outward for few people, as t moves the normal interval.

    The expanded percentile interval of Hesterberg (Am Stat 2015;69:371, section 4.3). NaN for fewer than two people.
    """
    if n_people < 2:
        return NO_BOUNDS
    from scipy.special import ndtr, stdtrit

    t = stdtrit(n_people - 1, 1 - SIGNIFICANCE_LEVEL / 2)
    return _central_interval(replicates, float(ndtr(-np.sqrt(n_people / (n_people - 1)) * t)))


def intraclass_correlation(values: np.ndarray, groups: np.ndarray, strata: np.ndarray) -> float:
    """Intraclass correlation of values (n,): 0 unrelated within groups, 1 identical.

    groups: (n,) names, no group in two strata. strata: (n,) names; their means are taken out first. The analysis of
    variance estimate (Donner, Int Stat Rev 1986;54:67), kept between 0 and 1; NaN if no stratum has two groups, or
    no group has two values.
    """
    _, first, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    _, stratum, in_stratum = np.unique(strata, return_inverse=True, return_counts=True)
    n, n_groups, n_strata = len(values), len(sizes), len(in_stratum)
    if n_groups in (n_strata, n):
        return float("nan")
    home = stratum[first]
    of_group = np.bincount(group, weights=values) / sizes
    of_stratum = np.bincount(stratum, weights=values) / in_stratum
    between = np.sum(sizes * (of_group - of_stratum[home]) ** 2) / (n_groups - n_strata)
    within = np.sum((values - of_group[group]) ** 2) / (n - n_groups)
    typical = (n - np.sum(sizes**2 / in_stratum[home])) / (n_groups - n_strata)
    total = between + (typical - 1) * within
    return float(np.clip((between - within) / total, 0, 1)) if total > 0 else float("nan")


def effective_sample_size(group_sizes: Sequence[int], correlation: float) -> float:
    """The number of independent draws equivalent to groups of correlated draws.

    Each group of m counts m / (1 + (m - 1) correlation) (Kish, Survey Sampling 1965, section 5.4): all draws at a
    correlation of 0, one a group at 1. An unknown correlation (NaN) counts as 1.
    """
    sizes = np.asarray(group_sizes, np.float64)
    alike = 1.0 if np.isnan(correlation) else correlation
    return float(np.sum(sizes / (1 + (sizes - 1) * alike)))


def effective_number(weights: np.ndarray) -> float:
    """The number of equal weights that are worth as much as weights (n,) (Kish, Survey Sampling 1965, section 8.2)."""
    return float(np.sum(weights, dtype=np.float64) ** 2 / np.sum(np.square(weights, dtype=np.float64)))


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks (n,) from 1, with the average rank for ties."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _sign_distribution(ranks: np.ndarray, at_most: int) -> float:
    """Of all ways to give whole-number ranks (n,) a sign, the share whose positive ones add up to `at_most` or less."""
    ways = np.zeros(ranks.sum() + 1)
    ways[0] = 1.0
    for rank in ranks:
        moved = np.zeros_like(ways)
        moved[rank:] = ways[: len(ways) - rank]
        ways = (ways + moved) / 2
    return float(ways[: at_most + 1].sum())


def _lower_auc_bound(auc: float, n_positive: float, n_negative: float) -> float:
    mean_size = (n_positive + n_negative) / 2

    def too_low(area: float) -> bool:
        pairs = 1 + (mean_size - 1) * ((1 - area) / (2 - area) + area / (1 + area))
        return (auc - area) ** 2 > _Z**2 * area * (1 - area) * pairs / (n_positive * n_negative)

    low, high = 0.0, auc
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return low


def _central_interval(replicates: np.ndarray, outside: float) -> Bounds:
    known = replicates[np.isfinite(replicates)]
    if not len(known):
        return NO_BOUNDS
    low, high = np.quantile(known, [outside, 1 - outside])
    is_point = round_for_ties(low) == round_for_ties(high)
    return NO_BOUNDS if is_point else (float(low), float(high))
