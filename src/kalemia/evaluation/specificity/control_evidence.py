"""Judge networks on other analytes as claim 1 judges those of the study, and compare both, patient by patient."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.config import ROLLING, Study
from kalemia.core.tables import empty_table, nan_to_none, read_table, write_evaluation_table, write_json
from kalemia.evaluation.claims.rule import MIN_SHIFTED_RUNS, SHIFTED, Comparison, compare, decide, rows_of_arm
from kalemia.evaluation.patient_scores import PatientArmScores
from kalemia.personal.controls import OWN_RUN, SHIFTED_RUN
from kalemia.stats.summaries import mean
from kalemia.stats.tests_and_intervals import average_ranks

_MIN_DRAWS = 3  # of a rank correlation


def write_control_evidence(
    run_paths: Iterable[str | Path],
    value_paths: Sequence[str | Path],
    trials: Iterable[PatientArmScores],
    study: Study,
    folder: str | Path,
    digest: str,
) -> None:
    """Write the runs, the evidence of each patient, and controls.json, beside evidence.parquet in `folder`.

    value_paths: in the order of `study.controls`.
    """
    order = [(name, "ascending") for name in ("control", "arm", "subject_id", "kind", "repeat")]
    tables = [read_table(path, "control_runs") for path in run_paths]
    runs = pa.concat_tables([empty_table("control_runs"), *tables]).sort_by(order)
    write_evaluation_table(folder, "control_runs", runs, digest)
    draws = [trial.draws for trial in trials if trial.arm == study.deciding_arm]
    own_values = {draw: value for of in draws for draw, value in zip(of.ids.tolist(), of.values.tolist(), strict=True)}
    correlations = {
        control: _correlations(path, own_values) for control, path in zip(study.controls, value_paths, strict=True)
    }
    rows = evidence_rows(runs.to_pylist(), correlations, study)
    write_evaluation_table(folder, "control_evidence", rows, digest)
    own = rows_of_arm(read_table(Path(folder) / "evidence.parquet", "evidence"), study.deciding_arm)
    write_json(Path(folder) / "controls.json", judge_controls(own, rows, study))


def evidence_rows(runs: Sequence[dict], correlations: dict[str, dict[int, float]], study: Study) -> list[dict]:
    """One row per control and patient, from the rows of `control_runs`."""
    by_patient: dict[tuple[str, int], list[dict]] = {}
    for run in runs:
        by_patient.setdefault((run["control"], run["subject_id"]), []).append(run)
    rows = []
    for (control, subject), of_patient in by_patient.items():
        (own,) = (run for run in of_patient if run["kind"] == OWN_RUN)
        shifted = [run["auc"] for run in of_patient if run["kind"] == SHIFTED_RUN]
        known = np.array([auc for auc in shifted if auc is not None and np.isfinite(auc)])
        has_network = own["reason"] is None
        row = {
            **{name: own[name] for name in ("arm", "subject_id", "control", "test_runs", "auc", "reason")},
            "n_positive": own["n_positive"],
            "correlation": correlations.get(control, {}).get(subject),
            "n_negative": own["n_test"] - own["n_positive"] if has_network else None,
            "rolling": study.arms[own["arm"]].protocol == ROLLING,
            "auc_shifted": mean(known),
            "n_shifted": len(known),
        }
        rows.append(nan_to_none(row))
    return rows


def judge_controls(own: Sequence[dict], controls: Sequence[dict], study: Study) -> dict:
    """Of each control its state by the rule of claim 1, and the study's own analyte against it.

    own: the rows of the deciding arm in `evidence`; controls: those of `control_evidence`.
    """
    judged = {}
    for control in study.controls:
        mine = [row for row in controls if row["control"] == control]
        with_network = [row for row in mine if row["reason"] is None]
        figures = compare(with_network, SHIFTED, study.verdict.smallest_gain)
        state, reason = decide([figures])
        correlations = [row["correlation"] for row in mine if row["correlation"] is not None]
        judged[control] = {
            "state": state,
            "reason": reason,
            "comparison": figures,
            "own_less_control": compare(_pairs(own, with_network), _PAIRED, study.verdict.smallest_gain),
            "correlation": float(np.mean(correlations)) if correlations else None,
            "without": {row["subject_id"]: row["reason"] for row in mine if row["reason"] is not None},
        }
    return {"arm": study.deciding_arm, "runs": 1 + study.n_shifted_controls, "controls": judged}


_PAIRED = Comparison("gain_control", "the other analyte", of="gain", count=("n_shifted", MIN_SHIFTED_RUNS))


def _pairs(own: Sequence[dict], controls: Sequence[dict]) -> list[dict]:
    """Both gains over shifted labels of each patient who has both; a patient counts if both do."""
    of_control = {row["subject_id"]: row for row in controls}
    pairs = []
    for row in own:
        other = of_control.get(row["subject_id"])
        if other:
            pairs.append(
                {
                    **{name: row[name] for name in ("subject_id", "rolling", "n_positive", "n_negative")},
                    **{name: min(row[name], other[name]) for name in ("test_runs", "n_shifted")},
                    "gain": _gain(row),
                    "gain_control": _gain(other),
                }
            )
    return pairs


def _gain(row: dict) -> float | None:
    return None if None in (row["auc"], row["auc_shifted"]) else row["auc"] - row["auc_shifted"]


def _correlations(path: str | Path, own_values: dict[int, float]) -> dict[int, float]:
    """By subject, the rank correlation of a control's values with those of the study's analyte, at usable draws."""
    table, pairs = read_table(path, "control_values"), {}
    for row in table.to_pylist():
        if (own := own_values.get(row["draw_id"])) is not None:
            pairs.setdefault(row["subject_id"], []).append((own, row["value"]))
    return {subject: rank_correlation(*np.array(of).T) for subject, of in pairs.items()}


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of values (n,), ties by their mean rank; NaN for fewer than three, or if all are equal."""
    if len(one) < _MIN_DRAWS or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(average_ranks(one), average_ranks(other))[0, 1])
