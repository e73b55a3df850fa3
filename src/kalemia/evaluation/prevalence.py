"""Discrimination, calibration and alerts at the prevalence of the patients: over all draws of the evaluation periods.

That prevalence is of patients who were chosen for their positive draws, so PPV is also given for stated prevalences.

All draws that are not labeled positive count as negative here, also those without a label, because they cannot be left
out at the bedside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kalemia.core.seeds import rng
from kalemia.core.tables import nan_to_none, write_evaluation_table
from kalemia.evaluation.evaluation_period import period_mask, period_row
from kalemia.evaluation.metrics import calibration_intercept
from kalemia.evaluation.patient_scores import DECISION_RULES, PatientArmScores
from kalemia.personal.splits import read_split
from kalemia.stats.discrimination import REPLICATES, bootstrap_counts_by_score, within_auroc
from kalemia.stats.logistic_regression import fit_slope
from kalemia.stats.summaries import mean, ratio, ratios
from kalemia.stats.tests_and_intervals import NO_BOUNDS, bootstrap_counts, expanded_interval

SENSITIVITIES = (0.8, 0.9)
STATED_PREVALENCES = (0.03, 0.05, 0.1)  # to which PPV is weighted
PROBABILITIES = np.arange(1, 100) / 100  # of the decision curve


@dataclass(frozen=True)
class PooledDraws:
    """The draws (n,) of the evaluation periods of all patients of an arm, after one round.

    positive: bool; person: index of the patient; score: mean logit; alerts: bool, by decision rule. patient_days:
    (patients,), calendar days on which a patient had a draw of the period.
    """

    positive: np.ndarray
    person: np.ndarray
    score: np.ndarray
    probability: np.ndarray
    alerts: dict[str, np.ndarray]
    patient_days: np.ndarray


def write_prevalence(
    trials: list[PatientArmScores],
    split_paths: Sequence[str | Path],
    arms: Sequence[str],
    seed: int,
    digest: str,
    folder: str | Path,
) -> None:
    """Write the evaluation periods, and the metrics, alerts and decision curves over their draws.

    Each round is over the draws of all patients together; a patient with fewer rounds keeps the last. Intervals
    resample whole patients, because draws of a stay follow each other.
    """
    of_split = {(split["arm"], split["subject_id"]): split for split in map(read_split, split_paths)}
    n_rounds = max((trial.last for trial in trials), default=0) + 1
    periods, worth, alerts, curves = [], [], [], []
    for arm in arms:
        mine = [trial for trial in trials if trial.arm == arm]
        kept = [period_mask(trial, of_split[arm, trial.subject_id]) for trial in mine]
        periods += [period_row(trial, keep) for trial, keep in zip(mine, kept, strict=True)]
        if not mine:
            continue
        times = bootstrap_counts(len(mine), REPLICATES, rng(seed, "bootstrap", "periods", arm))
        for round_ in range(n_rounds):
            pooled, keys = pool_draws(mine, kept, round_), {"arm": arm, "round": round_}
            worth.append(keys | prevalence_row(pooled, times))
            alerts += [keys | row for row in alert_rows(pooled, times)]
            curves += [keys | row for row in decision_curve_rows(pooled)]
    tables = {"evaluation_periods": periods, "prevalence": worth, "alerts": alerts, "decision_curve": curves}
    for kind, rows in tables.items():
        write_evaluation_table(folder, kind, list(map(nan_to_none, rows)), digest)


def pool_draws(trials: list[PatientArmScores], kept: list[np.ndarray], round_: int) -> PooledDraws:
    """The draws of the evaluation periods `kept` after a round, or after the last round if a patient has fewer."""
    draws = [trial.draws.take(keep) for trial, keep in zip(trials, kept, strict=True)]
    at = [min(round_, trial.last) for trial in trials]
    return PooledDraws(
        positive=np.concatenate([one.labels == 1 for one in draws]),
        person=np.repeat(np.arange(len(draws)), [len(one) for one in draws]),
        score=np.concatenate([one.logit[k] for one, k in zip(draws, at, strict=True)]),
        probability=np.concatenate([one.probability[k] for one, k in zip(draws, at, strict=True)]),
        alerts={
            name: np.concatenate([one.decisions[name][k] == 1 for one, k in zip(draws, at, strict=True)])
            for name in DECISION_RULES
        },
        patient_days=np.array([len(np.unique(one.days)) for one in draws]),
    )


def prevalence_row(pooled: PooledDraws, times: np.ndarray) -> dict:
    """Metrics of the scores over all draws: a row of the table "prevalence" without arm and round.

    Discrimination is the mean over patients of each one's own area under the ROC curve: the scores of their networks
    share no scale, and pooled over twelve networks of 0.8 each an area may be 0.6.

    times: (replicates, patients), how often each patient is in a resample.
    """
    labels = pooled.positive.astype(np.int64)
    within = within_auroc(labels, pooled.score, pooled.person)
    both = np.isfinite(within)
    error = (pooled.probability - pooled.positive) ** 2
    draws = _sum_by_patient(pooled, np.ones(len(labels)))
    n_people = times.shape[1]
    return {
        "patients": n_people,
        "patient_days": int(pooled.patient_days.sum()),
        "n_draws": len(labels),
        "n_positive": int(labels.sum()),
        "mean_probability": mean(pooled.probability),
        "calibration_slope": fit_slope(pooled.score, labels),
        "calibration_intercept": calibration_intercept(pooled.score, labels),
        **_value_and_bounds(
            "prevalence", mean(labels), _bootstrap_ratios(times, _sum_by_patient(pooled, labels), draws), n_people
        ),
        "patients_with_both": int(both.sum()),
        **_value_and_bounds(
            "within_auroc",
            mean(within[both]),
            _bootstrap_ratios(times[:, both], within[both], np.ones(both.sum())),
            int(both.sum()),
        ),
        **_value_and_bounds(
            "brier", mean(error), _bootstrap_ratios(times, _sum_by_patient(pooled, error), draws), n_people
        ),
    }


def alert_rows(pooled: PooledDraws, times: np.ndarray) -> list[dict]:
    """Alerts by each decision rule, and at the score at which a sensitivity is reached on these draws.

    The latter is a point of the ROC curve, not a rule that was fixed beforehand; each resample has its own score.
    """
    rows = [_alert_row(name, pooled, alerts, times) for name, alerts in pooled.alerts.items()]
    for sensitivity in SENSITIVITIES:
        cut = threshold_at_sensitivity(sensitivity, pooled)
        row = _alert_row(f"sensitivity {sensitivity}", pooled, pooled.score >= cut, times)
        found, taken = _resampled_at(sensitivity, pooled, times)
        of_resamples = {"ppv": ratios(found, taken), "alerts_a_day": ratios(taken, times @ pooled.patient_days)}
        of_resamples |= _weighted_ppvs(*_shares_of_classes(pooled, times, found, taken))
        for name, replicates in of_resamples.items():
            row |= _value_and_bounds(name, row[name], replicates, times.shape[1])
        rows.append(row)
    return rows


def threshold_at_sensitivity(sensitivity: float, pooled: PooledDraws) -> float:
    """The highest threshold at which the sensitivity is reached; NaN without a positive draw."""
    scores = np.sort(pooled.score[pooled.positive])[::-1]
    return float(scores[int(np.ceil(sensitivity * len(scores) - 1e-9)) - 1]) if len(scores) else float("nan")


def net_benefit(positive: np.ndarray, alerts: np.ndarray, probability: float) -> float:
    """True alerts per draw, minus false ones weighted by the odds of the threshold probability (Vickers and Elkin, Med
    Decis Making 2006;26:565); positive and alerts: bool (n,).
    """
    false_weight = probability / (1 - probability)
    return float(np.mean(alerts & positive) - false_weight * np.mean(alerts & ~positive))


def weight_ppv(sensitivity: np.ndarray, false_share: np.ndarray, prevalence: float) -> np.ndarray:
    """The share of alerts that are right at a prevalence, from the share of positive and of negative draws with an
    alert (Bayes); NaN without an alert.
    """
    right, wrong = prevalence * np.asarray(sensitivity), (1 - prevalence) * np.asarray(false_share)
    return ratios(np.atleast_1d(right), np.atleast_1d(right + wrong)).reshape(right.shape)


def ppv_column(prevalence: float) -> str:
    """The name of the column of PPV at a stated prevalence."""
    return f"ppv_at_{100 * prevalence:.0f}"


def decision_curve_rows(pooled: PooledDraws) -> list[dict]:
    """Net benefit by threshold probability: of alerting from that probability on, and of always alerting."""
    if not len(pooled.positive):
        return []
    everybody = np.ones(len(pooled.positive), bool)
    return [
        {
            "probability": at,
            "net_benefit": net_benefit(pooled.positive, pooled.probability >= at, at),
            "treat_all": net_benefit(pooled.positive, everybody, at),
        }
        for at in PROBABILITIES.tolist()
    ]


def _alert_row(rule: str, pooled: PooledDraws, alerts: np.ndarray, times: np.ndarray) -> dict:
    positive, negative, days = pooled.positive, ~pooled.positive, pooled.patient_days
    n_alerts, n_people = int(alerts.sum()), times.shape[1]
    of_people = _sum_by_patient(pooled, alerts)
    right_by_patient = _sum_by_patient(pooled, alerts & positive)
    right = _bootstrap_ratios(times, right_by_patient, of_people)
    sensitivity, specificity = (ratio((a & c).sum(), c.sum()) for a, c in ((alerts, positive), (~alerts, negative)))
    weighted = _weighted_ppvs(sensitivity, 1 - specificity)
    resampled = _weighted_ppvs(*_shares_of_classes(pooled, times, times @ right_by_patient, times @ of_people))
    return {
        "rule": rule,
        "n_alerts": n_alerts,
        "sensitivity": sensitivity,
        "specificity": specificity,
        **_value_and_bounds("ppv", ratio((alerts & positive).sum(), n_alerts), right, n_people),
        **{
            key: bound
            for name, value in weighted.items()
            for key, bound in _value_and_bounds(name, float(value), resampled[name], n_people).items()
        },
        "npv": ratio((~alerts & negative).sum(), (~alerts).sum()),
        **_value_and_bounds(
            "alerts_a_day", ratio(n_alerts, days.sum()), _bootstrap_ratios(times, of_people, days), n_people
        ),
        "false_alerts_a_day": ratio((alerts & negative).sum(), days.sum()),
    }


def _resampled_at(sensitivity: float, pooled: PooledDraws, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True alerts and all alerts (replicates,) where each resample reaches the sensitivity; NaN without a positive."""
    positive, all_ = bootstrap_counts_by_score(pooled.positive.astype(np.int64), pooled.score, pooled.person, times)
    found, taken = np.cumsum(positive, axis=1), np.cumsum(all_, axis=1)
    enough = found >= sensitivity * found[:, -1:] - 1e-9
    at = np.arange(len(times)), np.argmax(enough, axis=1)
    known = found[:, -1] > 0
    return np.where(known, found[at], np.nan), np.where(known, taken[at], np.nan)


def _shares_of_classes(
    pooled: PooledDraws, times: np.ndarray, right: np.ndarray, all_: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The share of positive and of negative draws with an alert in each resample, from its right and all alerts."""
    n_positive, n_negative = (times @ _sum_by_patient(pooled, of) for of in (pooled.positive, ~pooled.positive))
    return ratios(right, n_positive), ratios(all_ - right, n_negative)


def _weighted_ppvs(sensitivity: np.ndarray, false_share: np.ndarray) -> dict[str, np.ndarray]:
    return {ppv_column(share): weight_ppv(sensitivity, false_share, share) for share in STATED_PREVALENCES}


def _sum_by_patient(pooled: PooledDraws, values: np.ndarray) -> np.ndarray:
    return np.bincount(pooled.person, weights=values, minlength=len(pooled.patient_days))


def _bootstrap_ratios(times: np.ndarray, part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return ratios(times @ part, times @ whole)


def _value_and_bounds(name: str, value: float, replicates: np.ndarray, n_people: int) -> dict:
    """Without bounds where all resamples are equal: they cannot give what was not observed."""
    low, high = NO_BOUNDS if np.isnan(value) else expanded_interval(replicates, n_people)
    low, high = (low, high) if low < high else NO_BOUNDS
    return {name: value, f"{name}_low": low, f"{name}_high": high}
