"""Choose the excerpts to review first: those lost for want of good beats, and those closest to a threshold."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from kalemia.core.config import Beats, Quality, Rhythm

_LOST_SHARE = 0.5  # of the good beats that a draw needs
_RULES = {  # reason -> its threshold
    "too few R peaks": "good beats",
    "too few good beats": "good beats",
    "ectopic beats": "ectopic share",
    "pacing in the ECG": "pacing click",
    "atrial fibrillation in the ECG": "irregularity",
}


class Threshold(NamedTuple):
    """A rule's threshold, the value of an excerpt, and how far it is from the threshold (0 on it)."""

    name: str
    value: float
    threshold: float
    distance: float


def choose_for_review(
    rows: Iterable[dict], max_rows: int, quality: Quality, rhythm: Rhythm, beats: Beats
) -> tuple[list[dict], list[dict]]:
    """At most `max_rows` rows of quality tables: those that lack over half of the good beats they need, and others.

    The first, positive draws with high values before others, lie far from every threshold; the others are those closest
    to one. Each of the two gets half of the rows, or more if the other has fewer. Draws without an ECG are left out.
    """
    lost, others = [], []
    for row in rows:
        if row["recorded_s"]:
            few = row["n_good"] < _LOST_SHARE * _n_needed(row, quality, beats)
            (lost if few and row["reason_before_review"] else others).append(row)
    lost.sort(key=_positive_and_high_first)
    near = closest_to_threshold(others, quality, rhythm, beats)
    n_lost = max((max_rows + 1) // 2, max_rows - len(near))
    lost = lost[:n_lost]
    return lost, near[: max_rows - len(lost)]


def closest_to_threshold(rows: Iterable[dict], quality: Quality, rhythm: Rhythm, beats: Beats) -> list[dict]:
    """Rows with a distance to a threshold, the smallest first; among equal ones excluded positive draws first."""
    ranked = [
        (distance_to_threshold(row, quality, rhythm, beats), not _is_lost_positive(row), row["draw_id"], row)
        for row in rows
    ]
    ranked.sort(key=lambda item: item[:3])
    return [row for distance, _, _, row in ranked if math.isfinite(distance)]


def distance_to_threshold(row: dict, quality: Quality, rhythm: Rhythm, beats: Beats) -> float:
    """Distance of a row of the quality table to the closest threshold: 0 on it, infinite without any R peak."""
    return min((one.distance for one in thresholds_of(row, quality, rhythm, beats)), default=math.inf)


def deciding_threshold(row: dict, quality: Quality, rhythm: Rhythm, beats: Beats) -> Threshold | None:
    """The threshold that excluded a row of the quality table, or else the closest; None without any R peak."""
    known = thresholds_of(row, quality, rhythm, beats)
    excluding = [one for one in known if _RULES.get(row["reason_before_review"]) == one.name]
    return min(excluding or known, key=lambda one: one.distance, default=None)


def thresholds_of(row: dict, quality: Quality, rhythm: Rhythm, beats: Beats) -> list[Threshold]:
    """All thresholds that apply to a row of the quality table; none without any R peak.

    Counts and fractions are compared by the absolute logarithm of their ratio to the threshold, COSEn by its absolute
    difference, because it is a logarithm already.
    """
    if not row["n_r_peaks"]:
        return []
    compared = [
        ("good beats", row["n_good"], _n_needed(row, quality, beats)),
        ("ectopic share", row["ectopic_share"], rhythm.max_ectopic_fraction),
        ("pacing click", row["pacing_click"], rhythm.max_pacing_spike_ratio),
    ]
    known = [Threshold(name, value, limit, _log_ratio(value, limit)) for name, value, limit in compared]
    irregularity = row["irregularity"]
    if irregularity is not None and math.isfinite(irregularity):
        away = abs(irregularity - rhythm.max_cosen)
        known.append(Threshold("irregularity", irregularity, rhythm.max_cosen, away))
    return known


def _n_needed(row: dict, quality: Quality, beats: Beats) -> float:
    return max(beats.min_per_draw, quality.min_good_fraction * row["n_r_peaks"])


def _is_lost_positive(row: dict) -> bool:
    return row["label"] == 1 and row["reason"] is not None


def _positive_and_high_first(row: dict) -> tuple:
    """The sort key of rows that lack good beats: excluded positive draws first, then high values."""
    return not _is_lost_positive(row), math.inf if row["value"] is None else -row["value"], row["draw_id"]


def _log_ratio(value: float | None, threshold: float) -> float:
    return abs(math.log(value / threshold)) if value and threshold else math.inf
