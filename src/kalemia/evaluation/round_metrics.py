"""The metrics of every round, and the summary of the study, from prediction files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.paths import round_of_path, subject_name
from kalemia.core.tables import read_json, read_table, write_evaluation_table, write_json
from kalemia.stats.draw_metrics import BEAT_METRICS, METRICS, beat_metrics, role_metrics
from kalemia.stats.summaries import mean

UNITS_METRICS = (*METRICS, *BEAT_METRICS)


def write_rounds(prediction_paths: Iterable[str | Path], folder: str | Path, digest: str) -> None:
    """Write one row per round: its metrics over the test draws, and over their beats."""
    rows = []
    for path in prediction_paths:
        predictions = read_table(path, "predictions")
        rows.append(round_of_path(path) | role_metrics(predictions, "test") | beat_metrics(predictions, "test"))
    rows.sort(key=lambda row: (row["arm"], row["subject_id"], row["round"]))
    write_evaluation_table(folder, "rounds", rows, digest)


def carried_forward(rounds: pa.Table, arm: str, n_rounds: int) -> dict[str, np.ndarray]:
    """Each metric as (patients, n_rounds + 1): a patient with fewer rounds keeps the value of the last one.

    So every column averages over the same patients. Patients are in the order of their ids.
    """
    rows = rounds.filter(pc.equal(rounds["arm"], arm)).sort_by([("subject_id", "ascending"), ("round", "ascending")])
    subjects = sorted(set(rows["subject_id"].to_pylist()))
    curves = {metric: np.full((len(subjects), n_rounds + 1), np.nan) for metric in UNITS_METRICS}
    for row in rows.to_pylist():
        for metric in UNITS_METRICS:
            curves[metric][subjects.index(row["subject_id"]), row["round"] :] = (
                np.nan if row[metric] is None else row[metric]
            )
    return curves


def write_summary(
    rounds_path: str, generic_metrics_path: str, arms_path: str, arms: Iterable[str], path: str, is_simulated: bool
) -> None:
    """Write the mean and SD over patients of each arm, round and metric, and who is missing, as JSON."""
    rounds, by_arm = read_table(rounds_path, "rounds"), read_table(arms_path, "arms")
    n_rounds = max(rounds["round"].to_pylist(), default=0)
    summary = {
        "simulated": is_simulated,
        "generic": read_json(generic_metrics_path),
        "arms": {arm: _arm_summary(rounds, by_arm, arm, n_rounds) for arm in arms},
    }
    write_json(path, summary)


def _arm_summary(rounds: pa.Table, by_arm: pa.Table, arm: str, n_rounds: int) -> dict:
    rows = by_arm.filter(pc.equal(by_arm["arm"], arm)).to_pylist()
    curves = carried_forward(rounds, arm, n_rounds)
    return {
        "patients": sum(row["reason"] is None for row in rows),
        "not_evaluable": {subject_name(row["subject_id"]): row["reason"] for row in rows if row["reason"] is not None},
        "rounds": [
            {metric: _mean_sd(curves[metric][:, round_]) for metric in UNITS_METRICS} for round_ in range(n_rounds + 1)
        ],
    }


def _mean_sd(values: np.ndarray) -> dict[str, float | int]:
    """Over the patients who have a value; sample SD (n - 1)."""
    known = values[np.isfinite(values)]
    return {
        "mean": mean(known),
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else float("nan"),
        "n": len(known),
    }
