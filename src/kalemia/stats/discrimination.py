"""Discrimination and calibration over many patients, with intervals in which patients count, not beats or draws.

Beats of a draw and draws of a patient are correlated. Shares and areas under the ROC curve have score intervals over
patients, which are right also near 0 and 1. All others resample whole patients with replacement (Field and Welsh 2007).
"""

import numpy as np

from kalemia.stats.clustered_shares import share_interval
from kalemia.stats.logistic_regression import sigmoid
from kalemia.stats.summaries import ratios
from kalemia.stats.tests_and_intervals import (
    NO_BOUNDS,
    Bounds,
    auc_interval,
    bootstrap_counts,
    effective_number,
    percentile_interval,
)

REPLICATES = 1000
CALIBRATION_BINS = 10
MIN_DRAWS_PER_BIN = 8  # with fewer, a share is too uncertain
MAX_SCORE_GROUPS = 2000
MIN_RESAMPLED = 10  # people of each class; of fewer, percentiles of resamples say little

Interval = list[float]  # value, and the lower and upper bound around it, NaN where there is none


def discrimination(
    labels: np.ndarray, logits: np.ndarray, decisions: np.ndarray, subjects: np.ndarray, random: np.random.Generator
) -> dict:
    """Metrics with 95% intervals of beats or draws: `labels` (n,) of 0 or 1, `logits` and `decisions`.

    accuracy, auroc, auprc (average precision) over everything; within_auroc, the mean over the people who have both
    classes of the AUROC of their own alone, which no difference between people can raise; calibration, the predicted
    probability and the share that is positive, by deciles of the predictions. NaN if a class is empty.

    Intervals: of accuracy `share_interval`; of auroc `auroc_interval`; of auprc and within_auroc percentiles of
    resamples of people, but none for fewer than `MIN_RESAMPLED` people of a class or with both, and none where all
    resamples are equal.
    """
    people, person = np.unique(subjects, return_inverse=True)
    times = bootstrap_counts(len(people), REPLICATES, random)
    right = np.asarray(decisions == labels, np.float64)
    within = within_auroc(labels, logits, person)
    has_both = np.isfinite(within)
    auroc, auprc = roc_and_pr_auc(*counts_by_score(labels, logits))
    _, auprc_resampled = roc_and_pr_auc(*bootstrap_counts_by_score(labels, logits, person, times))
    of_class = [len(np.unique(person[labels == label])) for label in (1, 0)]
    return {
        "n": len(labels),
        "n_positive": int(np.sum(labels == 1)),
        "subjects": len(people),
        "subjects_with_both": int(has_both.sum()),
        "accuracy": _with_bounds(right.mean(), share_interval(np.bincount(person, weights=right), np.bincount(person))),
        "auroc": _with_bounds(auroc, auroc_interval(float(auroc), labels, person)),
        "auprc": _with_bounds(auprc, _percentiles(auprc_resampled, min(of_class))),
        "within_auroc": _with_bounds(
            within[has_both].mean() if has_both.any() else np.nan,
            _percentiles(ratios(times[:, has_both] @ within[has_both], times[:, has_both].sum(axis=1)), has_both.sum()),
        ),
        "calibration": calibration(labels, logits, person),
    }


def auroc_interval(auroc: float, labels: np.ndarray, person: np.ndarray) -> Bounds:
    """The score interval of an area under the ROC curve in which people count; `labels` and `person` (n,).

    `kalemia.stats.tests_and_intervals.auc_interval` with the effective number of people of each class, as if all draws
    of one person were the same draw. NaN without a class.
    """
    numbers = [
        effective_number(np.unique(person[labels == label], return_counts=True)[1]) if np.any(labels == label) else 0
        for label in (1, 0)
    ]
    return auc_interval(auroc, *numbers)


def counts_by_score(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many positives, and how many in all, have each score, from the highest score down: (distinct scores,)."""
    _, group = np.unique(-scores, return_inverse=True)
    return np.bincount(group, weights=labels == 1), np.bincount(group).astype(np.float64)


def roc_and_pr_auc(positive: np.ndarray, all_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area under the ROC curve, ties counting half, and average precision.

    From counts, or sums of weights, (..., groups) as of `counts_by_score`; NaN without both classes.
    """
    found, taken = np.cumsum(positive, axis=-1), np.cumsum(all_, axis=-1)
    n_positive, n_negative = found[..., -1], taken[..., -1] - found[..., -1]
    pairs = np.sum((all_ - positive) * (found - positive / 2), axis=-1)
    precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
    average = np.sum(positive * precision, axis=-1)
    both = (n_positive > 0) & (n_negative > 0)
    nan = np.full(np.shape(both), np.nan)
    return (
        np.divide(pairs, n_positive * n_negative, out=nan.copy(), where=both),
        np.divide(average, n_positive, out=nan, where=both),
    )


def bootstrap_counts_by_score(
    labels: np.ndarray, scores: np.ndarray, person: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `counts_by_score`, (replicates, groups), when every person counts as often as drawn.

    Neighboring scores share one of at most `MAX_SCORE_GROUPS` groups. That changes an area by less than 0.0001, and all
    replicates are then one matrix product.
    """
    _, group, n_of_score = np.unique(-scores, return_inverse=True, return_counts=True)
    higher = (np.cumsum(n_of_score) - n_of_score)[group]
    _, group = np.unique(higher * MAX_SCORE_GROUPS // max(len(scores), MAX_SCORE_GROUPS), return_inverse=True)
    n_people, n_groups = times.shape[1], group.max() + 1
    cell = person * n_groups + group
    counts = [
        np.bincount(cell, weights=weights, minlength=n_people * n_groups).reshape(n_people, n_groups)
        for weights in (labels == 1, np.ones(len(labels)))
    ]
    return times @ counts[0], times @ counts[1]


def within_auroc(labels: np.ndarray, scores: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Each person's own AUROC, (people,), from `person` (n,) counted from 0; NaN without both classes."""
    by_person = np.argsort(person, kind="stable")
    parts = np.split(by_person, np.cumsum(np.bincount(person))[:-1])
    return np.array([roc_and_pr_auc(*counts_by_score(labels[part], scores[part]))[0] for part in parts])


def calibration(labels: np.ndarray, logits: np.ndarray, person: np.ndarray) -> list[dict]:
    """Calibration by deciles of the predicted probability: the number, the mean prediction, and the share of positives.

    Fewer than ten bins if those would hold fewer than `MIN_DRAWS_PER_BIN`. The share has the bounds of
    `share_interval`, NaN where all draws of a bin are of one person.
    """
    probability = sigmoid(logits.astype(np.float64))
    return [
        {
            "n": len(tenth),
            "predicted": float(probability[tenth].mean()),
            "observed": _with_bounds(
                labels[tenth].mean(),
                share_interval(np.bincount(person[tenth], weights=labels[tenth]), np.bincount(person[tenth])),
            ),
        }
        for tenth in probability_deciles(logits)
    ]


def probability_deciles(logits: np.ndarray) -> list[np.ndarray]:
    """Indices of the deciles of the predicted probability, or of fewer bins, as `calibration` uses them."""
    n_bins = min(CALIBRATION_BINS, max(1, len(logits) // MIN_DRAWS_PER_BIN))
    by_probability = np.argsort(sigmoid(logits.astype(np.float64)), kind="stable")
    return [tenth for tenth in np.array_split(by_probability, n_bins) if len(tenth)]


def _percentiles(replicates: np.ndarray, n_people: int) -> Bounds:
    return percentile_interval(replicates) if n_people >= MIN_RESAMPLED else NO_BOUNDS


def _with_bounds(value: float, bounds: Bounds) -> Interval:
    return [float(value), *(bounds if np.isfinite(value) else NO_BOUNDS)]
