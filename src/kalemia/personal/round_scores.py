"""Write the scores of a round: predictions for all draws of the patient, and metrics on the test draws."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.config import Network
from kalemia.core.tables import write_json, write_table
from kalemia.network.losses import Objective
from kalemia.network.predictions import draw_predictions
from kalemia.stats.draw_metrics import role_metrics


def training_draws_until(split: dict, round_: int) -> list[int]:
    """The draws that a patient's network has been trained on after a round, sorted."""
    return sorted(draw for pair in split["rounds"][:round_] for draw in pair)


def draw_roles(split: dict, round_: int) -> dict[int, str]:
    """The roles of draws after a round: "train" if trained on so far, "test" if held out; all others have none."""
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
    """Write the predictions and metrics of a round, from the outputs for beats and their `DRAW_COLUMNS` (n)."""
    roles = draw_roles(split, round_)
    predictions = draw_predictions(outputs, rows, roles, decision, Objective.from_config(network))
    write_table(predictions_path, "predictions", predictions, digest)
    of_round = {
        "subject_id": split["subject_id"],
        "arm": split["arm"],
        "round": round_,
        "learned": training_draws_until(split, round_),
    }
    write_json(metrics_path, of_round | role_metrics(predictions, "test"))
