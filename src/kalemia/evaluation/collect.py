"""The study's tables of baselines, nulls and leakage, collected from the files of patients."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.paths import round_of_path, subject_id
from kalemia.core.tables import empty_table, read_table, write_evaluation_table
from kalemia.personal.baselines import CROSS_PATIENT, shrink_intercepts
from kalemia.personal.leakage import hours_between
from kalemia.personal.splits import audit_split, parse_draws, predictions_by_round, read_split
from kalemia.stats.clustered_auc import placements
from kalemia.stats.draw_metrics import draw_metrics
from kalemia.stats.logistic_regression import fit_offset


def write_baselines(
    baseline_paths: Iterable[str | Path],
    split_paths: Iterable[str | Path],
    prediction_paths: Iterable[str | Path],
    folder: str | Path,
    digest: str,
) -> None:
    """Write one row per arm, patient and baseline: its metrics on the test draws.

    The random intercept, which needs all patients of an arm, is added here from the predictions of round 0.
    """
    rows = []
    for baseline_path in baseline_paths:
        arm, subject = Path(baseline_path).parts[-3:-1]
        table = read_table(baseline_path, "baselines")
        for name in dict.fromkeys(table["baseline"].to_pylist()):
            mine = table.filter(pc.equal(table["baseline"], name))
            metrics = _metrics(*(mine[column].to_numpy() for column in ("label", "score", "decision")))
            rows.append({"arm": arm, "subject_id": subject_id(subject), "baseline": name} | metrics)
    of_round_0 = {
        (place["arm"], place["subject_id"]): read_table(predictions, "predictions")
        for predictions in prediction_paths
        if (place := round_of_path(predictions))["round"] == 0
    }
    rows += _random_intercepts([read_split(split) for split in split_paths], of_round_0)
    rows.sort(key=lambda row: (row["arm"], row["subject_id"]))
    write_evaluation_table(folder, "baseline_metrics", rows, digest)


def write_nulls(null_paths: Iterable[str | Path], folder: str | Path, digest: str) -> None:
    """Write the nulls of all arms and patients as one table."""
    order = [(name, "ascending") for name in ("arm", "subject_id", "kind", "repeat")]
    tables = [read_table(null_path, "nulls") for null_path in null_paths]
    write_evaluation_table(folder, "nulls", pa.concat_tables([empty_table("nulls"), *tables]).sort_by(order), digest)


def write_leakage(
    split_paths: Iterable[str | Path],
    prediction_paths: Iterable[str | Path],
    folder: str | Path,
    digest: str,
) -> None:
    """Write the leakage audit of every split, and the distance to training and the placement of each test draw.

    Raises `UserError` if a split violates its protocol.
    """
    splits = [read_split(split_path) for split_path in split_paths]
    rows = []
    for split in splits:
        keys = {name: split[name] for name in ("arm", "subject_id", "protocol")}
        rows.append(keys | audit_split(split))
    write_evaluation_table(folder, "leakage", rows, digest)
    predictions = {tuple(round_of_path(one).values()): one for one in prediction_paths}
    distances = [row for split in splits for row in _distance_rows(split, predictions)]
    write_evaluation_table(folder, "training_distances", distances, digest)


def _distance_rows(split: dict, predictions: dict[tuple, str | Path]) -> list[dict]:
    time = {draw.draw_id: draw.time for draw in parse_draws(split)[0]}
    learned_for = {draw: train for train, test in predictions_by_round(split) for draw in test}
    placed = {}
    for name, round_ in (("placement_generic", 0), ("placement", len(split["rounds"]))):
        table = read_table(predictions[split["arm"], split["subject_id"], round_], "predictions")
        test = table.filter(pc.equal(table["role"], "test"))
        places = placements(test["label"].to_numpy(), test["logit"].to_numpy())
        placed[name] = dict(zip(test["draw_id"].to_pylist(), places.tolist(), strict=True))
    return [
        {
            "arm": split["arm"],
            "subject_id": split["subject_id"],
            "draw_id": draw,
            "hours_to_training": min(hours_between(time[draw], time[other]) for other in learned_for[draw]),
            **{name: of_draw[draw] for name, of_draw in placed.items()},
        }
        for draw in split["test"]
    ]


def _random_intercepts(splits: Sequence[dict], of_round_0: dict[tuple[str, int], pa.Table]) -> list[dict]:
    rows = []
    for arm in dict.fromkeys(split["arm"] for split in splits):
        mine = [split for split in splits if split["arm"] == arm]
        scored = [of_round_0[arm, split["subject_id"]] for split in mine]
        fits = [_patient_offset(split, table) for split, table in zip(mine, scored, strict=True)]
        intercepts = shrink_intercepts(*np.array(fits).T)
        for split, table, intercept in zip(mine, scored, intercepts, strict=True):
            test = table.filter(pc.equal(table["role"], "test"))
            scores = test["logit"].to_numpy() + intercept
            metrics = _metrics(test["label"].to_numpy(), scores, (scores > 0).astype(np.int8))
            rows.append({"arm": arm, "subject_id": split["subject_id"], "baseline": CROSS_PATIENT} | metrics)
    return rows


def _patient_offset(split: dict, table: pa.Table) -> tuple[float, float]:
    """What `fit_offset` says of the draws learned from, on the generic network's logits.

    Under `rolling` only those of the first round, because later ones are tested before they are learned from.
    """
    (learned, _), *_ = predictions_by_round(split)
    train = table.filter(pc.is_in(table["draw_id"], pa.array(learned)))
    return fit_offset(train["logit"].to_numpy(), train["label"].to_numpy())


def _metrics(labels: np.ndarray, scores: np.ndarray, decisions: np.ndarray) -> dict:
    return {"n_test": len(labels), "n_positive": int(np.sum(labels == 1))} | draw_metrics(labels, scores, decisions)
