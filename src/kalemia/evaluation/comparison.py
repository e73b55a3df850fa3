"""Averages of each metric over patients, and comparisons between rounds and between arms."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from kalemia.core.config import GENERIC
from kalemia.core.tables import nan_to_none, write_evaluation_table
from kalemia.evaluation.bootstrap import (
    PatientResamples,
    count_draws,
    resample_patients,
    resample_test_draws,
    write_resampled_draws,
    write_resampled_patients,
)
from kalemia.evaluation.effective_sample_size import Episodes
from kalemia.evaluation.metrics import (
    ALL_METRICS,
    CALIBRATION_METRIC,
    metric_value,
    one_patient_interval,
    weighted_metric,
)
from kalemia.evaluation.patient_scores import PatientArmScores
from kalemia.stats.tests_and_intervals import holm, mann_whitney, wilcoxon

COMPARED_METRICS = (
    "auc",
    "auprc",
    "brier",
    "accuracy",
    "sensitivity",
    "specificity",
)  # the last three by the decision rule of the study


@dataclass(frozen=True)
class MetricCurves:
    """One metric in one arm, one row per patient: (patients, rounds), and (patients, rounds, replicates).

    A patient with fewer rounds keeps what the last one gave, so that every round is over the same people. `last` is the
    last round of each (patients,).
    """

    subject_ids: tuple[int, ...]
    last: np.ndarray
    values: np.ndarray
    resampled: np.ndarray | None

    def select(self, subject_ids: Sequence[int]) -> "MetricCurves":
        """The curves of some of the patients, in that order."""
        rows = [self.subject_ids.index(subject) for subject in subject_ids]
        return MetricCurves(
            tuple(subject_ids),
            self.last[rows],
            self.values[rows],
            None if self.resampled is None else self.resampled[rows],
        )


def write_comparison(
    trials: list[PatientArmScores],
    episodes: dict[tuple[str, int], Episodes],
    arms: Sequence[str],
    decision: str,
    seed: int,
    digest: str,
    folder: str | Path,
) -> None:
    """Write each patient's metrics, their averages, the tests between rounds and arms, and the resamples under them.

    decision: the decision rule for the comparisons of accuracy, sensitivity and specificity.
    """
    write_evaluation_table(folder, "patient_metrics", patient_rows(trials, episodes), digest)
    people = resample_patients_of_arms(trials, arms, seed)
    write_resampled_patients(people, folder, digest)
    times = _count_resampled_draws(trials, seed, folder, digest)
    n_rounds = max((trial.last for trial in trials), default=0) + 1
    averages, tests = [], []
    for way, metric in ALL_METRICS:
        curves = {arm: metric_curves(trials, times, arm, way, metric, n_rounds) for arm in arms}
        averages += [row for arm in arms for row in average_rows(arm, way, metric, curves[arm], people[arm, None])]
        if metric in COMPARED_METRICS and way in (None, decision):
            tests += comparison_rows(way, metric, curves, people)
    write_evaluation_table(folder, "averages", averages, digest)
    write_evaluation_table(folder, "comparisons", adjust_between_arms(tests), digest)


def resample_patients_of_arms(
    trials: list[PatientArmScores], arms: Sequence[str], seed: int
) -> dict[tuple[str, str | None], PatientResamples]:
    """Resamples of the patients of each arm, (arm, None), and of those whom two arms share, (arm, other arm)."""
    of_arm = {arm: [trial.subject_id for trial in trials if trial.arm == arm] for arm in arms}
    people = {(arm, None): resample_patients(tuple(of_arm[arm]), seed, arm, None) for arm in arms}
    for arm, other in combinations(arms, 2):
        both = tuple(subject for subject in of_arm[arm] if subject in of_arm[other])
        people[arm, other] = resample_patients(both, seed, arm, other)
    return people


def patient_rows(trials: list[PatientArmScores], episodes: dict[tuple[str, int], Episodes]) -> list[dict]:
    """One row per patient, arm, round, decision rule and metric."""
    rows = []
    for trial in trials:
        for round_ in range(trial.last + 1):
            keys = {"arm": trial.arm, "subject_id": trial.subject_id, "round": round_}
            mine = episodes[trial.arm, trial.subject_id]
            for decision, metric in ALL_METRICS:
                found = metric_value(metric, trial.test, round_, decision)
                n, low, high = one_patient_interval(metric, trial.test, round_, decision, found, mine)
                row = {"decision": decision, "metric": metric, "n_draws": n, "value": found, "low": low, "high": high}
                rows.append(keys | row)
    return [nan_to_none(row) for row in rows]


def metric_curves(
    trials: list[PatientArmScores], times: list[np.ndarray], arm: str, decision: str | None, metric: str, n_rounds: int
) -> MetricCurves:
    """The metric of the arm's patients, and of their resamples, in which draws count `times` of each trial.

    There are no resamples of calibration.
    """
    subjects, last, values, resampled = [], [], [], []
    for trial, mine in zip(trials, times, strict=True):
        if trial.arm != arm:
            continue
        rounds = range(trial.last + 1)
        kept = np.minimum(np.arange(n_rounds), trial.last)
        subjects.append(trial.subject_id)
        last.append(trial.last)
        values.append(np.array([metric_value(metric, trial.test, round_, decision) for round_ in rounds])[kept])
        if metric != CALIBRATION_METRIC:
            resampled.append(np.array([weighted_metric(metric, trial.test, k, decision, mine) for k in rounds])[kept])
    of_patients = np.array(values).reshape(len(subjects), n_rounds)
    has_resamples = metric != CALIBRATION_METRIC and subjects
    return MetricCurves(
        tuple(subjects), np.array(last, int), of_patients, np.array(resampled) if has_resamples else None
    )


def average_rows(
    arm: str, decision: str | None, metric: str, curves: MetricCurves, people: PatientResamples
) -> list[dict]:
    """One row per round: mean, SD (n - 1), median and quartiles over the same patients, so that rounds are comparable.

    They are those who have the metric with the generic network and after the last round; a round between them may lack
    some.
    """
    paired = np.isfinite(curves.values[:, [0, -1]]).all(axis=1)
    resampled = None if curves.resampled is None else np.where(paired[:, None, None], curves.resampled, np.nan)
    rows = []
    for round_, values in enumerate(curves.values[paired].T):
        had = values[np.isfinite(values)]
        quartiles = np.quantile(had, [0.5, 0.25, 0.75]).tolist() if len(had) else [None] * 3
        row = {"arm": arm, "round": round_, "decision": decision, "metric": metric, "patients": len(had)}
        row |= {"mean": float(had.mean()) if len(had) else None, "sd": float(had.std(ddof=1)) if len(had) > 1 else None}
        row |= dict(zip(("median", "lower_quartile", "upper_quartile"), quartiles, strict=True))
        rows.append(nan_to_none(row | _bounds(people, None if resampled is None else resampled[:, round_])))
    return rows


def comparison_rows(
    decision: str | None,
    metric: str,
    curves: dict[str, MetricCurves],
    people: dict[tuple[str, str | None], PatientResamples],
) -> list[dict]:
    """Every round from 1 on against round 0 of the same patients, and the last round against that of another arm.

    The rounds are those that some patient has. p values are adjusted over the rounds of an arm; those of arms against
    each other not yet, see `adjust_between_arms`.
    """
    rows = []
    for (arm, other), of_people in people.items():
        mine = curves[arm].select(of_people.subject_ids)
        theirs = curves[other].select(of_people.subject_ids) if other else mine
        keys = {"arm": arm, "reference": other or GENERIC, "decision": decision, "metric": metric}
        found = []
        last = max([*mine.last, *theirs.last], default=0)
        for round_ in range(last if other and last else 1, last + 1):
            against = round_ if other else 0
            both = None if mine.resampled is None else mine.resampled[:, round_] - theirs.resampled[:, against]
            sides = mine.values[:, round_], theirs.values[:, against]
            found.append(keys | {"round": round_} | _compare(*sides) | _bounds(of_people, both))
        rows += found if other else _adjust_p_values(found)
    return rows


def adjust_between_arms(rows: list[dict]) -> list[dict]:
    """The rows of `comparison_rows` of all metrics; p values of arms against each other are adjusted over all of them.

    They form one table, of every pair of arms and every metric, in which somebody may look for the smallest p.
    """
    of_rounds = [row for row in rows if row["reference"] == GENERIC]
    between = [row for row in rows if row["reference"] != GENERIC]
    return list(map(nan_to_none, of_rounds + _adjust_p_values(between)))


def _adjust_p_values(rows: list[dict]) -> list[dict]:
    for name in ("mann_whitney", "wilcoxon"):
        adjusted = holm(np.array([row[f"{name}_p"] for row in rows]))
        rows = [row | {f"{name}_holm": p} for row, p in zip(rows, adjusted.tolist(), strict=True)]
    return rows


def _count_resampled_draws(
    trials: list[PatientArmScores], seed: int, folder: str | Path, digest: str
) -> list[np.ndarray]:
    """How often each resample holds each test draw, a trial each; the resamples are written into `folder`."""
    places = [resample_test_draws(trial, seed) for trial in trials]
    write_resampled_draws(trials, places, folder, digest)
    return [count_draws(mine) for mine in places]


def _compare(one: np.ndarray, other: np.ndarray) -> dict:
    both = np.isfinite(one) & np.isfinite(other)
    u, u_p = mann_whitney(one[both], other[both])
    w, w_p = wilcoxon(one[both] - other[both])
    return {
        "patients": int(both.sum()),
        "difference": float(np.mean(one[both] - other[both])) if both.any() else float("nan"),
        "mann_whitney_u": u,
        "mann_whitney_p": u_p,
        "wilcoxon": w,
        "wilcoxon_p": w_p,
    }


def _bounds(people: PatientResamples, resampled: np.ndarray | None) -> dict:
    low, high = (None, None) if resampled is None else people.interval(resampled)
    return {"low": low, "high": high}
