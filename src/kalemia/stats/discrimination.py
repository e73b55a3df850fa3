"""Discrimination and calibration over many patients, with intervals that resample patients.

Beats of a draw and draws of a patient are correlated. Intervals therefore resample whole patients with replacement
(Field and Welsh 2007), never single beats or draws.
"""

import numpy as np

from kalemia.stats.logistic_regression import sigmoid
from kalemia.stats.summaries import ratios
from kalemia.stats.tests_and_intervals import NO_BOUNDS, bootstrap_counts, percentile_interval

REPLICATES = 1000
CALIBRATION_BINS = 10
MIN_DRAWS_PER_BIN = 8  # with fewer, a share is too uncertain
MAX_SCORE_GROUPS = 2000

Interval = list[float]  # value, and the lower and upper bound around it


def discrimination(
    labels: np.ndarray, logits: np.ndarray, decisions: np.ndarray, subjects: np.ndarray, random: np.random.Generator
) -> dict:
    """Metrics with 95% intervals of beats or draws: `labels` (n,) of 0 or 1, `logits` and `decisions`.

    accuracy, auroc, auprc (average precision) over everything; within_auroc, the mean over the people who have both
    classes of the AUROC of their own alone, which no difference between people can raise; calibration, the predicted
    probability and the share that is positive, by deciles of the predictions. NaN if a class is empty.
    """
    people, person = np.unique(subjects, return_inverse=True)
    times = bootstrap_counts(len(people), REPLICATES, random)
    right = np.asarray(decisions == labels, np.float64)
    within = within_auroc(labels, logits, person)
    has_both = np.isfinite(within)
    auroc, auprc = roc_and_pr_auc(*counts_by_score(labels, logits))
    resampled = roc_and_pr_auc(*bootstrap_counts_by_score(labels, logits, person, times))
    return {
        "n": len(labels),
        "n_positive": int(np.sum(labels == 1)),
        "subjects": len(people),
        "subjects_with_both": int(has_both.sum()),
        "accuracy": _interval(right.mean(), _bootstrap_means(right, person, times)),
        "auroc": _interval(auroc, resampled[0]),
        "auprc": _interval(auprc, resampled[1]),
        "within_auroc": _interval(
            within[has_both].mean() if has_both.any() else np.nan,
            _bootstrap_means(within[has_both], np.arange(has_both.sum()), times[:, has_both]),
        ),
        "calibration": calibration(labels, logits, person, times),
    }


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


def calibration(labels: np.ndarray, logits: np.ndarray, person: np.ndarray, times: np.ndarray) -> list[dict]:
    """Calibration by deciles of the predicted probability: the number, the mean prediction, and the share of positives.

    Fewer than ten bins if those would hold fewer than `MIN_DRAWS_PER_BIN`.
    """
    probability = sigmoid(logits.astype(np.float64))
    return [
        {
            "n": len(tenth),
            "predicted": float(probability[tenth].mean()),
            "observed": _interval(
                labels[tenth].mean(), _bootstrap_means(labels[tenth].astype(np.float64), person[tenth], times)
            ),
        }
        for tenth in probability_deciles(logits)
    ]


def probability_deciles(logits: np.ndarray) -> list[np.ndarray]:
    """Indices of the deciles of the predicted probability, or of fewer bins, as `calibration` uses them."""
    n_bins = min(CALIBRATION_BINS, max(1, len(logits) // MIN_DRAWS_PER_BIN))
    by_probability = np.argsort(sigmoid(logits.astype(np.float64)), kind="stable")
    return [tenth for tenth in np.array_split(by_probability, n_bins) if len(tenth)]


def _bootstrap_means(values: np.ndarray, person: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The mean of `values` (n,) in each replicate, (replicates,); NaN if no patient with a value was drawn."""
    n_people = times.shape[1]
    sums, counts = np.bincount(person, weights=values, minlength=n_people), np.bincount(person, minlength=n_people)
    return ratios(times @ sums, times @ counts)


def _interval(value: float, replicates: np.ndarray) -> Interval:
    return [float(value), *(percentile_interval(replicates) if np.isfinite(value) else NO_BOUNDS)]
