"""What a round leaves behind beside its weights: predictions for all the patient's draws, and metrics on the test."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.config import Network
from kalemia.core.tables import write_json, write_table
from kalemia.network.losses import Objective
from kalemia.network.predictions import draw_predictions
from kalemia.stats.draw_metrics import role_metrics


def training_draws_until(split: dict, round_: int) -> list[int]:
    """The draws that a patient's network has learned from after a round; sorted."""
    return sorted(draw for pair in split["rounds"][:round_] for draw in pair)


def draw_roles(split: dict, round_: int) -> dict[int, str]:
    """After a round: train, the draws learned from so far; test, the held out. All others have no role."""
    return dict.fromkeys(split["test"], "test") | dict.fromkeys(training_draws_until(split, round_), "train")


def write_round_predictions(
    outputs: np.ndarray,
    rows: pa.Table,
    split: dict,
    round_: int,
    network: Network,
    decision: str,
    digest: str,
    predictions_path: str | Path,
    metrics_path: str | Path,
) -> None:
    """Write the predictions and the metrics of a round from what `network` says of beats, and `DRAW_COLUMNS` (n)."""
    roles = draw_roles(split, round_)
    predictions = draw_predictions(outputs, rows, roles, decision, Objective.from_config(network))
    write_table(predictions_path, "predictions", predictions, digest)
    about = {
        "subject_id": split["subject_id"],
        "arm": split["arm"],
        "round": round_,
        "learned": training_draws_until(split, round_),
    }
    write_json(metrics_path, about | role_metrics(predictions, "test"))
