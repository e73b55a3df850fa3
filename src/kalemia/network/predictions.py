"""From the beats of shards to what a network says of each draw, the unit of every result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from kalemia.beats.normalization import normalized
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.schemas import BEAT_SAMPLES, SCHEMAS
from kalemia.core.tables import read_row_groups, read_table
from kalemia.evaluation.round_metrics import draw_decisions
from kalemia.network.losses import LABEL_ALONE, Objective, first_column

if TYPE_CHECKING:  # torch is imported where a network is used, so that jobs without one start quickly
    import torch

    from kalemia.network.resnet import ResNet

DRAW_COLUMNS = ["subject_id", "draw_id", "draw_time", "potassium", "label"]
RR_COLUMNS = ["rr_before_ms", "rr_after_ms"]
_COLUMNS = [*DRAW_COLUMNS, *RR_COLUMNS, "beat"]


@dataclass(frozen=True)
class BeatSet:
    """Beats and, row by row, the draws they belong to.

    beats_mv: (n, 120) float32, mV. rows: a table (n) of `DRAW_COLUMNS`. inputs: what the network takes of each beat,
    float32 (n, ...); `beats_mv` itself where the network takes beats as they are.
    """

    beats_mv: np.ndarray
    rows: pa.Table
    inputs: np.ndarray

    def __len__(self) -> int:
        return len(self.beats_mv)

    @property
    def draw_ids(self) -> np.ndarray:
        """Of every beat, int64 (n,)."""
        return self.rows["draw_id"].to_numpy()

    def take(self, keep: np.ndarray) -> BeatSet:
        """The beats at the places, or under the mask, `keep`; a copy."""
        places = np.flatnonzero(keep) if keep.dtype == bool else keep
        beats_mv = self.beats_mv[places]
        inputs = beats_mv if self.inputs is self.beats_mv else self.inputs[places]
        return BeatSet(beats_mv, self.rows.take(places), inputs)

    def labeled(self, labels: np.ndarray) -> BeatSet:
        """The same beats with other labels, int8 (n,)."""
        column = self.rows.column_names.index("label")
        return BeatSet(self.beats_mv, self.rows.set_column(column, "label", pa.array(labels, pa.int8())), self.inputs)


def read_beats(path: str | Path, network: config.Network | None = None) -> BeatSet:
    """All beats of a shard, and what `network` takes of them; without one, the beats as they are.

    Raises `UserError` as `tables.read_table`, and if a beat has a sample or an interval that is not a finite number.
    """
    return _beat_set(path, read_table(path, "beats", _COLUMNS), network)


def read_beats_of_subjects(path: str | Path, network: config.Network | None = None) -> Iterator[BeatSet]:
    """As `read_beats`, subject after subject, of a file in which each has a row group."""
    for table in read_row_groups(path, "beats", _COLUMNS):
        yield _beat_set(path, table, network)


def _beat_set(path: str | Path, table: pa.Table, network: config.Network | None) -> BeatSet:
    chunks_mv = [chunk.flatten().to_numpy().reshape(-1, BEAT_SAMPLES) for chunk in table["beat"].chunks]
    beats_mv = np.concatenate([np.zeros((0, BEAT_SAMPLES), np.float32), *chunks_mv])
    _refuse_not_finite(path, table, beats_mv, "a sample")
    inputs = beats_mv
    if network is not None:
        of_draws = table["draw_id"].to_numpy(), table["draw_time"].to_numpy()
        inputs = normalized(beats_mv, *of_draws, network.normalization)
        if network.rr_intervals:
            rr_s = np.stack([table[name].to_numpy() for name in RR_COLUMNS], axis=1) / np.float32(1000)
            _refuse_not_finite(path, table, rr_s, "an interval")
            inputs = np.concatenate([inputs, rr_s], axis=1)
    return BeatSet(beats_mv, table.select(DRAW_COLUMNS), inputs)


def concatenated(parts: list[BeatSet]) -> BeatSet:
    """Several sets of beats as one; at least one part."""
    beats_mv = np.concatenate([part.beats_mv for part in parts])
    are_inputs = all(part.inputs is part.beats_mv for part in parts)
    inputs = beats_mv if are_inputs else np.concatenate([part.inputs for part in parts])
    return BeatSet(beats_mv, pa.concat_tables([part.rows for part in parts]), inputs)


def beat_tensor(beats_mv: np.ndarray, device: torch.device) -> torch.Tensor:
    """Beats on a device, in memory of torch's own.

    That begins at a multiple of 64 bytes, numpy's at any of 16. Kernels with wide vectors may sum in another order
    where memory begins elsewhere, and two runs would differ in their last bits.
    """
    import torch

    return torch.tensor(beats_mv, device=device)


def beat_outputs(network: ResNet, inputs: np.ndarray) -> np.ndarray:
    """What the network says of inputs (n, ...) of its kind: float32 (n,) or (n, columns), in order."""
    from kalemia.network.inference import outputs_of

    device = next(network.parameters()).device
    if not len(inputs):
        return np.zeros((0, network.head.out_features), np.float32)
    return outputs_of(network, beat_tensor(inputs, device)).cpu().numpy()


def beat_logits(network: ResNet, inputs: np.ndarray) -> np.ndarray:
    """The label's logits of inputs (n, ...): float32 (n,), in order."""
    return first_column(beat_outputs(network, inputs))


def draw_predictions(
    outputs: np.ndarray,
    rows: pa.Table,
    role_of_draw: dict[int, str],
    decision: str,
    objective: Objective = LABEL_ALONE,
) -> pa.Table:
    """A table of kind "predictions", one row a draw, by time and id of the draw.

    outputs: float32 (n,) logits, one a beat, or (n, columns) of which `objective` knows the meaning. rows: (n)
    `DRAW_COLUMNS` of the beats. role_of_draw: draws without a role are "other". decision: as
    `evaluation.draw_decisions`.
    """
    draw_ids, first, beat_draw, n_beats = np.unique(
        rows["draw_id"].to_numpy(), return_index=True, return_inverse=True, return_counts=True
    )
    logits, estimates = first_column(outputs), objective.estimates(outputs)
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
        "estimate": np.bincount(beat_draw, weights=estimates, minlength=len(draw_ids)) / n_beats,
    }.items():
        predictions = predictions.append_column(name, pa.array(values, from_pandas=True))
    predictions = predictions.cast(SCHEMAS["predictions"])
    return predictions.sort_by([("draw_time", "ascending"), ("draw_id", "ascending")])


def _refuse_not_finite(path: str | Path, table: pa.Table, numbers: np.ndarray, what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(bad):
        raise UserError(
            f"{path}: draw {table['draw_id'][int(bad[0])]} has a beat with {what} that is no finite number;"
            " delete it and run again"
        )
