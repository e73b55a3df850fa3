"""Tests and intervals: the paper's, and those that fit few patients with correlated draws.

Resampling lives here and nowhere else: people are drawn with replacement, and what is theirs comes with them (Field and
Welsh, J R Stat Soc B 2007;69:369). scipy is imported where it is used, because many jobs need none of it.
"""

from collections.abc import Sequence

import numpy as np

LEVEL = 0.05  # what an interval leaves out, and what is called significant
_Z = 1.959963984540054  # of the normal distribution, leaving out LEVEL
_EXACT_PAIRS = 50  # more are compared by the normal approximation
_HALVINGS = 60  # of an interval in which a bound is searched
_DECIMALS = 12  # fewer than a float holds, and more than tell two shares of draws apart

Bounds = tuple[float, float]
UNKNOWN: Bounds = (float("nan"), float("nan"))


def comparable(values: np.ndarray) -> np.ndarray:
    """Values (n,) near 1 or smaller without their last bits, so that equal fractions are equal.

    0.8 - 0.6 and 0.6 - 0.4 are one difference and two floats, which ranks and maxima would tell apart.
    """
    return np.round(values, _DECIMALS)


def mann_whitney(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """U of `one` (n,) against `other` (m,) and its two-sided p, as in Chiu 2022; NaN without values.

    Exact for small samples without ties, else the normal approximation with corrections for ties and continuity
    (scipy.stats.mannwhitneyu). It takes the samples for independent, which the same patients before and after are not.
    """
    if not len(one) or not len(other):
        return UNKNOWN
    from scipy.stats import mannwhitneyu

    found = mannwhitneyu(comparable(one), comparable(other))
    return float(found.statistic), float(found.pvalue)


def wilcoxon(differences: np.ndarray) -> tuple[float, float]:
    """The signed rank statistic of differences (n,), the smaller of both rank sums, and its two-sided p.

    Zeros are left out (Wilcoxon, Biometrics Bull 1945;1:80); without another value p is 1. Up to 50 differences p is
    exact, ties included, over all signs that the ranks could have; scipy has that without ties alone. NaN for no
    difference at all.
    """
    if not len(differences):
        return UNKNOWN
    rounded = comparable(differences)
    known = rounded[rounded != 0]
    if not len(known):
        return 0.0, 1.0
    if len(known) > _EXACT_PAIRS:
        from scipy.stats import wilcoxon as of_scipy

        found = of_scipy(known, method="asymptotic", correction=True)
        return float(found.statistic), float(found.pvalue)
    doubled = np.rint(2 * average_ranks(np.abs(known))).astype(int)
    smaller = min(doubled[known > 0].sum(), doubled[known < 0].sum())
    return smaller / 2, min(1.0, 2 * float(_share_of_signs(doubled, smaller)))


def holm(p_values: np.ndarray) -> np.ndarray:
    """p values (n,) adjusted so that the chance of any false one stays as given (Holm, Scand J Stat 1979;6:65).

    What is NaN was not tested, and stays so.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return adjusted


def clopper_pearson(successes: int, n: int) -> Bounds:
    """The exact 95% interval of a share (Clopper and Pearson, Biometrika 1934;26:404); NaN for n = 0."""
    if not n:
        return UNKNOWN
    from scipy.special import betaincinv

    low = betaincinv(successes, n - successes + 1, LEVEL / 2) if successes else 0.0
    high = betaincinv(successes + 1, n - successes, 1 - LEVEL / 2) if successes < n else 1.0
    return float(low), float(high)


def auc_interval(auc: float, n_positive: int, n_negative: int) -> Bounds:
    """A 95% interval of an area under the ROC curve of independent draws, also of very few and of an area of 0 or 1.

    The score interval of Newcombe (Stat Med 2006;25:559, method 5): the areas at which the variance of Hanley and
    McNeil, with both class sizes replaced by their mean, puts the observed area at 1.96 standard errors.
    """
    if not (n_positive and n_negative and np.isfinite(auc)):
        return UNKNOWN
    sizes = n_positive, n_negative
    return _lower_area(auc, *sizes), 1 - _lower_area(1 - auc, *sizes)


def drawn(n: int, replicates: int, random: np.random.Generator) -> np.ndarray:
    """Places (replicates, n) of n things drawn with replacement."""
    return random.integers(0, n, (replicates, n))


def times_drawn(n: int, replicates: int, random: np.random.Generator) -> np.ndarray:
    """How often (replicates, n) each of n things is drawn, where only that matters; distributed as `drawn` counts."""
    return random.multinomial(n, np.full(n, 1 / n), size=replicates)


def percentile_interval(replicates: np.ndarray) -> Bounds:
    """The middle 95% of the replicates (n,) that are known (Efron 1979); with few people it is too narrow."""
    return _middle(replicates, LEVEL / 2)


def expanded_interval(replicates: np.ndarray, n_people: int) -> Bounds:
    """As `percentile_interval`, with percentiles moved outward for few people, as t moves the normal interval.

    The expanded percentile interval of Hesterberg (Am Stat 2015;69:371, section 4.3). NaN for fewer than two people.
    """
    if n_people < 2:
        return UNKNOWN
    from scipy.special import ndtr, stdtrit

    t = stdtrit(n_people - 1, 1 - LEVEL / 2)
    return _middle(replicates, float(ndtr(-np.sqrt(n_people / (n_people - 1)) * t)))


def intraclass_correlation(values: np.ndarray, groups: np.ndarray, strata: np.ndarray) -> float:
    """How alike the values (n,) of one group are: 0 not at all, 1 the same.

    groups: (n,) names, no group in two strata. strata: (n,) names; their means are taken out first. The analysis of
    variance estimate (Donner, Int Stat Rev 1986;54:67), kept between 0 and 1; NaN where no stratum has two groups, or
    no group two values.
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


def effective_number(group_sizes: Sequence[int], correlation: float) -> float:
    """How many independent draws are worth as much as groups of so many draws that are so much alike.

    Each group of m counts m / (1 + (m - 1) correlation) (Kish, Survey Sampling 1965, section 5.4): all draws at a
    correlation of 0, one a group at 1. An unknown correlation (NaN) counts as 1.
    """
    sizes = np.asarray(group_sizes, np.float64)
    alike = 1.0 if np.isnan(correlation) else correlation
    return float(np.sum(sizes / (1 + (sizes - 1) * alike)))


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks (n,) from 1, with the average rank for ties."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _share_of_signs(ranks: np.ndarray, at_most: int) -> float:
    """Of all ways to give whole-number ranks (n,) a sign, the share whose positive ones add up to `at_most` or less."""
    ways = np.zeros(ranks.sum() + 1)
    ways[0] = 1.0
    for rank in ranks:
        moved = np.zeros_like(ways)
        moved[rank:] = ways[: len(ways) - rank]
        ways = (ways + moved) / 2
    return float(ways[: at_most + 1].sum())


def _lower_area(auc: float, n_positive: int, n_negative: int) -> float:
    mean_size = (n_positive + n_negative) / 2

    def too_low(area: float) -> bool:
        pairs = 1 + (mean_size - 1) * ((1 - area) / (2 - area) + area / (1 + area))
        return (auc - area) ** 2 > _Z**2 * area * (1 - area) * pairs / (n_positive * n_negative)

    low, high = 0.0, auc
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return low


def _middle(replicates: np.ndarray, outside: float) -> Bounds:
    known = replicates[np.isfinite(replicates)]
    if not len(known):
        return UNKNOWN
    low, high = np.quantile(known, [outside, 1 - outside])
    return float(low), float(high)
