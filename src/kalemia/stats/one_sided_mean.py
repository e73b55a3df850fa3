"""One-sided bounds of a mean over patients, the gain that such a study can detect, and the patients that it needs."""

import math
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05  # of each one-sided test
POWER = 0.8
_MOST_PATIENTS = 100_000


@dataclass(frozen=True)
class MeanEstimate:
    """A weighted mean over n patients, its standard error, and degrees of freedom; NaN where n is too small.

    lower, upper: each bounds the mean with a confidence of 95%.
    """

    n: int
    mean: float
    standard_error: float
    degrees: float

    @property
    def lower(self) -> float:
        return self.mean - _quantile(self.degrees) * self.standard_error

    @property
    def upper(self) -> float:
        return self.mean + _quantile(self.degrees) * self.standard_error

    @property
    def spread(self) -> float:
        """The standard deviation over patients of equal weight that would give this standard error."""
        return self.standard_error * math.sqrt(self.n)


def estimate_mean(values: np.ndarray, weights: np.ndarray | None = None) -> MeanEstimate:
    """The mean of one value per patient (n,), by default with equal weights, which may not be negative.

    The standard error is the robust one of a weighted mean, HC2 of MacKinnon and White (J Econom 1985;29:305): with
    equal weights that of the t test. The degrees of freedom are the effective number of patients (Kish, Survey Sampling
    1965) less one. NaN for fewer than two patients with a weight.
    """
    share = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    values, share = np.asarray(values, np.float64)[share > 0], share[share > 0]
    if not len(values):
        return MeanEstimate(0, math.nan, math.nan, math.nan)
    share = share / share.sum()
    mean = float(share @ values)
    if len(values) < 2:
        return MeanEstimate(1, mean, math.nan, math.nan)
    variance = float(np.sum(share**2 * (values - mean) ** 2 / (1 - share)))
    return MeanEstimate(len(values), mean, math.sqrt(variance), float(1 / np.sum(share**2) - 1))


def power(gain: float, spread: float, n: int) -> float:
    """The probability that a one-sided t test of n patients shows a true mean of `gain`, if values spread so (SD)."""
    from scipy.special import nctdtr

    return 1 - float(nctdtr(n - 1, gain * math.sqrt(n) / spread, _quantile(n - 1)))


def detectable_gain(spread: float, n: int) -> float:
    """The true mean that a one-sided test of n patients finds with a probability of 80%, if values spread so (SD)."""
    if n < 2 or not math.isfinite(spread):
        return math.nan
    from scipy.special import nctdtrinc

    degrees = n - 1
    return spread / math.sqrt(n) * float(nctdtrinc(degrees, 1 - POWER, _quantile(degrees)))


def patients_needed(spread: float, gain: float) -> int | None:
    """The fewest patients of whom a gain is detectable; None if a hundred thousand are not enough."""
    from scipy.special import ndtri

    fewest = ((ndtri(1 - ALPHA) + ndtri(POWER)) * spread / gain) ** 2  # if the spread were known
    if not fewest <= _MOST_PATIENTS:
        return None
    n = max(2, math.ceil(fewest))
    while detectable_gain(spread, n) > gain:
        n += 1
    return n


def _quantile(degrees: float) -> float:
    if not math.isfinite(degrees):
        return math.nan
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 1 - ALPHA))
