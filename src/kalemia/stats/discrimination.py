"""How well scores tell two classes apart over many people: areas, calibration, and intervals that resample people.

Beats of a draw, and draws of a person, are alike. So an interval here comes from drawing whole people with
replacement (Field and Welsh 2007), never single beats or draws.
"""

import numpy as np

from kalemia.stats.tests_and_intervals import UNKNOWN, percentile_interval, times_drawn

REPLICATES = 1000
CALIBRATION_BINS = 10
FEWEST_IN_BIN = 8  # where there are fewer, a share says nothing
GROUPS = 2000

Interval = list[float]  # value, and the lower and upper bound around it


def discrimination(
    labels: np.ndarray, logits: np.ndarray, decisions: np.ndarray, subjects: np.ndarray, random: np.random.Generator
) -> dict:
    """What `labels` (n,), 0 or 1, `logits` and `decisions` of beats or of draws say, with 95% intervals.

    accuracy, auroc, auprc (average precision) over everything; within_auroc, the mean over the people who have both
    classes of the AUROC of their own alone, which no difference between people can raise; calibration, the predicted
    probability and the share that is positive, by tenths of the predictions. NaN where a class is empty.
    """
    people, person = np.unique(subjects, return_inverse=True)
    times = times_drawn(len(people), REPLICATES, random)
    right = np.asarray(decisions == labels, np.float64)
    within = within_auroc(labels, logits, person)
    has_both = np.isfinite(within)
    auroc, auprc = areas(*by_score(labels, logits))
    resampled = areas(*resampled_by_score(labels, logits, person, times))
    return {
        "n": len(labels),
        "n_positive": int(np.sum(labels == 1)),
        "subjects": len(people),
        "subjects_with_both": int(has_both.sum()),
        "accuracy": _interval(right.mean(), _means_of_people(right, person, times)),
        "auroc": _interval(auroc, resampled[0]),
        "auprc": _interval(auprc, resampled[1]),
        "within_auroc": _interval(
            within[has_both].mean() if has_both.any() else np.nan,
            _means_of_people(within[has_both], np.arange(has_both.sum()), times[:, has_both]),
        ),
        "calibration": calibration(labels, logits, person, times),
    }


def by_score(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many positives, and how many in all, have each score, from the highest score down: (distinct scores,)."""
    _, group = np.unique(-scores, return_inverse=True)
    return np.bincount(group, weights=labels == 1), np.bincount(group).astype(np.float64)


def areas(positive: np.ndarray, all_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Under the ROC curve, ties counting half, and under precision over recall as average precision.

    From counts, or sums of weights, (..., groups) as of `by_score`; NaN without both classes.
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


def resampled_by_score(
    labels: np.ndarray, scores: np.ndarray, person: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `by_score`, (replicates, groups), when every person counts as often as drawn.

    Neighboring scores share one of at most `GROUPS` groups, which moves an area by less than a ten-thousandth and lets
    all replicates be one matrix product.
    """
    _, group, n_of_score = np.unique(-scores, return_inverse=True, return_counts=True)
    higher = (np.cumsum(n_of_score) - n_of_score)[group]
    _, group = np.unique(higher * GROUPS // max(len(scores), GROUPS), return_inverse=True)
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
    return np.array([areas(*by_score(labels[part], scores[part]))[0] for part in parts])


def calibration(labels: np.ndarray, logits: np.ndarray, person: np.ndarray, times: np.ndarray) -> list[dict]:
    """By tenths of the predicted probability: how many, the mean prediction, and the share that is positive.

    Fewer parts than ten where those would hold fewer than `FEWEST_IN_BIN`.
    """
    probability = _probability(logits)
    return [
        {
            "n": len(tenth),
            "predicted": float(probability[tenth].mean()),
            "observed": _interval(
                labels[tenth].mean(), _means_of_people(labels[tenth].astype(np.float64), person[tenth], times)
            ),
        }
        for tenth in tenths(logits)
    ]


def tenths(logits: np.ndarray) -> list[np.ndarray]:
    """The places of the tenths of the predicted probability, or of fewer parts, as `calibration` takes them."""
    n_bins = min(CALIBRATION_BINS, max(1, len(logits) // FEWEST_IN_BIN))
    by_probability = np.argsort(_probability(logits), kind="stable")
    return [tenth for tenth in np.array_split(by_probability, n_bins) if len(tenth)]


def _probability(logits: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))


def _means_of_people(values: np.ndarray, person: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The mean of `values` (n,) in each replicate, (replicates,); NaN where nobody who has one was drawn."""
    n_people = times.shape[1]
    sums, counts = np.bincount(person, weights=values, minlength=n_people), np.bincount(person, minlength=n_people)
    n_drawn = times @ counts
    return np.divide(times @ sums, n_drawn, out=np.full(len(n_drawn), np.nan), where=n_drawn > 0)


def _interval(value: float, replicates: np.ndarray) -> Interval:
    return [float(value), *(percentile_interval(replicates) if np.isfinite(value) else UNKNOWN)]
