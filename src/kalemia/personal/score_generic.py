"""Round 0: the generic network and the baselines on one patient's draws. Needs no torch."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.beats.dataset import read_beats
from kalemia.beats.draw_summaries import summarize_beats
from kalemia.beats.generic_mixed_model import read_generic_mixed_model
from kalemia.core.config import Network, Range
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.network.predictions import draw_predictions
from kalemia.personal.baselines import Background, DrawSet, score_baselines
from kalemia.personal.cached_features import Origin, load_features
from kalemia.personal.round_scores import write_round_predictions
from kalemia.personal.splits import predictions_by_round, read_split


def score_generic(
    split_path: str | Path,
    shard_path: str | Path,
    features_path: str | Path,
    generic_path: str | Path,
    context_path: str | Path,
    mixed_model_path: str | Path | None,
    network: Network,
    positive: Range,
    decision: str,
    digest: str,
    predictions_path: str | Path,
    metrics_path: str | Path,
    baselines_path: str | Path,
) -> None:
    """Score all draws of a patient with the generic network (round 0), and the test draws with every baseline.

    mixed_model_path: as `write_generic_mixed_model` writes it; None if the study trains no generic network. A patient
    without a split has no baselines. Raises `UserError` if the files do not belong together.
    """
    split, beats = read_split(split_path), read_table(shard_path, "beats", ["draw_id", "rr_after_ms"])
    pooled, outputs = load_features(features_path, ("pooled", "outputs"), Origin.of(generic_path, shard_path))
    beat_set = read_beats(shard_path)
    write_round_predictions(outputs, beat_set.rows, split, 0, network, decision, digest, predictions_path, metrics_path)
    predictions = draw_predictions(outputs, beat_set.rows, {}, decision)
    context = read_table(context_path, "context")
    context = context.filter(pc.equal(context["subject_id"], split["subject_id"]))
    rr_ms = beats["rr_after_ms"].to_numpy(zero_copy_only=False)
    draws = _draw_set(predictions, beat_set.draw_ids, beat_set.beats_mv, rr_ms, pooled, context)
    ids = predictions["draw_id"].to_numpy()
    background = Background(positive, mixed_model_path and read_generic_mixed_model(mixed_model_path))
    rows = []
    for learned, tested in predictions_by_round(split):
        train, test = (np.flatnonzero(np.isin(ids, part)) for part in (learned, tested))
        test_rows = predictions.select(["subject_id", "draw_id", "draw_time", "label"]).take(test).to_pylist()
        rows += [
            row | {"baseline": name, "score": score, "decision": decided}
            for name, (scores, decisions) in score_baselines(draws.take(train), draws.take(test), background).items()
            for row, score, decided in zip(test_rows, scores.tolist(), decisions.tolist(), strict=True)
        ]
    write_table(baselines_path, "baselines", table_from_rows("baselines", rows), digest)


def _draw_set(
    predictions: pa.Table,
    draw_ids: np.ndarray,
    beats_mv: np.ndarray,
    rr_ms: np.ndarray,
    pooled: np.ndarray,
    context: pa.Table,
) -> DrawSet:
    """The draws of a predictions table, from their beats (beats, ...) and the rows of the context table."""
    ids = predictions["draw_id"].to_numpy()
    beats_of_draws = [np.flatnonzero(draw_ids == draw) for draw in ids]
    mean_beat, measures = summarize_beats(ids, draw_ids, beats_mv, rr_ms)
    rows = {row["draw_id"]: row for row in context.to_pylist()}

    def context_column(column: str) -> np.ndarray:
        values = [rows[draw][column] if draw in rows else None for draw in ids.tolist()]
        return np.array([np.nan if value is None else value for value in values], np.float64)

    return DrawSet(
        labels=predictions["label"].to_numpy(zero_copy_only=False),
        values=predictions["value"].to_numpy(zero_copy_only=False).astype(np.float64),
        logit=predictions["logit"].to_numpy(),
        decision=predictions["decision"].to_numpy(),
        pooled=np.array([pooled[places].mean(axis=0, dtype=np.float64) for places in beats_of_draws]),
        mean_beat=mean_beat,
        measures=measures,
        heart_rate_bpm=context_column("heart_rate_bpm"),
        last_value=context_column("last_value"),
        last_label=context_column("last_label"),
        hours_since_last=context_column("hours_since_last"),
        hours_since_admission=context_column("hours_since_admission"),
    )
