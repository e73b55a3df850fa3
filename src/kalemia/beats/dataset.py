"""Read beat shards as arrays: each beat with its draw, and the inputs for a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.beats.normalization import NO_BEATS, BeatSums, normalize_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.schemas import BEAT_SAMPLES
from kalemia.core.tables import read_row_groups, read_table

DRAW_COLUMNS = ["subject_id", "draw_id", "draw_time", "value", "label"]


RR_COLUMNS = ["rr_before_ms", "rr_after_ms"]


_COLUMNS = [*DRAW_COLUMNS, *RR_COLUMNS, "beat"]


@dataclass(frozen=True)
class BeatSet:
    """Beats and the draws they belong to.

    beats_mv: (n, 120) float32. rows: a table of `DRAW_COLUMNS` with one row per beat. inputs: the network's input for
    each beat, float32 (n, ...); the same object as `beats_mv` if the network takes beats unchanged.
    """

    beats_mv: np.ndarray
    rows: pa.Table
    inputs: np.ndarray

    def __len__(self) -> int:
        return len(self.beats_mv)

    @property
    def draw_ids(self) -> np.ndarray:
        """The draw of every beat, int64 (n,)."""
        return self.rows["draw_id"].to_numpy()

    def take(self, keep: np.ndarray) -> BeatSet:
        """Copy the beats selected by `keep`, indices or a bool mask (n,)."""
        indices = np.flatnonzero(keep) if keep.dtype == bool else keep
        beats_mv = self.beats_mv[indices]
        inputs = beats_mv if self.inputs is self.beats_mv else self.inputs[indices]
        return BeatSet(beats_mv, self.rows.take(indices), inputs)

    def with_labels(self, labels: np.ndarray) -> BeatSet:
        """The same beats with other labels, int8 (n,)."""
        column = self.rows.column_names.index("label")
        return BeatSet(self.beats_mv, self.rows.set_column(column, "label", pa.array(labels, pa.int8())), self.inputs)


def read_beats(path: str | Path, network: config.Network | None = None) -> BeatSet:
    """Read all beats of a shard, with the inputs for `network`; without a network the inputs are the beats themselves.

    Raises `UserError` as `tables.read_table`, and if a beat has a sample or an RR interval that is not finite.
    """
    return beat_set(path, read_table(path, "beats", _COLUMNS), network)


def iter_beats_by_subject(path: str | Path, network: config.Network | None = None) -> Iterator[BeatSet]:
    """As `read_beats`, one subject at a time, from a file with one row group per subject."""
    for table in read_row_groups(path, "beats", _COLUMNS):
        yield beat_set(path, table, network)


def beat_set(path: str | Path, table: pa.Table, network: config.Network | None, before: BeatSums = NO_BEATS) -> BeatSet:
    """As `read_beats`, from a table of one subject that came from `path`; `before` is as for `normalize_beats`."""
    chunks_mv = [chunk.flatten().to_numpy().reshape(-1, BEAT_SAMPLES) for chunk in table["beat"].chunks]
    beats_mv = np.concatenate([np.zeros((0, BEAT_SAMPLES), np.float32), *chunks_mv])
    _check_finite(path, table, beats_mv, "a sample")
    inputs = beats_mv
    if network is not None:
        of_draws = table["draw_id"].to_numpy(), table["draw_time"].to_numpy()
        inputs = normalize_beats(beats_mv, *of_draws, network.normalization, before)
        if network.rr_intervals:
            rr_s = np.stack([table[name].to_numpy() for name in RR_COLUMNS], axis=1) / np.float32(1000)
            _check_finite(path, table, rr_s, "an interval")
            inputs = np.concatenate([inputs, rr_s], axis=1)
    return BeatSet(beats_mv, table.select(DRAW_COLUMNS), inputs)


def concatenate_beat_sets(parts: list[BeatSet]) -> BeatSet:
    """Concatenate one or more sets of beats."""
    beats_mv = np.concatenate([part.beats_mv for part in parts])
    are_inputs = all(part.inputs is part.beats_mv for part in parts)
    inputs = beats_mv if are_inputs else np.concatenate([part.inputs for part in parts])
    return BeatSet(beats_mv, pa.concat_tables([part.rows for part in parts]), inputs)


def _check_finite(path: str | Path, table: pa.Table, numbers: np.ndarray, what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(bad):
        raise UserError(
            f"{path}: draw {table['draw_id'][int(bad[0])]} has a beat with {what} that is not a finite number;"
            " delete it and run again"
        )
