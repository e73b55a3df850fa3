"""Metrics on draws, the unit of every result, and the study's rounds and summary built from prediction files alone."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.tables import read_json, read_table, table_from_rows, write_json, write_table
from kalemia.stats.tests_and_intervals import comparable

METRICS = ("accuracy", "auc", "sensitivity", "specificity")


def draw_decisions(votes: np.ndarray, n_beats: np.ndarray, logit: np.ndarray, decision: str) -> np.ndarray:
    """One int8 a draw: 1 says positive.

    vote: more than half of the draw's beats say so (Chiu 2022); a tie is settled by the mean logit.
    mean_logit: the mean of the beats' logits is above 0.
    """
    by_logit = logit > 0
    if decision == "mean_logit":
        return by_logit.astype(np.int8)
    return np.where(2 * votes == n_beats, by_logit, 2 * votes > n_beats).astype(np.int8)


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The threshold on scores (n,) with the largest balanced accuracy; of several the middle of the widest gap.

    That is the largest sensitivity + specificity - 1 (Youden, Cancer 1950;3:32). Labels (n,) hold both classes.
    """
    values = np.unique(scores)
    middles = np.array([values[0] - 1, *(values[1:] + values[:-1]) / 2, values[-1] + 1])
    widths = np.array([0, *np.diff(values), 0])
    said = scores[None, :] > middles[:, None]
    balanced = said[:, labels == 1].mean(axis=1) + (~said[:, labels == 0]).mean(axis=1)
    return float(middles[np.lexsort((widths, comparable(balanced)))[-1]])


def area_under_roc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of positive-negative pairs that the score orders rightly, ties counting half; NaN without a class."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    if not len(positive) or not len(negative):
        return float("nan")
    difference = positive[:, None] - negative[None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def draw_metrics(labels: np.ndarray, scores: np.ndarray, decisions: np.ndarray) -> dict[str, float]:
    """The paper's four metrics over labelled draws (labels 0 or 1); NaN where a class is empty."""
    positive, negative = labels == 1, labels == 0
    right = decisions == labels
    return {
        "accuracy": _mean(right),
        "auc": area_under_roc(labels, scores),
        "sensitivity": _mean(right[positive]),
        "specificity": _mean(right[negative]),
    }


def role_metrics(predictions: pa.Table, role: str) -> dict:
    """`draw_metrics` and counts over the labelled draws of one role in a predictions table."""
    rows = predictions.filter(pc.and_(pc.equal(predictions["role"], role), pc.is_valid(predictions["label"])))
    labels = rows["label"].to_numpy()
    metrics = draw_metrics(labels, rows["logit"].to_numpy(), rows["decision"].to_numpy())
    return {"n_test": len(labels), "n_positive": int(np.sum(labels == 1)), **metrics}


def round_of_path(path: str | Path) -> dict[str, str | int]:
    """Arm, subject and round of a file that lies in ``{arm}/{subject}/round-{k}/``."""
    arm, subject, round_ = Path(path).parts[-4:-1]
    return {"arm": arm, "subject_id": int(subject[1:]), "round": int(round_.removeprefix("round-"))}


def write_rounds(prediction_paths: Iterable[str | Path], path: str | Path, digest: str) -> None:
    """Write one row for each round's predictions: its metrics over the test draws."""
    rows = [
        round_of_path(predictions) | role_metrics(read_table(predictions, "predictions"), "test")
        for predictions in prediction_paths
    ]
    rows.sort(key=lambda row: (row["arm"], row["subject_id"], row["round"]))
    write_table(path, "rounds", table_from_rows("rounds", rows), digest)


def carried_forward(rounds: pa.Table, arm: str, n_rounds: int) -> dict[str, np.ndarray]:
    """Each metric as (patients, n_rounds + 1): a patient with fewer rounds keeps the value of the last one.

    So every column averages over the same patients. Patients are in the order of their ids.
    """
    rows = rounds.filter(pc.equal(rounds["arm"], arm)).sort_by([("subject_id", "ascending"), ("round", "ascending")])
    subjects = sorted(set(rows["subject_id"].to_pylist()))
    curves = {metric: np.full((len(subjects), n_rounds + 1), np.nan) for metric in METRICS}
    for row in rows.to_pylist():
        for metric in METRICS:
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
    mine = by_arm.filter(pc.equal(by_arm["arm"], arm)).to_pylist()
    curves = carried_forward(rounds, arm, n_rounds)
    return {
        "patients": sum(row["reason"] is None for row in mine),
        "not_evaluable": {f"p{row['subject_id']:06d}": row["reason"] for row in mine if row["reason"] is not None},
        "rounds": [
            {metric: _mean_sd(curves[metric][:, round_]) for metric in METRICS} for round_ in range(n_rounds + 1)
        ],
    }


def _mean_sd(values: np.ndarray) -> dict[str, float | int]:
    """Over the patients who have a value; the SD is the sample's (n - 1)."""
    known = values[np.isfinite(values)]
    return {
        "mean": _mean(known),
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else float("nan"),
        "n": len(known),
    }


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")
