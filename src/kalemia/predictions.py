"""From the beats of shards to what a network says of each draw, the unit of every result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from kalemia.errors import UserError
from kalemia.evaluation import draw_decisions
from kalemia.tables import BEAT_SAMPLES, SCHEMAS, read_table

if TYPE_CHECKING:  # torch is imported where a network is used, so that jobs without one start quickly
    import torch

    from kalemia.resnet import ResNet

DRAW_COLUMNS = ["subject_id", "draw_id", "draw_time", "potassium", "label"]


@dataclass(frozen=True)
class BeatSet:
    """Beats and, row by row, the draws they belong to.

    beats_mv: (n, 120) float32, mV. rows: a table (n) of `DRAW_COLUMNS`.
    """

    beats_mv: np.ndarray
    rows: pa.Table

    def __len__(self) -> int:
        return len(self.beats_mv)

    @property
    def draw_ids(self) -> np.ndarray:
        """Of every beat, int64 (n,)."""
        return self.rows["draw_id"].to_numpy()

    def take(self, keep: np.ndarray) -> BeatSet:
        """The beats at the places, or under the mask, `keep`; a copy."""
        places = np.flatnonzero(keep) if keep.dtype == bool else keep
        return BeatSet(self.beats_mv[places], self.rows.take(places))

    def labeled(self, labels: np.ndarray) -> BeatSet:
        """The same beats with other labels, int8 (n,)."""
        column = self.rows.column_names.index("label")
        return BeatSet(self.beats_mv, self.rows.set_column(column, "label", pa.array(labels, pa.int8())))


def read_beats(path: str | Path) -> BeatSet:
    """All beats of a shard.

    Raises `UserError` as `tables.read_table`, and if a beat has a sample that is not a finite number.
    """
    table = read_table(path, "beats", columns=[*DRAW_COLUMNS, "beat"])
    chunks_mv = [chunk.flatten().to_numpy().reshape(-1, BEAT_SAMPLES) for chunk in table["beat"].chunks]
    beats_mv = np.concatenate([np.zeros((0, BEAT_SAMPLES), np.float32), *chunks_mv])
    bad = np.flatnonzero(~np.isfinite(beats_mv).all(axis=1))
    if len(bad):
        raise UserError(
            f"{path}: draw {table['draw_id'][int(bad[0])]} has a beat with a sample that is no finite number;"
            " delete it and run again"
        )
    return BeatSet(beats_mv, table.select(DRAW_COLUMNS))


def concatenated(parts: list[BeatSet]) -> BeatSet:
    """Several sets of beats as one; at least one part."""
    return BeatSet(np.concatenate([part.beats_mv for part in parts]), pa.concat_tables([part.rows for part in parts]))


def beat_tensor(beats_mv: np.ndarray, device: torch.device) -> torch.Tensor:
    """Beats on a device; on the CPU the tensor shares the array's memory, if that may be written to."""
    import torch

    return torch.from_numpy(np.require(beats_mv, requirements="CW")).to(device)


def beat_logits(network: ResNet, beats_mv: np.ndarray) -> np.ndarray:
    """What the network says of beats (n, 120), float32 mV: float32 logits (n,), in order."""
    if not len(beats_mv):
        return np.zeros(0, np.float32)
    from kalemia.training import logits_of

    device = next(network.parameters()).device
    return logits_of(network, beat_tensor(beats_mv, device)).cpu().numpy()


def draw_predictions(logits: np.ndarray, rows: pa.Table, role_of_draw: dict[int, str], decision: str) -> pa.Table:
    """A table of kind "predictions", one row a draw, by time and id of the draw.

    logits: float32 (n,), one a beat. rows: (n) `DRAW_COLUMNS` of the beats. role_of_draw: draws without a role are
    "other". decision: as `evaluation.draw_decisions`.
    """
    draw_ids, first, beat_draw, n_beats = np.unique(
        rows["draw_id"].to_numpy(), return_index=True, return_inverse=True, return_counts=True
    )
    votes = np.bincount(beat_draw, weights=logits > 0, minlength=len(draw_ids)).astype(np.int32)
    logit = np.bincount(beat_draw, weights=logits.astype(np.float64), minlength=len(draw_ids)) / n_beats
    predictions = rows.select(DRAW_COLUMNS).take(first)
    for name, values in {
        "role": [role_of_draw.get(draw_id, "other") for draw_id in draw_ids.tolist()],
        "n_beats": n_beats,
        "votes": votes,
        "logit": logit,
        "probability": 0.5 * (1 + np.tanh(0.5 * logit)),  # the sigmoid, without overflow
        "decision": draw_decisions(votes, n_beats, logit, decision),
    }.items():
        predictions = predictions.append_column(name, pa.array(values))
    predictions = predictions.cast(SCHEMAS["predictions"])
    return predictions.sort_by([("draw_time", "ascending"), ("draw_id", "ascending")])
