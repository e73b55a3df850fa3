"""What each metric is over patients after each round, and whether rounds and arms differ by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from kalemia.core.config import GENERIC
from kalemia.core.tables import known, table_from_rows, write_table
from kalemia.evaluation.bootstrap import (
    People,
    draws_of_trial,
    resampled_people,
    times_of_draws,
    write_resampled_draws,
    write_resampled_people,
)
from kalemia.evaluation.metrics import EVERY, OF_CALIBRATION, exact_interval, value, weighted
from kalemia.evaluation.patient_scores import Trial
from kalemia.stats.tests_and_intervals import holm, mann_whitney, wilcoxon

TESTED = ("auc", "auprc", "brier", "accuracy", "sensitivity", "specificity")  # the latter by the study's own decision


@dataclass(frozen=True)
class Curves:
    """One metric in one arm, a row a patient who has a test: (patients, rounds), and (patients, rounds, replicates).

    A patient with fewer rounds keeps what the last one gave, so that every round is over the same people. `last` is the
    last round of each (patients,).
    """

    subject_ids: tuple[int, ...]
    last: np.ndarray
    values: np.ndarray
    resampled: np.ndarray | None

    def of(self, subject_ids: Sequence[int]) -> "Curves":
        """Of some of the patients, in that order."""
        rows = [self.subject_ids.index(subject) for subject in subject_ids]
        return Curves(
            tuple(subject_ids),
            self.last[rows],
            self.values[rows],
            None if self.resampled is None else self.resampled[rows],
        )


def write_comparison(
    trials: list[Trial],
    arms: Sequence[str],
    decision: str,
    seed: int,
    digest: str,
    patients_path: str | Path,
    averages_path: str | Path,
    tests_path: str | Path,
    draws_path: str | Path,
    people_path: str | Path,
) -> None:
    """Write each patient's metrics, their averages, the tests between rounds and arms, and the resamples under them.

    decision: the way to decide by which the tests of accuracy, sensitivity and specificity go.
    """
    write_table(patients_path, "patient_metrics", table_from_rows("patient_metrics", patient_rows(trials)), digest)
    people = people_of_arms(trials, arms, seed)
    write_resampled_people(people, people_path, digest)
    times = _times_of_trials(trials, seed, draws_path, digest)
    n_rounds = max((trial.last for trial in trials), default=0) + 1
    averages, tests = [], []
    for way, metric in EVERY:
        curves = {arm: curves_of(trials, times, arm, way, metric, n_rounds) for arm in arms}
        averages += [row for arm in arms for row in average_rows(arm, way, metric, curves[arm], people[arm, None])]
        if metric in TESTED and way in (None, decision):
            tests += rows_of_tests(way, metric, curves, people)
    write_table(averages_path, "averages", table_from_rows("averages", averages), digest)
    write_table(tests_path, "comparisons", table_from_rows("comparisons", tests), digest)


def people_of_arms(trials: list[Trial], arms: Sequence[str], seed: int) -> dict[tuple[str, str | None], People]:
    """The resamples of the patients of each arm, and of those whom two arms share; (arm, None) and (arm, other)."""
    of_arm = {arm: [trial.subject_id for trial in trials if trial.arm == arm] for arm in arms}
    people = {(arm, None): resampled_people(tuple(of_arm[arm]), seed, arm, None) for arm in arms}
    for arm, other in combinations(arms, 2):
        both = tuple(subject for subject in of_arm[arm] if subject in of_arm[other])
        people[arm, other] = resampled_people(both, seed, arm, other)
    return people


def patient_rows(trials: list[Trial]) -> list[dict]:
    """One row a patient, arm, round, way to decide and metric; the interval takes the draws for independent."""
    rows = []
    for trial in trials:
        for round_ in range(trial.last + 1):
            about = {"arm": trial.arm, "subject_id": trial.subject_id, "round": round_}
            for decision, metric in EVERY:
                found = value(metric, trial.test, round_, decision)
                n, low, high = exact_interval(metric, trial.test, round_, decision, found)
                row = {"decision": decision, "metric": metric, "n_draws": n, "value": found, "low": low, "high": high}
                rows.append(about | row)
    return [known(row) for row in rows]


def curves_of(
    trials: list[Trial], times: list[np.ndarray], arm: str, decision: str | None, metric: str, n_rounds: int
) -> Curves:
    """The metric of the arm's patients, and of their resamples, in which draws count `times` of each trial.

    There are no resamples of calibration, since many of them have no finite slope.
    """
    subjects, last, values, resampled = [], [], [], []
    for trial, mine in zip(trials, times, strict=True):
        if trial.arm != arm:
            continue
        rounds = range(trial.last + 1)
        kept = np.minimum(np.arange(n_rounds), trial.last)
        subjects.append(trial.subject_id)
        last.append(trial.last)
        values.append(np.array([value(metric, trial.test, round_, decision) for round_ in rounds])[kept])
        if metric not in OF_CALIBRATION:
            resampled.append(np.array([weighted(metric, trial.test, k, decision, mine) for k in rounds])[kept])
    of_patients = np.array(values).reshape(len(subjects), n_rounds)
    has_resamples = metric not in OF_CALIBRATION and subjects
    return Curves(tuple(subjects), np.array(last, int), of_patients, np.array(resampled) if has_resamples else None)


def average_rows(arm: str, decision: str | None, metric: str, curves: Curves, people: People) -> list[dict]:
    """One row a round: mean (SD, n - 1), median and quartiles over the patients who have the metric."""
    rows = []
    for round_, values in enumerate(curves.values.T):
        had = values[np.isfinite(values)]
        quartiles = np.quantile(had, [0.5, 0.25, 0.75]).tolist() if len(had) else [None] * 3
        row = {"arm": arm, "round": round_, "decision": decision, "metric": metric, "patients": len(had)}
        row |= {"mean": float(had.mean()) if len(had) else None, "sd": float(had.std(ddof=1)) if len(had) > 1 else None}
        row |= dict(zip(("median", "lower_quartile", "upper_quartile"), quartiles, strict=True))
        rows.append(known(row | _bounds(people, None if curves.resampled is None else curves.resampled[:, round_])))
    return rows


def rows_of_tests(
    decision: str | None, metric: str, curves: dict[str, Curves], people: dict[tuple[str, str | None], People]
) -> list[dict]:
    """Every round from 1 on against round 0 of the same patients, and against the same round of another arm.

    p values are adjusted over the rounds of one comparison, which are those that some patient has in one of its arms.
    """
    rows = []
    for (arm, other), of_people in people.items():
        mine = curves[arm].of(of_people.subject_ids)
        theirs = curves[other].of(of_people.subject_ids) if other else mine
        about = {"arm": arm, "reference": other or GENERIC, "decision": decision, "metric": metric}
        found = []
        for round_ in range(1, max([*mine.last, *theirs.last], default=0) + 1):
            against = round_ if other else 0
            both = None if mine.resampled is None else mine.resampled[:, round_] - theirs.resampled[:, against]
            sides = mine.values[:, round_], theirs.values[:, against]
            found.append(about | {"round": round_} | _compared(*sides) | _bounds(of_people, both))
        for name in ("mann_whitney", "wilcoxon"):
            adjusted = holm(np.array([row[f"{name}_p"] for row in found]))
            found = [row | {f"{name}_holm": p} for row, p in zip(found, adjusted.tolist(), strict=True)]
        rows += [known(row) for row in found]
    return rows


def _times_of_trials(trials: list[Trial], seed: int, path: str | Path, digest: str) -> list[np.ndarray]:
    """How often each resample holds each test draw, a trial each; what is resampled is written to `path`."""
    places = [draws_of_trial(trial, seed) for trial in trials]
    write_resampled_draws(trials, places, path, digest)
    return [times_of_draws(mine) for mine in places]


def _compared(one: np.ndarray, other: np.ndarray) -> dict:
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


def _bounds(people: People, resampled: np.ndarray | None) -> dict:
    low, high = (None, None) if resampled is None else people.interval(resampled)
    return {"low": low, "high": high}
