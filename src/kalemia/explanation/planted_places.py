"""How well a map finds the places of the beat where potassium acts; they are known of simulated patients only."""

from collections.abc import Iterable, Mapping

import numpy as np

from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.stats.draw_metrics import area_under_roc

_SAMPLE_MS = (np.arange(BEAT_SAMPLES) - R_INDEX) * 1000 / RATE_HZ


def planted_samples(places: Iterable[Mapping]) -> np.ndarray:
    """The samples at `places`, each from `from_ms` to `to_ms` (``potassium_acts_at`` of truth.json): bool (120,)."""
    planted = np.zeros(BEAT_SAMPLES, bool)
    for place in places:
        planted |= (place["from_ms"] <= _SAMPLE_MS) & (place["to_ms"] >= _SAMPLE_MS)
    return planted


def occlusion_map(change_of_wave: Mapping[str, float], windows: Mapping[str, slice]) -> np.ndarray:
    """A map (120,) with the effect of removing a wave at each of its samples, and 0 outside all waves."""
    map_ = np.zeros(BEAT_SAMPLES)
    for wave, window in windows.items():
        map_[window] = change_of_wave[wave]
    return map_


def area_found(map_: np.ndarray, planted: np.ndarray, windows: Mapping[str, slice]) -> float:
    """The chance that a map (120,) is larger at a planted sample than at another one, ties counting half.

    The area under the ROC curve over the samples in the waves' windows: 1 if the map has all planted samples (120,)
    before any other, 0.5 if it is the same everywhere. Only these samples count, because occlusion removes only waves.
    NaN if the map is empty, or if all or none of these samples are planted.
    """
    inside = np.zeros(BEAT_SAMPLES, bool)
    for window in windows.values():
        inside[window] = True
    return area_under_roc(planted[inside].astype(int), map_[inside]) if map_.any() else float("nan")
