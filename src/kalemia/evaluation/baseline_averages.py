"""Baselines beside the last round: means over the same patients, and what the last round adds to recalibration."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.tables import nan_to_none, read_table, write_evaluation_table
from kalemia.personal.baselines import DECISION, of_role
from kalemia.stats.draw_metrics import METRICS
from kalemia.stats.one_sided_mean import estimate_mean

LAST_ROUND = "last_round"  # in the same column as the names of the baselines


def write_baseline_averages(
    rounds_path: str | Path, baselines_path: str | Path, arms: Iterable[str], folder: str | Path, digest: str
) -> None:
    """Write `average_rows` and `recalibration_rows` of every arm; raises `UserError` as `tables.read_table`."""
    rounds, baselines = read_table(rounds_path, "rounds"), read_table(baselines_path, "baseline_metrics")
    by_arm = [(arm, metrics_by_model(arm, rounds, baselines)) for arm in arms]
    for name, rows_of in (("baseline_averages", average_rows), ("recalibration_gains", recalibration_rows)):
        rows = [row for arm, by_model in by_arm for row in rows_of(arm, by_model)]
        write_evaluation_table(folder, name, rows, digest)


def metrics_by_model(arm: str, rounds: pa.Table, baselines: pa.Table) -> dict[str, dict[int, dict]]:
    """For each baseline, then for the last round, the metrics of the same patients of an arm.

    Patients are those with an AUC after their last round, and baselines those that all of them have.
    """
    last = {row["subject_id"]: row for row in sorted(_rows_of(arm, rounds), key=lambda row: row["round"])}
    patients = sorted(subject for subject, row in last.items() if row["auc"] is not None)
    by_model: dict[str, dict[int, dict]] = {}
    for row in _rows_of(arm, baselines):
        by_model.setdefault(row["baseline"], {})[row["subject_id"]] = row
    return {
        model: {subject: of_patient[subject] for subject in patients}
        for model, of_patient in (by_model | {LAST_ROUND: last}).items()
        if patients and of_patient.keys() >= {*patients}
    }


def average_rows(arm: str, by_model: dict[str, dict[int, dict]]) -> list[dict]:
    """The means of the four metrics over the patients: a row for each baseline, then one for the last round."""
    return [
        {"arm": arm, "model": model, "patients": len(of_patient)}
        | {metric: float(np.mean([row[metric] for row in of_patient.values()])) for metric in METRICS}
        for model, of_patient in by_model.items()
    ]


def recalibration_rows(arm: str, by_model: dict[str, dict[int, dict]]) -> list[dict]:
    """One row: by how much the accuracy after the last round exceeds that of the best recalibration.

    Each patient has the recalibration that is most accurate in the other patients, so that no test draw chooses what it
    is compared with. There is no row of a single patient, and no bounds if all patients have the same difference.
    """
    recalibrations = [name for name in of_role(DECISION) if name in by_model]
    last = _accuracies(by_model, LAST_ROUND)
    if not recalibrations or len(last) < 2:
        return []
    table = np.array([_accuracies(by_model, name) for name in recalibrations])
    chosen = np.argmax(np.round(table.sum(axis=1, keepdims=True) - table, 9), axis=0)
    recalibrated = table[chosen, np.arange(len(last))]
    estimate = estimate_mean(last - recalibrated)
    varies = estimate.standard_error > 1e-9
    return [
        {
            "arm": arm,
            "patients": len(last),
            "chosen": recalibrations[Counter(chosen.tolist()).most_common(1)[0][0]],
            "recalibrated": float(recalibrated.mean()),
            "last_round": float(last.mean()),
            "difference": estimate.mean,
            "lower": estimate.lower if varies else None,
            "upper": estimate.upper if varies else None,
        }
    ]


def _accuracies(by_model: dict[str, dict[int, dict]], model: str) -> np.ndarray:
    return np.array([row["accuracy"] for row in by_model.get(model, {}).values()])


def _rows_of(arm: str, table: pa.Table) -> list[dict]:
    return [nan_to_none(row) for row in table.to_pylist() if row["arm"] == arm]
