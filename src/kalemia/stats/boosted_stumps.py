"""Gradient boosting of trees with one split, written here because scikit-learn would add 1.0 s to each job."""

from dataclasses import dataclass

import numpy as np

from kalemia.stats.logistic_regression import sigmoid

_STUMPS = 100
_LEARNING_RATE = 0.1


@dataclass(frozen=True)
class BoostedStumps:
    """A score of rows (n, p): the sum of a constant and, for each stump, of its value below or above a threshold.

    Missing values (NaN) count as the training median of their column.
    """

    medians: np.ndarray
    constant: float
    stumps: list[tuple[int, float, float, float]]  # column, threshold, value at or below it, value above it

    def score(self, values: np.ndarray) -> np.ndarray:
        """float64 (n,); above 0 is positive."""
        filled = np.where(np.isnan(values), self.medians, values)
        score = np.full(len(filled), self.constant)
        for column, threshold, below, above in self.stumps:
            score += np.where(filled[:, column] <= threshold, below, above)
        return score


def fit_boosted_stumps(values: np.ndarray, labels: np.ndarray) -> BoostedStumps:
    """Boost 100 stumps on values (n, p) and labels (n,) of 0 and 1, which hold both classes.

    Each stump is the split that explains most of what is left of the labels; its two values are one Newton step of the
    cross entropy times 0.1 (Friedman, Ann Stat 2001;29:1189, with trees of two leaves). A column without a known value
    has no split.
    """
    medians = np.array([np.median(known) if len(known := column[~np.isnan(column)]) else 0.0 for column in values.T])
    filled = np.where(np.isnan(values), medians, values)
    order = np.argsort(filled, axis=0, kind="stable")
    ordered = np.take_along_axis(filled, order, axis=0)
    splittable = np.diff(ordered, axis=0) > 1e-9
    constant = float(np.log(labels.mean() / (1 - labels.mean())))
    score, stumps = np.full(len(labels), constant), []
    for _ in range(_STUMPS if splittable.any() else 0):
        probability = sigmoid(score)
        residual = labels - probability
        row, column = _best_split(residual[order], splittable)
        threshold = float(ordered[row : row + 2, column].mean())
        is_below = filled[:, column] <= threshold
        below, above = (
            _LEARNING_RATE * residual[side].sum() / np.sum(probability[side] * (1 - probability[side]))
            for side in (is_below, ~is_below)
        )
        stumps.append((int(column), threshold, float(below), float(above)))
        score += np.where(is_below, below, above)
    return BoostedStumps(medians, constant, stumps)


def _best_split(residuals: np.ndarray, splittable: np.ndarray) -> tuple[int, int]:
    """The row after which, and the column (n, p) by which, a split lowers the squared residuals most."""
    n_below = np.arange(1, len(residuals))[:, None]
    n_above = len(residuals) - n_below
    sums = residuals.cumsum(axis=0)
    difference = sums[:-1] / n_below - (sums[-1] - sums[:-1]) / n_above
    gain = np.where(splittable, n_below * n_above * difference**2, -1.0)
    row, column = np.unravel_index(np.argmax(gain), gain.shape)
    return int(row), int(column)
