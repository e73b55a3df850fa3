"""Metrics of a patient's draws, in which each draw may count several times, as in a bootstrap resample."""

import numpy as np

from kalemia.evaluation.effective_sample_size import Episodes
from kalemia.evaluation.patient_scores import DECISION_RULES, ScoredDraws
from kalemia.stats.discrimination import roc_and_pr_auc
from kalemia.stats.logistic_regression import fit_offset
from kalemia.stats.summaries import ratios
from kalemia.stats.tests_and_intervals import NO_BOUNDS, Bounds, auc_interval, clopper_pearson

SCORE_METRICS = ("auc", "auprc", "brier")  # need no decision
CALIBRATION_METRIC = "calibration_intercept"  # not bootstrapped; a patient has too few draws for a slope
DECISION_METRICS = ("accuracy", "sensitivity", "specificity", "ppv", "npv")
ALL_METRICS = (
    *((None, metric) for metric in (*SCORE_METRICS, CALIBRATION_METRIC)),
    *((decision, metric) for decision in DECISION_RULES for metric in DECISION_METRICS),
)  # (decision rule or None, metric)


def weighted_metric(
    metric: str, draws: ScoredDraws, round_: int, decision: str | None, times: np.ndarray
) -> np.ndarray:
    """A metric of `SCORE_METRICS` or `DECISION_METRICS` after a round, (replicates,).

    times: (replicates, n), how often each draw counts.

    auc: the area under the ROC curve; auprc: average precision; brier: the mean squared error of the probability
    (Brier, Mon Weather Rev 1950;78:1). NaN if no draw counts, for example the PPV without an alert.
    """
    times = times.astype(np.float64)
    if metric in DECISION_METRICS:
        right, among = _correct_and_counted(metric, draws.labels, draws.decisions[decision][round_])
        return ratios(times @ right, times @ among)
    if metric == "brier":
        return ratios(times @ (draws.probability[round_] - draws.labels) ** 2, times.sum(axis=1))
    _, group = np.unique(-draws.logit[round_], return_inverse=True)
    member = np.equal.outer(group, np.arange(group.max(initial=-1) + 1)).astype(np.float64)
    auc, auprc = roc_and_pr_auc((times * (draws.labels == 1)) @ member, times @ member)
    return auc if metric == "auc" else auprc


def metric_value(metric: str, draws: ScoredDraws, round_: int, decision: str | None) -> float:
    """Any metric of `ALL_METRICS` of labeled draws after a round, each counting once."""
    if metric == CALIBRATION_METRIC:
        return calibration_intercept(draws.logit[round_], draws.labels)
    return float(weighted_metric(metric, draws, round_, decision, np.ones((1, len(draws))))[0])


def calibration_intercept(logit: np.ndarray, labels: np.ndarray) -> float:
    """The offset that makes the mean prediction correct: calibration in the large (Van Calster et al., J Clin
    Epidemiol 2016;74:167). Above 0 if predictions are too low; NaN if one of the classes is missing.
    """
    return fit_offset(logit, labels)[0] if 0 < np.sum(labels == 1) < len(labels) else float("nan")


def one_patient_interval(
    metric: str, draws: ScoredDraws, round_: int, decision: str | None, of: float, episodes: Episodes
) -> tuple[int, *Bounds]:
    """The number of draws that one patient's metric of value `of` is computed from, and its 95% interval.

    `clopper_pearson` for shares of draws, `auc_interval` for the AUC, both with the effective number of draws, since
    draws of one episode are alike; NaN for others.
    """
    if metric in DECISION_METRICS:
        _, among = _correct_and_counted(metric, draws.labels, draws.decisions[decision][round_])
        worth = episodes.effective_draws(among > 0)
        return int(among.sum()), *(clopper_pearson(of * worth, worth) if worth else NO_BOUNDS)
    if metric != "auc":
        return len(draws), *NO_BOUNDS
    return len(draws), *auc_interval(of, *(episodes.effective_draws(draws.labels == label) for label in (1, 0)))


def _correct_and_counted(metric: str, labels: np.ndarray, decisions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The draws (n,) that are decided correctly and those that the metric counts, as 1.0."""
    among = {
        "accuracy": np.ones(len(labels), bool),
        "sensitivity": labels == 1,
        "specificity": labels == 0,
        "ppv": decisions == 1,
        "npv": decisions == 0,
    }[metric]
    return (among & (decisions == labels)).astype(np.float64), among.astype(np.float64)
