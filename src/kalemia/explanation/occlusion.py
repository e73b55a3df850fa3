"""Occlusion: how the predictions change when one wave of the beat is removed; a check of Grad-CAM."""

import numpy as np

from kalemia.beats.dataset import BeatSet
from kalemia.explanation.wave_windows import flatten_wave
from kalemia.network.predictions import beat_logits
from kalemia.network.resnet import ResNet
from kalemia.stats.draw_metrics import area_under_roc


def occlusion_rows(model: ResNet, test: BeatSet, windows: dict[str, slice]) -> list[dict]:
    """Return one row per wave: predictions for the draws of the labeled beats `test`, with and without the wave.

    A draw's score is the mean logit of its beats. auc and auc_without: AUC of the scores with the wave and after
    `flatten_wave`. logit_change: absolute change of the score. logit_drop: change of the score away from the draw's
    label. Both are averaged within each class, then over the classes, so that the larger class weighs no more.
    windows: from `wave_windows`.
    """
    draw_ids, first, beat_draw = np.unique(test.draw_ids, return_index=True, return_inverse=True)
    labels = test.rows["label"].to_numpy()[first]
    intact = _draw_logits(model, test.inputs, beat_draw)
    rows = []
    for wave, window in windows.items():
        without = _draw_logits(model, flatten_wave(test.inputs, window), beat_draw)
        toward_label = np.where(labels == 1, intact - without, without - intact)
        rows.append(
            {
                "wave": wave,
                "n_test": len(draw_ids),
                "n_positive": int(np.sum(labels == 1)),
                "auc": area_under_roc(labels, intact),
                "auc_without": area_under_roc(labels, without),
                "logit_change": _mean_of_classes(np.abs(intact - without), labels),
                "logit_drop": _mean_of_classes(toward_label, labels),
            }
        )
    return rows


def _draw_logits(model: ResNet, inputs: np.ndarray, beat_draw: np.ndarray) -> np.ndarray:
    """Mean logit of each draw's beats: float64 (draws,)."""
    logits = beat_logits(model, inputs).astype(np.float64)
    return np.bincount(beat_draw, weights=logits) / np.bincount(beat_draw)


def _mean_of_classes(values: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([values[labels == label].mean() for label in np.unique(labels)]))
