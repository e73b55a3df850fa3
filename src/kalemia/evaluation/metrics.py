"""Metrics of a patient's draws, each of which may count several times, as resamples have it."""

import numpy as np

from kalemia.evaluation.patient_scores import DECISIONS, Draws
from kalemia.stats.discrimination import areas
from kalemia.stats.logistic_regression import fit_offset, fit_slope
from kalemia.stats.tests_and_intervals import UNKNOWN, Bounds, auc_interval, clopper_pearson

OF_SCORES = ("auc", "auprc", "brier")  # need no decision
OF_CALIBRATION = ("calibration_slope", "calibration_intercept")  # of whole sets of draws alone
OF_DECISIONS = ("accuracy", "sensitivity", "specificity", "ppv", "npv")
EVERY = (
    *((None, metric) for metric in (*OF_SCORES, *OF_CALIBRATION)),
    *((decision, metric) for decision in DECISIONS for metric in OF_DECISIONS),
)  # (way to decide or None, metric)


def weighted(metric: str, draws: Draws, round_: int, decision: str | None, times: np.ndarray) -> np.ndarray:
    """A metric of `OF_SCORES` or `OF_DECISIONS` after a round, (replicates,), when draws count `times` (replicates, n).

    auc: the area under the ROC curve; auprc: average precision; brier: the mean squared error of the probability
    (Brier, Mon Weather Rev 1950;78:1). NaN where nothing counts, say the PPV without an alert.
    """
    times = times.astype(np.float64)
    if metric in OF_DECISIONS:
        right, among = _hits(metric, draws.labels, draws.decisions[decision][round_])
        return _share(times @ right, times @ among)
    if metric == "brier":
        return _share(times @ (draws.probability[round_] - draws.labels) ** 2, times.sum(axis=1))
    _, group = np.unique(-draws.logit[round_], return_inverse=True)
    member = np.equal.outer(group, np.arange(group.max(initial=-1) + 1)).astype(np.float64)
    auc, auprc = areas((times * (draws.labels == 1)) @ member, times @ member)
    return auc if metric == "auc" else auprc


def value(metric: str, draws: Draws, round_: int, decision: str | None) -> float:
    """Any metric of `EVERY` of labeled draws after a round, each counting once."""
    logit = draws.logit[round_]
    if metric == "calibration_slope":
        return fit_slope(logit, draws.labels)
    if metric == "calibration_intercept":
        return calibration_intercept(logit, draws.labels)
    return float(weighted(metric, draws, round_, decision, np.ones((1, len(draws))))[0])


def calibration_intercept(logit: np.ndarray, labels: np.ndarray) -> float:
    """The constant that makes the mean prediction right: calibration in the large (Van Calster et al., J Clin
    Epidemiol 2016;74:167), above 0 where too little was predicted; NaN without one of the classes.
    """
    return fit_offset(logit, labels)[0] if 0 < np.sum(labels == 1) < len(labels) else float("nan")


def exact_interval(metric: str, draws: Draws, round_: int, decision: str | None, of: float) -> tuple[int, *Bounds]:
    """How many draws one patient's metric of value `of` rests on, and its 95% interval as if they were independent.

    Exact for shares of draws (`statistics.clopper_pearson`), `statistics.auc_interval` for the AUC, NaN for others.
    """
    if metric in OF_DECISIONS:
        right, among = _hits(metric, draws.labels, draws.decisions[decision][round_])
        return int(among.sum()), *clopper_pearson(int(right.sum()), int(among.sum()))
    n_positive = int(np.sum(draws.labels == 1))
    bounds = auc_interval(of, n_positive, len(draws) - n_positive) if metric == "auc" else UNKNOWN
    return len(draws), *bounds


def _hits(metric: str, labels: np.ndarray, decisions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which draws (n,) the metric asks for, as 1.0, and which of them are right."""
    among = {
        "accuracy": np.ones(len(labels), bool),
        "sensitivity": labels == 1,
        "specificity": labels == 0,
        "ppv": decisions == 1,
        "npv": decisions == 0,
    }[metric]
    return (among & (decisions == labels)).astype(np.float64), among.astype(np.float64)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
