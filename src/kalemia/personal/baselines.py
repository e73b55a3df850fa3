"""What a personal network must beat: the same test draws, told apart by something simpler.

Every baseline learns from the draws that the network learns from in all its rounds, and from no others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.beats.dataset import read_beats
from kalemia.core.config import Network, Range
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.ecg.beat_measurements import measure_beats
from kalemia.network.predictions import draw_predictions
from kalemia.personal.cached_features import Origin, load_features
from kalemia.personal.round_scores import training_draws_until, write_round_predictions
from kalemia.personal.splits import read_split
from kalemia.stats.draw_metrics import best_threshold
from kalemia.stats.logistic_regression import fit_logistic, fit_offset


@dataclass(frozen=True)
class DrawSet:
    """Some labeled draws of a patient (n,), and what baselines may know of each.

    logit: of the generic network; decision: of it. pooled: (n, channels). measures: (n, 6), of the median beat.
    The others are of the context table; NaN where not known.
    """

    labels: np.ndarray
    logit: np.ndarray
    decision: np.ndarray
    pooled: np.ndarray
    measures: np.ndarray
    heart_rate_bpm: np.ndarray
    last_value: np.ndarray
    last_label: np.ndarray
    hours_since_admission: np.ndarray

    def take(self, places: np.ndarray) -> "DrawSet":
        return DrawSet(*(getattr(self, name)[places] for name in self.__dataclass_fields__))


Scores = tuple[np.ndarray, np.ndarray]  # scores (n,) that order the test draws, and decisions (n,) of 0 and 1
_DECIMALS = 4  # more than a laboratory gives
CROSS_PATIENT = "random_intercept"  # needs the other patients, so the evaluation adds it


def write_round_0(
    split_path: str | Path,
    shard_path: str | Path,
    features_path: str | Path,
    generic_path: str | Path,
    context_path: str | Path,
    network: Network,
    positive: Range,
    decision: str,
    digest: str,
    predictions_path: str | Path,
    metrics_path: str | Path,
    baselines_path: str | Path,
) -> None:
    """Round 0: what the generic network says of all the patient's draws, and what each baseline says of the test draws.

    Of a patient who has no split there are no baselines. Raises `UserError` where the files do not belong together.
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
    train = np.flatnonzero(np.isin(ids, training_draws_until(split, len(split["rounds"]))))
    test = np.flatnonzero(np.isin(ids, split["test"]))
    judged = score_baselines(draws.take(train), draws.take(test), positive) if split["rounds"] else {}
    about = predictions.select(["subject_id", "draw_id", "draw_time", "label"]).take(test).to_pylist()
    rows = [
        row | {"baseline": name, "score": score, "decision": said}
        for name, (scores, decisions) in judged.items()
        for row, score, said in zip(about, scores.tolist(), decisions.tolist(), strict=True)
    ]
    write_table(baselines_path, "baselines", table_from_rows("baselines", rows), digest)


def score_baselines(train: DrawSet, test: DrawSet, positive: Range) -> dict[str, Scores]:
    """What each baseline says of the test draws, having learned from `train`, which holds both classes."""

    def logistic(values: Callable[[DrawSet], np.ndarray]) -> Scores:
        return _by_sign(fit_logistic(values(train), train.labels).score(values(test)))

    offset, _ = fit_offset(train.logit, train.labels)
    return {
        "generic": (test.logit, test.decision),
        "threshold": _by_sign(test.logit - best_threshold(train.logit, train.labels)),
        "platt_offset": _by_sign(test.logit + offset),
        "nearest_mean": _by_sign(_nearer_mean(train, test)),
        "linear_probe": logistic(lambda draws: draws.pooled),
        "heart_rate": logistic(lambda draws: draws.heart_rate_bpm[:, None]),
        "ecg_measures": logistic(lambda draws: draws.measures),
        "last_value": _by_sign(_beyond(test.last_value, positive)),
        "last_label": _by_sign(np.nan_to_num(2 * test.last_label - 1)),
        "time_since_admission": logistic(lambda draws: draws.hours_since_admission[:, None]),
    }


def _beyond(values: np.ndarray, positive: Range) -> np.ndarray:
    """How far values lie within the positive range: more than 0 within, 0 or less outside, 0 for NaN; float64 (n,)."""
    values = np.round(values.astype(np.float64), _DECIMALS)  # 5.3 is 5.30000019 in the table's float32
    bound, direction = (positive.above, 1) if np.isfinite(positive.above) else (positive.from_, 1)
    if not np.isfinite(bound):
        bound, direction = min(positive.below, positive.to), -1
    on_bound = (values == bound) & positive.contains(values)
    return np.where(on_bound, 0.1**_DECIMALS, np.nan_to_num(direction * (values - bound)))


def shrunk_intercepts(offsets: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Each patient's offset, drawn towards the mean of the others by what is known of how much patients differ.

    An empirical Bayes estimate of a random intercept; the variance between patients is the moment estimate of
    DerSimonian and Laird (Control Clin Trials 1986;7:177), for each patient from the others alone. Fewer than three
    patients tell nothing about it, so then everybody keeps the own offset.
    """
    if len(offsets) < 3:
        return offsets
    return np.array([_shrunk(offsets, variances, i) for i in range(len(offsets))])


def _shrunk(offsets: np.ndarray, variances: np.ndarray, i: int) -> float:
    others = np.arange(len(offsets)) != i
    values, weights = offsets[others], 1 / variances[others]
    mean = np.average(values, weights=weights)
    excess = np.sum(weights * (values - mean) ** 2) - (len(values) - 1)
    between = max(0.0, excess / (weights.sum() - np.sum(weights**2) / weights.sum()))
    weights = 1 / (variances[others] + between)
    mean = np.average(values, weights=weights)
    return float(mean + (offsets[i] - mean) * between / (between + variances[i]))


def _by_sign(scores: np.ndarray) -> Scores:
    return scores, (scores > 0).astype(np.int8)


def _nearer_mean(train: DrawSet, test: DrawSet) -> np.ndarray:
    """How much nearer, in squared distance, the mean of the positive training draws is than that of the negative."""
    away = [((test.pooled - train.pooled[train.labels == label].mean(axis=0)) ** 2).sum(axis=1) for label in (0, 1)]
    return away[0] - away[1]


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
    mine = [np.flatnonzero(draw_ids == draw) for draw in ids]
    rows = {row["draw_id"]: row for row in context.to_pylist()}

    def known(column: str) -> np.ndarray:
        values = [rows[draw][column] if draw in rows else None for draw in ids.tolist()]
        return np.array([np.nan if value is None else value for value in values], np.float64)

    median_mv = np.array([np.median(beats_mv[places], axis=0) for places in mine]).reshape(len(ids), -1)
    return DrawSet(
        labels=predictions["label"].to_numpy(zero_copy_only=False),
        logit=predictions["logit"].to_numpy(),
        decision=predictions["decision"].to_numpy(),
        pooled=np.array([pooled[places].mean(axis=0, dtype=np.float64) for places in mine]),
        measures=measure_beats(median_mv, np.array([np.nanmedian(rr_ms[places]) for places in mine])),
        heart_rate_bpm=known("heart_rate_bpm"),
        last_value=known("last_potassium"),
        last_label=known("last_label"),
        hours_since_admission=known("hours_since_admission"),
    )
