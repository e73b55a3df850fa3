"""Whether a beat is good enough to learn from, and if not, why."""

import numpy as np

BEAT_REASONS = ("at the edge of a recorded run", "flat", "interval out of range", "unlike the draw's median beat")


def beat_correlations(beats_mv: np.ndarray) -> np.ndarray:
    """Pearson correlation of each beat (n, samples) with the median beat; float64, 0 where a beat is flat."""
    if not len(beats_mv):
        return np.empty(0)
    centered = beats_mv - beats_mv.mean(axis=1, keepdims=True, dtype=np.float64)
    template = np.median(centered, axis=0)
    template -= template.mean()
    scale = np.linalg.norm(centered, axis=1) * np.linalg.norm(template)
    return np.divide(centered @ template, scale, out=np.zeros(len(beats_mv)), where=scale > 0)


def beat_verdicts(
    beats_mv: np.ndarray,
    rr_before_ms: np.ndarray,
    rr_after_ms: np.ndarray,
    rr_ms: tuple[float, float],
    min_correlation: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Of each beat (n, samples), its quality from 0 to 1 and the position of its reason in `BEAT_REASONS`, -1 if good.

    Quality is the correlation with the median of the beats that are whole and have plausible intervals.
    """
    whole = np.isfinite(beats_mv).all(axis=1)
    flat = whole & (np.ptp(np.where(np.isfinite(beats_mv), beats_mv, 0), axis=1) == 0)
    rr_good = np.all([(rr >= rr_ms[0]) & (rr <= rr_ms[1]) for rr in (rr_before_ms, rr_after_ms)], axis=0)
    usable = whole & ~flat & rr_good
    quality = np.zeros(len(beats_mv))
    quality[usable] = np.clip(beat_correlations(beats_mv[usable]), 0, 1)
    reason = np.full(len(beats_mv), -1)
    reason[quality < min_correlation] = 3
    reason[~rr_good] = 2
    reason[flat] = 1
    reason[~whole] = 0
    return quality, reason
