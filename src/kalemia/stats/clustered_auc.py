"""The difference of two areas under the ROC curve on the same draws, with an interval in which people count."""

from typing import NamedTuple

import numpy as np

from kalemia.stats.clustered_shares import Difference
from kalemia.stats.draw_metrics import area_under_roc
from kalemia.stats.tests_and_intervals import NO_BOUNDS, SIGNIFICANCE_LEVEL


class _Component(NamedTuple):
    """What one class adds to the variance: sums (people,) over a person's draws, and the people with such draws."""

    sums: np.ndarray
    n_draws: int
    n_people: int

    @property
    def variance(self) -> float:
        return self.n_people / (self.n_people - 1) * float(np.sum(self.sums**2)) / self.n_draws**2


def auc_difference(labels: np.ndarray, scores: np.ndarray, other: np.ndarray, person: np.ndarray) -> Difference:
    """The AUC of `scores` less that of `other`, all (n,), and its 95% interval; `person` (n,) counts from 0.

    Obuchowski's variance for draws that are alike within people (Biometrics 1997;53:567), which may have one class or
    both. The degrees of freedom are Satterthwaite's, of the people of each class. NaN without two people of each class
    and where nothing varies, as between two perfect scores.
    """
    difference = area_under_roc(labels, scores) - area_under_roc(labels, other)
    if min(len(np.unique(person[labels == label])) for label in (1, 0)) < 2:
        return Difference(difference, *NO_BOUNDS)
    excess = placements(labels, scores) - placements(labels, other) - difference
    positive, negative = (_component(excess, person, labels == label) for label in (1, 0))
    n_people = len(np.unique(person))
    shared = n_people / (n_people - 1) * float(positive.sums @ negative.sums)
    variance = positive.variance + negative.variance + 2 * shared / (positive.n_draws * negative.n_draws)
    if variance <= 1e-12:
        return Difference(difference, *NO_BOUNDS)
    from scipy.special import stdtrit

    of_classes = sum(one.variance**2 / (one.n_people - 1) for one in (positive, negative))
    degrees = (positive.variance + negative.variance) ** 2 / of_classes
    half = float(stdtrit(degrees, 1 - SIGNIFICANCE_LEVEL / 2)) * np.sqrt(variance)
    return Difference(difference, difference - half, difference + half)


def placements(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """For each draw (n,) the share of draws of the other class that the score ranks correctly against it, ties half.

    Their mean over either class is the area under the ROC curve (DeLong et al., Biometrics 1988;44:837). 0 where there
    is no other class.
    """
    placed = np.zeros(len(scores))
    for label, sign in ((1, 1), (0, -1)):
        mine, others = sign * scores[labels == label], np.sort(sign * scores[labels != label])
        below, up_to = (np.searchsorted(others, mine, side) for side in ("left", "right"))
        placed[labels == label] = (below + up_to) / (2 * max(1, len(others)))
    return placed


def _component(excess: np.ndarray, person: np.ndarray, of_class: np.ndarray) -> _Component:
    sums = np.bincount(person[of_class], weights=excess[of_class], minlength=person.max() + 1)
    return _Component(sums, int(of_class.sum()), len(np.unique(person[of_class])))
