"""Which excerpts lie nearest the thresholds, so that a person looks at those first."""

import math
from collections.abc import Iterable

from kalemia.core.config import Beats, Quality, Rhythm


def distance_to_threshold(row: dict, quality: Quality, rhythm: Rhythm, beats: Beats) -> float:
    """How near a row of the quality table lies to the nearest threshold: 0 on it, larger further away.

    Shares and counts are compared as logarithms of their ratio to the threshold, the irregularity as it is, because
    it is a logarithm already. What was never judged is infinitely far.
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
    """At most so many rows of quality tables, the nearest to a threshold first."""
    near = [(distance_to_threshold(row, quality, rhythm, beats), row["draw_id"], row) for row in rows]
    near.sort(key=lambda item: item[:2])
    return [row for distance, _, row in near[:max_rows] if math.isfinite(distance)]


def _log_ratio(value: float | None, threshold: float) -> float:
    return abs(math.log(value / threshold)) if value and threshold else math.inf
