"""Predictions: from network outputs for beats to one prediction per draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from kalemia.beats.dataset import DRAW_COLUMNS
from kalemia.core.schemas import SCHEMAS
from kalemia.network.losses import LABEL_ONLY, Objective, label_column
from kalemia.stats.draw_metrics import draw_decisions
from kalemia.stats.logistic_regression import sigmoid

if TYPE_CHECKING:  # torch is imported in the functions that use it, so that jobs without a network start quickly
    import torch

    from kalemia.network.resnet import ResNet


def beat_tensor(beats_mv: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copy beats (n, ...) to a tensor on `device`, in memory that torch allocates.

    Torch aligns memory to 64 bytes, numpy to 16. Vectorized kernels may sum in another order if the alignment differs,
    and then two runs would differ in their last bits.
    """
    import torch

    return torch.tensor(beats_mv, device=device)


def beat_outputs(network: ResNet, inputs: np.ndarray) -> np.ndarray:
    """Return the network's outputs for inputs (n, ...): float32 (n,), or (n, columns) with an auxiliary head."""
    from kalemia.network.inference import predict

    device = next(network.parameters()).device
    if not len(inputs):
        return np.zeros((0, network.head.out_features), np.float32)
    return predict(network, beat_tensor(inputs, device)).cpu().numpy()


def beat_logits(network: ResNet, inputs: np.ndarray) -> np.ndarray:
    """Return the label's logits for inputs (n, ...): float32 (n,)."""
    return label_column(beat_outputs(network, inputs))


def draw_predictions(
    outputs: np.ndarray,
    rows: pa.Table,
    role_of_draw: dict[int, str],
    decision: str,
    objective: Objective = LABEL_ONLY,
) -> pa.Table:
    """Return a table of kind "predictions": one row per draw, sorted by time and id of the draw.

    A draw's logit is the mean logit of its beats, its probability the sigmoid of that mean.

    outputs: float32 (n,) logits, one per beat, or (n, columns) with the meaning that `objective` gives them. rows: the
    `DRAW_COLUMNS` of the n beats. role_of_draw: role by draw id; a draw without an entry gets "other". decision:
    decision rule, as for `stats.draw_metrics.draw_decisions`.
    """
    draw_ids, first, beat_draw, n_beats = np.unique(
        rows["draw_id"].to_numpy(), return_index=True, return_inverse=True, return_counts=True
    )
    logits, estimates = label_column(outputs), objective.estimates(outputs)
    votes = np.bincount(beat_draw, weights=logits > 0, minlength=len(draw_ids)).astype(np.int32)
    by_draw = logits[np.lexsort((logits, beat_draw))]
    offsets = pa.array(np.concatenate([[0], np.cumsum(n_beats)]), pa.int32())
    logit = np.bincount(beat_draw, weights=logits.astype(np.float64), minlength=len(draw_ids)) / n_beats
    predictions = rows.select(DRAW_COLUMNS).take(first)
    for name, values in {
        "role": [role_of_draw.get(draw_id, "other") for draw_id in draw_ids.tolist()],
        "n_beats": n_beats,
        "votes": votes,
        "beat_logits": pa.ListArray.from_arrays(offsets, pa.array(by_draw, pa.float32())),
        "logit": logit,
        "probability": sigmoid(logit),
        "decision": draw_decisions(votes, n_beats, logit, decision),
        "estimate": np.bincount(beat_draw, weights=estimates, minlength=len(draw_ids)) / n_beats,
    }.items():
        column = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
        predictions = predictions.append_column(name, column)
    predictions = predictions.cast(SCHEMAS["predictions"])
    return predictions.sort_by([("draw_time", "ascending"), ("draw_id", "ascending")])
