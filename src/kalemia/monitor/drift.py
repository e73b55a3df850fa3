"""How far the mean beat of a window departs from the one that a personal network learned from."""

import numpy as np

from kalemia.core.schemas import R_INDEX

# Above it electrodes have moved or the lead has changed. docs/monitor.md has the data without drift that it was set on.
DRIFT_ABOVE = 0.35
_QRS = slice(R_INDEX - 13, R_INDEX + 14)  # 104 ms on each side, where potassium changes a beat least


def drift_of(mean_beat_mv: np.ndarray, learned_mv: np.ndarray) -> float:
    """The difference of the QRS complexes of two beats (120,) in mV, relative to the learned one; 0 for equal beats.

    Both are root mean squares, after their means are taken out.

    >>> beat_mv = np.exp(-0.5 * np.square((np.arange(120) - 40) / 2.5))
    >>> round(drift_of(1.2 * beat_mv, beat_mv), 3), round(drift_of(-beat_mv, beat_mv), 3)
    (0.2, 2.0)
    """
    window_mv, learned_mv = (beat_mv[_QRS] - beat_mv[_QRS].mean() for beat_mv in (mean_beat_mv, learned_mv))
    return float(np.linalg.norm(window_mv - learned_mv) / np.linalg.norm(learned_mv))
