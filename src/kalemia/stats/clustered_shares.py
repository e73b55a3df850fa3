"""A share of draws, and the difference of two, with intervals that know that draws of one person are alike."""

from typing import NamedTuple

import numpy as np

from kalemia.stats.tests_and_intervals import NO_BOUNDS, SIGNIFICANCE_LEVEL, Bounds


class Difference(NamedTuple):
    """A share or mean less another, and its 95% interval; NaN where it is not known."""

    difference: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval is known and does not hold 0."""
        return self.low > 0 or self.high < 0


class _ClusteredShare(NamedTuple):
    """share, n, people: over all draws. residuals: (k,) hits of each person beyond the share. spread: variance of the
    share over that of independent draws, NaN where nothing varies.
    """

    share: float
    n: int
    people: int
    residuals: np.ndarray
    spread: float


def share_difference(
    hits: np.ndarray, draws: np.ndarray, other_hits: np.ndarray, other_draws: np.ndarray
) -> Difference:
    """`Difference` of hits / draws less other_hits / other_draws, counts (k,) of k people, who may have both.

    Newcombe's interval (Stat Med 1998;17:873, method 10) from Wilson's bounds, with three changes for people with
    several draws: draws count as their effective number (Rao and Scott, Biometrics 1992;48:577), never more than there
    are; shares of the same people are correlated (Zou and Donner, Stat Med 2008;27:1693); the normal quantile becomes
    that of t with one degree of freedom less than people. There is no interval if nobody or everybody is hit, or if a
    class has fewer than two people. docs/cohort.md says how often it holds the true difference.
    """
    one, other = _clustered_share(hits, draws), _clustered_share(other_hits, other_draws)
    difference = one.share - other.share
    spreads = [share.spread for share in (one, other) if np.isfinite(share.spread)]
    if not spreads or min(one.people, other.people) < 2:
        return Difference(difference, *NO_BOUNDS)
    (low, high), (other_low, other_high) = (_wilson_bounds(share, max(spreads)) for share in (one, other))
    scale = np.sqrt(np.sum(one.residuals**2) * np.sum(other.residuals**2))
    correlation = float(one.residuals @ other.residuals / scale) if scale > 0 else 0.0
    below = _distance(one.share - low, other_high - other.share, correlation)
    above = _distance(high - one.share, other.share - other_low, correlation)
    return Difference(difference, difference - below, difference + above)


def share_interval(hits: np.ndarray, draws: np.ndarray) -> Bounds:
    """The 95% interval of hits / draws, counts (k,) of k people; NaN for fewer than two people.

    Wilson's score interval, with the changes of `share_difference`. Where everybody or nobody is hit, the spread over
    people is unknown, and each person counts as one draw.
    """
    share = _clustered_share(hits, draws)
    return _wilson_bounds(share, share.n / share.people) if share.people > 1 else NO_BOUNDS


def _clustered_share(hits: np.ndarray, draws: np.ndarray) -> _ClusteredShare:
    n, people = int(draws.sum()), int(np.count_nonzero(draws))
    if not n:
        return _ClusteredShare(float("nan"), 0, 0, np.zeros(len(draws)), float("nan"))
    share = float(hits.sum() / n)
    residuals = hits - share * draws
    independent = share * (1 - share) / n
    if independent == 0 or people < 2:
        return _ClusteredShare(share, n, people, residuals, float("nan"))
    variance = people / (people - 1) * float(np.sum(residuals**2)) / n**2
    return _ClusteredShare(share, n, people, residuals, max(1.0, variance / independent))


def _wilson_bounds(of: _ClusteredShare, other_spread: float) -> Bounds:
    """A share without any variation takes the spread given."""
    from scipy.special import stdtrit

    n = of.n / (of.spread if np.isfinite(of.spread) else other_spread)
    z = stdtrit(of.people - 1, 1 - SIGNIFICANCE_LEVEL / 2)
    center = (of.share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(of.share * (1 - of.share) / n + z**2 / (4 * n**2))
    return float(center - half), float(center + half)


def _distance(one: float, other: float, correlation: float) -> float:
    return float(np.sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2)))
