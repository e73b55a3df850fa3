"""The last round beside every baseline: mean metrics over the same patients of an arm."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.tables import known, read_table, table_from_rows, write_table
from kalemia.evaluation.round_metrics import METRICS

LAST_ROUND = "last_round"  # beside the names of the baselines


def write_baseline_averages(
    rounds_path: str | Path, baselines_path: str | Path, arms: Iterable[str], path: str | Path, digest: str
) -> None:
    """Write `average_rows` of every arm; raises `UserError` as `tables.read_table`."""
    rounds, baselines = read_table(rounds_path, "rounds"), read_table(baselines_path, "baseline_metrics")
    rows = [row for arm in arms for row in average_rows(arm, rounds, baselines)]
    write_table(path, "baseline_averages", table_from_rows("baseline_averages", rows), digest)


def average_rows(arm: str, rounds: pa.Table, baselines: pa.Table) -> list[dict]:
    """The means of the four metrics over an arm's patients: a row for each baseline, then one for the last round.

    As in the verdict, patients are those with an AUC after their last round, and baselines those that all of them have.
    """
    last = {row["subject_id"]: row for row in sorted(_rows_of(arm, rounds), key=lambda row: row["round"])}
    patients = {subject for subject, row in last.items() if row["auc"] is not None}
    by_model: dict[str, dict[int, dict]] = {}
    for row in _rows_of(arm, baselines):
        by_model.setdefault(row["baseline"], {})[row["subject_id"]] = row
    return [
        {"arm": arm, "model": model, "patients": len(patients)}
        | {metric: float(np.mean([of_patient[subject][metric] for subject in sorted(patients)])) for metric in METRICS}
        for model, of_patient in (by_model | {LAST_ROUND: last}).items()
        if patients and patients <= of_patient.keys()
    ]


def _rows_of(arm: str, table: pa.Table) -> list[dict]:
    return [known(row) for row in table.to_pylist() if row["arm"] == arm]
