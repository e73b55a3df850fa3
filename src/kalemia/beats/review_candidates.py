"""Choose the excerpts closest to the thresholds, which a person should review first."""

import math
from collections.abc import Iterable

from kalemia.core.config import Beats, Quality, Rhythm


def distance_to_threshold(row: dict, quality: Quality, rhythm: Rhythm, beats: Beats) -> float:
    """Distance of a row of the quality table to the closest threshold: 0 on it, infinite without any R peak.

    Counts and fractions are compared by the absolute logarithm of their ratio to the threshold, COSEn by its absolute
    difference, because it is a logarithm already.
    """
    if not row["n_r_peaks"]:
        return math.inf
    distances = [
        _log_ratio(row["n_good"], max(beats.min_per_draw, quality.min_good_fraction * row["n_r_peaks"])),
        _log_ratio(row["ectopic_share"], rhythm.max_ectopic_fraction),
        _log_ratio(row["pacing_click"], rhythm.max_pacing_spike_ratio),
    ]
    if row["irregularity"] is not None and math.isfinite(row["irregularity"]):
        distances.append(abs(row["irregularity"] - rhythm.max_cosen))
    return min(distances)


def closest_to_threshold(
    rows: Iterable[dict], max_rows: int, quality: Quality, rhythm: Rhythm, beats: Beats
) -> list[dict]:
    """At most `max_rows` rows of quality tables, closest to a threshold first; rows without R peaks are left out."""
    ranked = [(distance_to_threshold(row, quality, rhythm, beats), row["draw_id"], row) for row in rows]
    ranked.sort(key=lambda item: item[:2])
    return [row for distance, _, row in ranked[:max_rows] if math.isfinite(distance)]


def _log_ratio(value: float | None, threshold: float) -> float:
    return abs(math.log(value / threshold)) if value and threshold else math.inf
