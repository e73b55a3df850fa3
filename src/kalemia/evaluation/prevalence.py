"""At real prevalence: every scored draw of a patient's test period, whatever its value, and what alerts would cost.

A draw is positive by its label; all others count as negative here, those without a label too, because nobody can
leave them out at the bedside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kalemia.core.seeds import rng
from kalemia.core.tables import known, table_from_rows, write_table
from kalemia.evaluation.evaluation_period import in_period, period_row
from kalemia.evaluation.metrics import calibration_intercept
from kalemia.evaluation.patient_scores import DECISIONS, Trial
from kalemia.personal.splits import read_split
from kalemia.stats.discrimination import REPLICATES, areas, by_score, resampled_by_score
from kalemia.stats.logistic_regression import fit_slope
from kalemia.stats.tests_and_intervals import UNKNOWN, expanded_interval, times_drawn

SENSITIVITIES = (0.8, 0.9)
PROBABILITIES = np.arange(1, 100) / 100  # of the decision curve


@dataclass(frozen=True)
class Watch:
    """The draws (n,) of the test periods of an arm's patients after one round.

    positive: bool; person: place of the patient; score: mean logit; alerts: bool, by way to decide. patient_days:
    (patients,), calendar days on which a patient had a draw of the period.
    """

    positive: np.ndarray
    person: np.ndarray
    score: np.ndarray
    probability: np.ndarray
    alerts: dict[str, np.ndarray]
    patient_days: np.ndarray


def write_prevalence(
    trials: list[Trial],
    split_paths: Sequence[str | Path],
    arms: Sequence[str],
    seed: int,
    digest: str,
    periods_path: str | Path,
    prevalence_path: str | Path,
    alerts_path: str | Path,
    curve_path: str | Path,
) -> None:
    """Write the test period of every patient and arm, what rounds are worth in them, their alerts and decision curves.

    After each round, over the draws of all patients together; a patient with fewer rounds keeps the last. Intervals
    resample whole patients, because draws of a stay follow each other.
    """
    of_split = {(split["arm"], split["subject_id"]): split for split in map(read_split, split_paths)}
    n_rounds = max((trial.last for trial in trials), default=0) + 1
    periods, worth, alerts, curves = [], [], [], []
    for arm in arms:
        mine = [trial for trial in trials if trial.arm == arm]
        kept = [in_period(trial, of_split[arm, trial.subject_id]) for trial in mine]
        periods += [period_row(trial, keep) for trial, keep in zip(mine, kept, strict=True)]
        if not mine:
            continue
        times = times_drawn(len(mine), REPLICATES, rng(seed, "bootstrap", "periods", arm))
        for round_ in range(n_rounds):
            watch, about = watch_of(mine, kept, round_), {"arm": arm, "round": round_}
            worth.append(about | worth_row(watch, times))
            alerts += [about | row for row in alert_rows(watch, times)]
            curves += [about | row for row in curve_rows(watch)]
    for path, kind, rows in (
        (periods_path, "evaluation_periods", periods),
        (prevalence_path, "prevalence", worth),
        (alerts_path, "alerts", alerts),
        (curve_path, "decision_curve", curves),
    ):
        write_table(path, kind, table_from_rows(kind, list(map(known, rows))), digest)


def watch_of(trials: list[Trial], kept: list[np.ndarray], round_: int) -> Watch:
    """The draws of the test periods `kept` after a round, or after the last where there are fewer."""
    draws = [trial.draws.take(keep) for trial, keep in zip(trials, kept, strict=True)]
    at = [min(round_, trial.last) for trial in trials]
    return Watch(
        positive=np.concatenate([one.labels == 1 for one in draws]),
        person=np.repeat(np.arange(len(draws)), [len(one) for one in draws]),
        score=np.concatenate([one.logit[k] for one, k in zip(draws, at, strict=True)]),
        probability=np.concatenate([one.probability[k] for one, k in zip(draws, at, strict=True)]),
        alerts={
            name: np.concatenate([one.decisions[name][k] == 1 for one, k in zip(draws, at, strict=True)])
            for name in DECISIONS
        },
        patient_days=np.array([len(np.unique(one.days)) for one in draws]),
    )


def worth_row(watch: Watch, times: np.ndarray) -> dict:
    """What the scores say, over all draws: a row of a table of kind "prevalence" but for arm and round.

    times: (replicates, patients), how often each patient is in a resample.
    """
    labels = watch.positive.astype(np.int64)
    auroc, auprc = areas(*by_score(labels, watch.score))
    of_resamples = areas(*resampled_by_score(labels, watch.score, watch.person, times))
    error = (watch.probability - watch.positive) ** 2
    draws = _by_person(watch, np.ones(len(labels)))
    n_people = times.shape[1]
    return {
        "patients": n_people,
        "patient_days": int(watch.patient_days.sum()),
        "n_draws": len(labels),
        "n_positive": int(labels.sum()),
        "mean_probability": _mean(watch.probability),
        "calibration_slope": fit_slope(watch.score, labels),
        "calibration_intercept": calibration_intercept(watch.score, labels),
        **_with_bounds("prevalence", _mean(labels), _ratios(times, _by_person(watch, labels), draws), n_people),
        **_with_bounds("auroc", float(auroc), of_resamples[0], n_people),
        **_with_bounds("auprc", float(auprc), of_resamples[1], n_people),
        **_with_bounds("brier", _mean(error), _ratios(times, _by_person(watch, error), draws), n_people),
    }


def alert_rows(watch: Watch, times: np.ndarray) -> list[dict]:
    """What alerts find and cost: by each way to decide, and at the score where a sensitivity is reached on these draws.

    The latter is a point of the curve and no rule that was fixed beforehand; its resamples each have a score of their
    own.
    """
    rows = [_alert_row(name, watch, alerts, times) for name, alerts in watch.alerts.items()]
    for sensitivity in SENSITIVITIES:
        cut = score_at(sensitivity, watch)
        row = _alert_row(f"sensitivity {sensitivity}", watch, watch.score >= cut, times)
        found, taken = _resampled_at(sensitivity, watch, times)
        of_resamples = {"ppv": _share(found, taken), "alerts_a_day": _share(taken, times @ watch.patient_days)}
        for name, replicates in of_resamples.items():
            row |= _with_bounds(name, row[name], replicates, times.shape[1])
        rows.append(row)
    return rows


def score_at(sensitivity: float, watch: Watch) -> float:
    """The highest score from which on a share of the positive draws is found; NaN without any."""
    scores = np.sort(watch.score[watch.positive])[::-1]
    return float(scores[int(np.ceil(sensitivity * len(scores) - 1e-9)) - 1]) if len(scores) else float("nan")


def net_benefit(positive: np.ndarray, alerts: np.ndarray, probability: float) -> float:
    """True alerts a draw, less false ones weighed by the odds at which treating is worth it (Vickers and Elkin, Med
    Decis Making 2006;26:565); positive and alerts: bool (n,).
    """
    false_weight = probability / (1 - probability)
    return float(np.mean(alerts & positive) - false_weight * np.mean(alerts & ~positive))


def curve_rows(watch: Watch) -> list[dict]:
    """The net benefit over threshold probabilities of alerting from that probability on, and of alerting always."""
    if not len(watch.positive):
        return []
    everybody = np.ones(len(watch.positive), bool)
    return [
        {
            "probability": at,
            "net_benefit": net_benefit(watch.positive, watch.probability >= at, at),
            "treat_all": net_benefit(watch.positive, everybody, at),
        }
        for at in PROBABILITIES.tolist()
    ]


def _alert_row(rule: str, watch: Watch, alerts: np.ndarray, times: np.ndarray) -> dict:
    positive, negative, days = watch.positive, ~watch.positive, watch.patient_days
    n_alerts, n_people = int(alerts.sum()), times.shape[1]
    of_people = _by_person(watch, alerts)
    right = _ratios(times, _by_person(watch, alerts & positive), of_people)
    return {
        "rule": rule,
        "n_alerts": n_alerts,
        "sensitivity": _ratio((alerts & positive).sum(), positive.sum()),
        "specificity": _ratio((~alerts & negative).sum(), negative.sum()),
        **_with_bounds("ppv", _ratio((alerts & positive).sum(), n_alerts), right, n_people),
        "npv": _ratio((~alerts & negative).sum(), (~alerts).sum()),
        **_with_bounds("alerts_a_day", _ratio(n_alerts, days.sum()), _ratios(times, of_people, days), n_people),
        "false_alerts_a_day": _ratio((alerts & negative).sum(), days.sum()),
    }


def _resampled_at(sensitivity: float, watch: Watch, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True alerts and all alerts (replicates,) where each resample reaches the sensitivity; NaN without a positive."""
    positive, all_ = resampled_by_score(watch.positive.astype(np.int64), watch.score, watch.person, times)
    found, taken = np.cumsum(positive, axis=1), np.cumsum(all_, axis=1)
    enough = found >= sensitivity * found[:, -1:] - 1e-9
    at = np.arange(len(times)), np.argmax(enough, axis=1)
    known = found[:, -1] > 0
    return np.where(known, found[at], np.nan), np.where(known, taken[at], np.nan)


def _by_person(watch: Watch, values: np.ndarray) -> np.ndarray:
    return np.bincount(watch.person, weights=values, minlength=len(watch.patient_days))


def _ratios(times: np.ndarray, part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return _share(times @ part, times @ whole)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")


def _with_bounds(name: str, value: float, replicates: np.ndarray, n_people: int) -> dict:
    low, high = UNKNOWN if np.isnan(value) else expanded_interval(replicates, n_people)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
