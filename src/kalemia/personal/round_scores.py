"""Write the scores of a round: predictions for all draws of the patient, and metrics on the test draws."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.config import Network
from kalemia.core.tables import read_table, write_json, write_table
from kalemia.network.losses import Objective
from kalemia.network.predictions import draw_predictions
from kalemia.personal.splits import parse_split
from kalemia.stats.draw_metrics import role_metrics


def training_draws_until(split: dict, round_: int) -> list[int]:
    """The draws that a patient's network has been trained on after a round, sorted."""
    return sorted(draw for pair in split["rounds"][:round_] for draw in pair)


def draw_roles(split: dict, round_: int) -> dict[int, str]:
    """The roles of draws after a round: "train" if trained on so far, "test" if tested; all others have none.

    A draw that is tested and learned from later, as under `rolling`, is a test draw.
    """
    return dict.fromkeys(training_draws_until(split, round_), "train") | dict.fromkeys(split["test"], "test")


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
    earlier_path: str | Path | None = None,
) -> None:
    """Write the predictions and metrics of a round, from the outputs for beats and their `DRAW_COLUMNS` (n).

    earlier_path: the predictions of the round before. Draws that an earlier round predicts, as under `rolling`, keep
    what it predicted: this round's network may have learned from them.
    """
    roles = draw_roles(split, round_)
    predictions = draw_predictions(outputs, rows, roles, decision, Objective.from_config(network))
    if earlier_path is not None:
        kept = pa.array([draw for draw, by in parse_split(split).predicted_by.items() if by < round_], pa.int64())
        predictions = _keep_earlier(predictions, read_table(earlier_path, "predictions"), kept)
    write_table(predictions_path, "predictions", predictions, digest)
    of_round = {
        "subject_id": split["subject_id"],
        "arm": split["arm"],
        "round": round_,
        "learned": training_draws_until(split, round_),
    }
    write_json(metrics_path, of_round | role_metrics(predictions, "test"))


def _keep_earlier(predictions: pa.Table, earlier: pa.Table, draws: pa.Array) -> pa.Table:
    """Predictions with the rows of some draws as they were; the order of draws stays."""
    new = predictions.filter(pc.invert(pc.is_in(predictions["draw_id"], draws)))
    old = earlier.filter(pc.is_in(earlier["draw_id"], draws)).cast(new.schema)
    place = {draw: i for i, draw in enumerate(predictions["draw_id"].to_pylist())}
    together = pa.concat_tables([new, old])
    return together.take(np.argsort([place[draw] for draw in together["draw_id"].to_pylist()]))
