"""Logits as probabilities that come true, and as sets of labels that hold the right one as often as they say."""

import math
from dataclasses import dataclass

import numpy as np

from kalemia.stats.logistic_regression import fit_logistic, sigmoid

_RIDGE = 1e-6  # so small that it only keeps the curvature above 0


@dataclass(frozen=True)
class PlattScale:
    """The probability of a logit x is sigmoid(slope * x + offset)."""

    slope: float
    offset: float

    def probability(self, logits):
        """Elementwise, for a number or an array."""
        return sigmoid(self.slope * logits + self.offset)


@dataclass(frozen=True)
class SetBounds:
    """The label 1 is in the set of every logit from `positive_from` on, the label 0 in that of every one to
    `negative_to`; each label is in the sets of at least `level` of all draws that have it.
    """

    level: float
    negative_to: float
    positive_from: float

    def holds(self, logits):
        """Whether the sets hold 0, and whether they hold 1; elementwise, for a number or an array."""
        return logits <= self.negative_to, logits >= self.positive_from


def fit_platt(logits: np.ndarray, labels: np.ndarray) -> PlattScale:
    """Fit labels (n,) of 0 and 1, both present, to logits (n,).

    Platt's targets, (n1 + 1) / (n1 + 2) and 1 / (n0 + 2), keep the slope finite where the classes are apart (Platt,
    Advances in Large Margin Classifiers 1999). A slope is never below 0: a higher logit is never less likely.
    """
    n_positive = int(np.sum(labels == 1))
    n_negative = len(labels) - n_positive
    targets = np.where(labels == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    fit = fit_logistic(logits[:, None], targets, _RIDGE)
    slope = float(fit.weights[0] / fit.scale[0])
    if slope <= 0:
        share = float(targets.mean())
        return PlattScale(0.0, math.log(share / (1 - share)))
    return PlattScale(slope, fit.intercept - slope * float(fit.center[0]))


def smallest_class(level: float) -> int:
    """The number of draws of each class that `fit_set_bounds` needs: with fewer every set would hold both labels."""
    return math.ceil(round(level / (1 - level), 9))


def fit_set_bounds(logits: np.ndarray, labels: np.ndarray, level: float) -> SetBounds:
    """Bounds from the logits (n,) of draws that no network was trained on, and their labels 0 or 1.

    Split conformal prediction for each class by itself (Vovk, Asian Conference on Machine Learning 2012): if a new draw
    is exchangeable with those of its class, its label is in its set with a probability of at least `level`. Raises
    `ValueError` for fewer than `smallest_class` draws of a class.
    """
    bounds = []
    for label, sign in ((0, 1), (1, -1)):
        distances = np.sort(sign * logits[labels == label])
        rank = math.ceil(round((len(distances) + 1) * level, 9))
        if rank > len(distances):
            raise ValueError(f"{len(distances)} draws of a class are too few for sets at {level:.0%}")
        bounds.append(sign * float(distances[rank - 1]))
    return SetBounds(level, *bounds)
