"""The evidence of each patient for each claim: areas under the ROC curve of the same test draws, side by side."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.config import ROLLING, Arm
from kalemia.core.paths import subject_id
from kalemia.core.tables import nan_to_none, read_table, write_evaluation_table
from kalemia.evaluation.patient_scores import PatientArmScores
from kalemia.personal.episodes import labeled_in_time_order, run_numbers
from kalemia.personal.splits import parse_draws, read_split
from kalemia.stats.draw_metrics import area_under_roc
from kalemia.stats.logistic_regression import fit_logistic
from kalemia.stats.summaries import mean

LAST_VALUE = "last_value"  # the baseline that claim 4 is about


def write_evidence(
    trials: Sequence[PatientArmScores],
    split_paths: Iterable[str | Path],
    baseline_paths: Iterable[str | Path],
    baselines_path: str | Path,
    nulls_path: str | Path,
    arms: dict[str, Arm],
    comparator: str,
    folder: str | Path,
    digest: str,
) -> None:
    """Write one row per arm and patient who has an AUC after the last round.

    baseline_paths: each patient's scores; baselines_path: the metrics of all. comparator: the baseline that a network
    must beat to be needed.
    """
    runs = {(split["arm"], split["subject_id"]): count_test_runs(split) for split in map(read_split, split_paths)}
    comparators = _auc_by_patient(read_table(baselines_path, "baseline_metrics"), "baseline", comparator)
    nulls = read_table(nulls_path, "nulls")
    shifted, strangers = _auc_lists(nulls, "shifted"), _auc_lists(nulls, "stranger")
    last_values = _last_value_scores(baseline_paths)
    rows = []
    for arm in arms:
        of_arm = [trial for trial in trials if trial.arm == arm and np.isfinite(_auc(trial, -1))]
        alone, together = _with_last_value(of_arm, [last_values.get((arm, trial.subject_id)) for trial in of_arm])
        for place, trial in enumerate(of_arm):
            key = arm, trial.subject_id
            labels = trial.test.labels
            rows.append(
                {
                    "arm": arm,
                    "subject_id": trial.subject_id,
                    "n_positive": int(np.sum(labels == 1)),
                    "n_negative": int(np.sum(labels == 0)),
                    "test_runs": runs[key],
                    "rolling": arms[arm].protocol == ROLLING,
                    "auc": _auc(trial, -1),
                    "auc_generic": _auc(trial, 0),
                    "auc_shifted": mean(np.array(shifted.get(key, []))),
                    "n_shifted": len(shifted.get(key, [])),
                    "auc_strangers": mean(np.array(strangers.get(key, []))),
                    "n_strangers": len(strangers.get(key, [])),
                    "auc_comparator": comparators.get(key, float("nan")),
                    "auc_last_value": alone[place],
                    "auc_with_last_value": together[place],
                }
            )
    write_evaluation_table(folder, "evidence", [nan_to_none(row) for row in rows], digest)


def count_test_runs(split: dict) -> int:
    """The number of runs of one label, in one admission, among the test draws of a split file, in the order of time."""
    test = set(split["test"])
    held_out = [draw for draw in labeled_in_time_order(parse_draws(split)[0]) if draw.draw_id in test]
    return run_numbers(held_out)[-1] + 1 if held_out else 0


def _auc(trial: PatientArmScores, round_: int) -> float:
    return area_under_roc(trial.test.labels, trial.test.logit[round_])


def _auc_lists(nulls: pa.Table, kind: str) -> dict[tuple[str, int], list[float]]:
    """By arm and patient, the AUC of each run of a negative control that has one."""
    aucs: dict[tuple[str, int], list[float]] = {}
    for row in nulls.filter(pc.equal(nulls["kind"], kind)).to_pylist():
        if row["auc"] is not None and np.isfinite(row["auc"]):
            aucs.setdefault((row["arm"], row["subject_id"]), []).append(row["auc"])
    return aucs


def _auc_by_patient(metrics: pa.Table, column: str, name: str) -> dict[tuple[str, int], float]:
    rows = metrics.filter(pc.equal(metrics[column], name)).to_pylist()
    return {(row["arm"], row["subject_id"]): row["auc"] for row in rows if row["auc"] is not None}


def _last_value_scores(paths: Iterable[str | Path]) -> dict[tuple[str, int], dict[int, float]]:
    """By arm and patient, the score of the last known value of each test draw."""
    scores = {}
    for path in paths:
        arm, subject = Path(path).parts[-3:-1]
        table = read_table(path, "baselines", ["baseline", "draw_id", "score"])
        mine = table.filter(pc.equal(table["baseline"], LAST_VALUE))
        scores[arm, subject_id(subject)] = dict(
            zip(mine["draw_id"].to_pylist(), mine["score"].to_pylist(), strict=True)
        )
    return scores


def _with_last_value(
    trials: Sequence[PatientArmScores], last_values: Sequence[dict[int, float] | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Each patient's AUC of the last known value alone, and of it together with the network's score.

    The weight of the two is a logistic regression on the test draws of all other patients, so that no test draw has a
    part in its own score. Both are centered on the patient, and the network's score is in units of its SD over the
    patient's test draws, because the scores of two networks share no scale. NaN where there are no other patients.
    """
    alone, together = np.full((2, len(trials)), np.nan)
    parts = []
    for trial, values in zip(trials, last_values, strict=True):
        last = np.array([(values or {}).get(draw, 0.0) for draw in trial.test.ids.tolist()])
        logit = trial.test.logit[-1]
        spread = logit.std() or 1.0
        parts.append(np.column_stack([(logit - logit.mean()) / spread, last - last.mean()]))
    labels = [trial.test.labels for trial in trials]
    for place, own in enumerate(parts):
        alone[place] = area_under_roc(labels[place], own[:, 1])
        others = [other for other in range(len(parts)) if other != place]
        if others:
            fit = fit_logistic(np.concatenate([parts[i] for i in others]), np.concatenate([labels[i] for i in others]))
            together[place] = area_under_roc(labels[place], fit.score(own))
    return alone, together
