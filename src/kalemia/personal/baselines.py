"""Baselines: simpler scores of the test draws, beside those of the personal networks.

Every baseline learns from the training draws, and from no others of the patient. To add one, add a function and an
entry to `BASELINES`; then `make generate`. A new comparator also belongs to `COMPARATORS` of `core.settings.verdict`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kalemia.core.config import Range
from kalemia.stats.boosted_stumps import fit_boosted_stumps
from kalemia.stats.draw_metrics import best_threshold
from kalemia.stats.logistic_regression import fit_logistic, fit_offset
from kalemia.stats.minirocket import fit_minirocket
from kalemia.stats.mixed_model import MixedModel
from kalemia.stats.ridge import fit_ridge


@dataclass(frozen=True)
class DrawSet:
    """Some labeled draws of a patient (n,), and the values that baselines may use.

    values: of the analyte. logit and decision: of the generic network. pooled: the features of its head (n, channels).
    mean_beat: (n, 60) in mV, means of neighboring samples. measures: of the median beat (n, 6). The others are from the
    context table; NaN if not known.
    """

    labels: np.ndarray
    values: np.ndarray
    logit: np.ndarray
    decision: np.ndarray
    pooled: np.ndarray
    mean_beat: np.ndarray
    measures: np.ndarray
    heart_rate_bpm: np.ndarray
    last_value: np.ndarray
    last_label: np.ndarray
    hours_since_last: np.ndarray
    hours_since_admission: np.ndarray

    def take(self, places: np.ndarray) -> "DrawSet":
        return DrawSet(*(getattr(self, name)[places] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Background:
    """What baselines know beside the patient's draws.

    positive: the values of the positive class. mixed_model: of the generic patients' values on `DrawSet.measures`; None
    if they have too few draws.
    """

    positive: Range
    mixed_model: MixedModel | None


Scores = tuple[np.ndarray, np.ndarray]  # scores (n,) that order the test draws, and decisions (n,) of 0 and 1


@dataclass(frozen=True)
class Baseline:
    """One baseline, named by its key in `BASELINES`.

    role: a key of `ROLES`. doc: a description in one sentence. score: scores the test draws after training on the
    training draws, which hold both classes, or returns None if it cannot; None in its place if that needs other
    patients, so that the evaluation adds it.
    """

    role: str
    doc: str
    score: Callable[[DrawSet, DrawSet, Background], Scores | None] | None


REFERENCE, COMPARATOR, DECISION, CLOCK, HISTORY = "reference", "comparator", "decision", "clock", "history"
ROLES = {
    REFERENCE: "What the claim *personal* compares with.",
    COMPARATOR: "Reads the ECG, and may do as well as a network: the claim *needs network* is against one of these.",
    DECISION: "Changes the decisions of the generic network, and not the order in which it puts the draws.",
    CLOCK: "Knows the time only. If it does well, the test tells early from late.",
    HISTORY: "Knows earlier laboratory values only: the claim *adds* is about these.",
}


def _generic(train: DrawSet, test: DrawSet, background: Background) -> Scores:
    return test.logit, test.decision


def _threshold(train: DrawSet, test: DrawSet, background: Background) -> Scores:
    return _decide_by_sign(test.logit - best_threshold(train.logit, train.labels))


def _platt_offset(train: DrawSet, test: DrawSet, background: Background) -> Scores:
    offset, _ = fit_offset(train.logit, train.labels)
    return _decide_by_sign(test.logit + offset)


def _nearest_mean(train: DrawSet, test: DrawSet, background: Background) -> Scores:
    squared_distances = [
        ((test.pooled - train.pooled[train.labels == label].mean(axis=0)) ** 2).sum(axis=1) for label in (0, 1)
    ]
    return _decide_by_sign(squared_distances[0] - squared_distances[1])


def _logistic_regression(values: Callable[[DrawSet], np.ndarray]) -> Callable[[DrawSet, DrawSet, Background], Scores]:
    """A baseline that fits a logistic regression on values (n, columns)."""

    def score(train: DrawSet, test: DrawSet, background: Background) -> Scores:
        return _decide_by_sign(fit_logistic(values(train), train.labels).score(values(test)))

    return score


def _last_value(train: DrawSet, test: DrawSet, background: Background) -> Scores:
    return _decide_by_sign(_distance_into(background.positive, test.last_value))


def _last_label(train: DrawSet, test: DrawSet, background: Background) -> Scores:
    return _decide_by_sign(np.nan_to_num(2 * test.last_label - 1))


def _minirocket(train: DrawSet, test: DrawSet, background: Background) -> Scores:
    features = fit_minirocket(train.mean_beat, _MINIROCKET_FEATURES).features
    return _decide_by_sign(fit_ridge(features(train.mean_beat), train.labels).score(features(test.mean_beat)))


def _boosted_measures(train: DrawSet, test: DrawSet, background: Background) -> Scores:
    return _decide_by_sign(
        fit_boosted_stumps(_measures_and_times(train), train.labels).score(_measures_and_times(test))
    )


def _mixed_model(train: DrawSet, test: DrawSet, background: Background) -> Scores | None:
    model = background.mixed_model
    if model is None:
        return None
    values = model.predict(train.measures, train.values, test.measures)
    return _decide_by_sign(_distance_into(background.positive, values))


def _measures_and_times(draws: DrawSet) -> np.ndarray:
    return np.column_stack([draws.measures, draws.heart_rate_bpm, draws.hours_since_last])


CROSS_PATIENT = "random_intercept"
BASELINES = {
    "generic": Baseline(REFERENCE, "The generic network, without any personalization.", _generic),
    "mean_beat": Baseline(
        COMPARATOR,
        "A logistic regression on the mean beat of a draw (60 samples).",
        _logistic_regression(lambda draws: draws.mean_beat),
    ),
    "minirocket": Baseline(
        COMPARATOR,
        "A ridge on MiniRocket features of the mean beat (shares of it that resemble small patterns).",
        _minirocket,
    ),
    "ecg_measures": Baseline(
        COMPARATOR,
        "A logistic regression on T amplitude, T/R ratio, T slope, QRS width, PR and QT of the median beat.",
        _logistic_regression(lambda draws: draws.measures),
    ),
    "boosted_measures": Baseline(
        COMPARATOR,
        "Gradient boosting on these measures, heart rate and the hours since the last known value.",
        _boosted_measures,
    ),
    "mixed_model": Baseline(
        COMPARATOR,
        "The value predicted from T amplitude, T/R ratio, T slope, QRS width, PR and QT by a mixed model of the generic"
        " patients, with an intercept and slopes of the patient's own.",
        _mixed_model,
    ),
    "heart_rate": Baseline(
        COMPARATOR,
        "A logistic regression on heart rate.",
        _logistic_regression(lambda draws: draws.heart_rate_bpm[:, None]),
    ),
    "linear_probe": Baseline(
        COMPARATOR,
        "A logistic regression on the features of the generic network's head.",
        _logistic_regression(lambda draws: draws.pooled),
    ),
    "nearest_mean": Baseline(
        COMPARATOR, "The nearest class mean of the features of the generic network's head.", _nearest_mean
    ),
    "recalibrated": Baseline(
        COMPARATOR,
        "The generic network's logit times a slope of the patient's own, plus a constant; the slope may be negative.",
        _logistic_regression(lambda draws: draws.logit[:, None]),
    ),
    "threshold": Baseline(DECISION, "The patient's own threshold on the logit of the generic network.", _threshold),
    "platt_offset": Baseline(
        DECISION,
        "The patient's own constant added to the logit of the generic network (Platt scaling with slope 1).",
        _platt_offset,
    ),
    CROSS_PATIENT: Baseline(DECISION, "The Platt offset, shrunk toward the mean of the other patients.", None),
    "time_since_admission": Baseline(
        CLOCK,
        "A logistic regression on the hours since admission.",
        _logistic_regression(lambda draws: draws.hours_since_admission[:, None]),
    ),
    "last_value": Baseline(HISTORY, "The last value that was known at the time of the draw.", _last_value),
    "last_label": Baseline(HISTORY, "The label of the last known value that has a label.", _last_label),
}
_MINIROCKET_FEATURES = 1008  # a tenth of the published number: as good for 60 samples (docs/dependencies.md)
_DECIMALS = 4  # more than a laboratory reports


def of_role(role: str) -> list[str]:
    """The names of the baselines of a role."""
    return [name for name, baseline in BASELINES.items() if baseline.role == role]


def score_baselines(train: DrawSet, test: DrawSet, background: Background) -> dict[str, Scores]:
    """The scores of the test draws by every baseline that needs no other personal patient and can score them."""
    found = {name: one.score(train, test, background) for name, one in BASELINES.items() if one.score}
    return {name: scores for name, scores in found.items() if scores is not None}


def _distance_into(positive: Range, values: np.ndarray) -> np.ndarray:
    """How far values are inside the positive range: above 0 inside, 0 or less outside, 0 for NaN; float64 (n,)."""
    values = np.round(values.astype(np.float64), _DECIMALS)  # 5.3 is 5.30000019 as the float32 of a table
    bound, direction = (positive.above, 1) if np.isfinite(positive.above) else (positive.from_, 1)
    if not np.isfinite(bound):
        bound, direction = min(positive.below, positive.to), -1
    on_bound = (values == bound) & positive.contains(values)
    return np.where(on_bound, 0.1**_DECIMALS, np.nan_to_num(direction * (values - bound)))


def shrink_intercepts(offsets: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Shrink each patient's offset toward the mean of the others, the more the less patients differ.

    An empirical Bayes estimate of a random intercept; the variance between patients is the moment estimate of
    DerSimonian and Laird (Control Clin Trials 1986;7:177), for each patient from the others alone. It cannot be
    estimated from fewer than three patients, who therefore keep their own offsets.
    """
    if len(offsets) < 3:
        return offsets
    return np.array([_shrink(offsets, variances, i) for i in range(len(offsets))])


def _shrink(offsets: np.ndarray, variances: np.ndarray, i: int) -> float:
    others = np.arange(len(offsets)) != i
    values, weights = offsets[others], 1 / variances[others]
    mean = np.average(values, weights=weights)
    excess = np.sum(weights * (values - mean) ** 2) - (len(values) - 1)
    between = max(0.0, excess / (weights.sum() - np.sum(weights**2) / weights.sum()))
    weights = 1 / (variances[others] + between)
    mean = np.average(values, weights=weights)
    return float(mean + (offsets[i] - mean) * between / (between + variances[i]))


def _decide_by_sign(scores: np.ndarray) -> Scores:
    return scores, (scores > 0).astype(np.int8)
