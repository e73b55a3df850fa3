"""Simpler scores of the generic test draws, which learn from the people of the generic network's training."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.beats.draw_summaries import summarize_beats
from kalemia.core.config import Range
from kalemia.core.schemas import BEAT_SAMPLES
from kalemia.core.tables import read_row_groups, read_table, table_from_rows, write_table
from kalemia.personal.baselines import BASELINES, Background, DrawSet

COMPARATORS = ("heart_rate", "ecg_measures", "mean_beat", "minirocket")  # of `BASELINES`: those that need the ECG alone
_MS_PER_MINUTE = 60_000


def write_comparators(
    predictions_path: str | Path, beats_path: str | Path, positive: Range, digest: str, path: str | Path
) -> None:
    """Write the score of each comparator for each test draw of the generic network: a table of kind "comparators".

    They learn from the training and the validation draws, because the network learned from the former and the latter
    chose its weights. predictions_path: of the generic network, which names the draws and their labels.
    """
    predictions = read_table(predictions_path, "predictions").sort_by("draw_id")
    draws, tested = _draw_set(predictions, beats_path), np.flatnonzero(pc.equal(predictions["role"], "test"))
    learned = np.setdiff1d(np.arange(len(predictions)), tested)
    keys = predictions.select(["subject_id", "draw_id", "label"]).take(tested).to_pylist()
    rows = []
    for name in COMPARATORS:
        scores, _ = BASELINES[name].score(
            draws.take(learned), draws.take(tested), Background(positive, mixed_model=None)
        )
        rows += [key | {"baseline": name, "score": score} for key, score in zip(keys, scores.tolist(), strict=True)]
    write_table(path, "comparators", table_from_rows("comparators", rows), digest)


def _draw_set(predictions: pa.Table, beats_path: str | Path) -> DrawSet:
    """The draws of predictions sorted by draw, with what the comparators use; all else is not known."""
    ids, n = predictions["draw_id"].to_numpy(), len(predictions)
    mean_beat, measures, rate_bpm = np.full((n, BEAT_SAMPLES // 2), np.nan), np.full((n, 6), np.nan), np.full(n, np.nan)
    for beats in read_row_groups(beats_path, "beats", ["draw_id", "rr_after_ms", "beat"]):
        draw_ids, rr_ms = (beats[name].to_numpy() for name in ("draw_id", "rr_after_ms"))
        beats_mv = beats["beat"].combine_chunks().flatten().to_numpy().reshape(-1, BEAT_SAMPLES)
        mine = np.intersect1d(ids, draw_ids)
        places = np.searchsorted(ids, mine)
        mean_beat[places], measures[places] = summarize_beats(mine, draw_ids, beats_mv, rr_ms)
        rate_bpm[places] = [_MS_PER_MINUTE / np.nanmedian(rr_ms[draw_ids == draw]) for draw in mine]
    unknown = np.full(n, np.nan)
    return DrawSet(
        labels=predictions["label"].to_numpy(),
        values=predictions["value"].to_numpy().astype(np.float64),
        logit=predictions["logit"].to_numpy(),
        decision=predictions["decision"].to_numpy(),
        pooled=np.empty((n, 0)),
        mean_beat=mean_beat,
        measures=measures,
        heart_rate_bpm=rate_bpm,
        **dict.fromkeys(("last_value", "last_label", "hours_since_last", "hours_since_admission"), unknown),
    )
