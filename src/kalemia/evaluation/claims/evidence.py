"""The evidence of each patient for each claim: what the rule compares, side by side."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.config import ROLLING, Arm
from kalemia.core.tables import nan_to_none, read_table, write_evaluation_table
from kalemia.evaluation.claims.last_value import KnownDraws, concordances
from kalemia.evaluation.evaluation_period import period_mask
from kalemia.evaluation.patient_scores import PatientArmScores
from kalemia.personal.splits import count_test_runs, read_split
from kalemia.stats.draw_metrics import area_under_roc
from kalemia.stats.summaries import mean


def write_evidence(
    trials: Sequence[PatientArmScores],
    split_paths: Iterable[str | Path],
    context_path: str | Path,
    baselines_path: str | Path,
    nulls_path: str | Path,
    arms: dict[str, Arm],
    comparator: str,
    folder: str | Path,
    digest: str,
) -> None:
    """Write one row per arm and patient who has an AUC after the last round.

    context_path: what was known at the time of each draw. comparator: the baseline that a network must beat to be
    needed.
    """
    splits = {(split["arm"], split["subject_id"]): split for split in map(read_split, split_paths)}
    comparators = _auc_by_patient(read_table(baselines_path, "baseline_metrics"), "baseline", comparator)
    nulls = read_table(nulls_path, "nulls")
    shifted, strangers = _auc_lists(nulls, "shifted"), _auc_lists(nulls, "stranger")
    last_values = _last_values(context_path)
    rows = []
    for arm in arms:
        of_arm = [trial for trial in trials if trial.arm == arm and np.isfinite(_auc(trial, -1))]
        alone, together = concordances(
            [_known_draws(trial, splits[arm, trial.subject_id], last_values) for trial in of_arm]
        )
        for place, trial in enumerate(of_arm):
            key = arm, trial.subject_id
            labels = trial.test.labels
            rows.append(
                {
                    "arm": arm,
                    "subject_id": trial.subject_id,
                    "n_positive": int(np.sum(labels == 1)),
                    "n_negative": int(np.sum(labels == 0)),
                    "test_runs": count_test_runs(splits[key]),
                    "rolling": arms[arm].protocol == ROLLING,
                    "auc": _auc(trial, -1),
                    "auc_generic": _auc(trial, 0),
                    "auc_shifted": mean(np.array(shifted.get(key, []))),
                    "n_shifted": len(shifted.get(key, [])),
                    "auc_strangers": mean(np.array(strangers.get(key, []))),
                    "n_strangers": len(strangers.get(key, [])),
                    "auc_comparator": comparators.get(key, float("nan")),
                    "concordance_last_value": alone[place],
                    "concordance_with_last_value": together[place],
                }
            )
    write_evaluation_table(folder, "evidence", [nan_to_none(row) for row in rows], digest)


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


def _known_draws(trial: PatientArmScores, split: dict, last_values: dict[int, float]) -> KnownDraws:
    ids = trial.draws.ids.tolist()
    known = period_mask(trial, split) & np.array([draw in last_values for draw in ids])
    last = np.array([last_values[draw] for draw in trial.draws.ids[known].tolist()], np.float64)
    return KnownDraws(trial.draws.values[known], last, trial.draws.logit[-1][known])


def _last_values(path: str | Path) -> dict[int, float]:
    """The last value that was known at the time of each draw that has one."""
    table = read_table(path, "context", ["draw_id", "last_value"])
    known = table.filter(pc.is_valid(table["last_value"]))
    return dict(zip(known["draw_id"].to_pylist(), known["last_value"].to_pylist(), strict=True))
