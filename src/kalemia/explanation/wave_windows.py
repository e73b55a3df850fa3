"""Windows of the P, QRS, ST and T wave in a beat, and what can be done with them: sum a map, remove a wave."""

import numpy as np

from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.ecg.beat_measurements import NEXT_ONSET_MS

WAVES = ("P", "QRS", "ST", "T")
REST = "rest"  # of a beat, outside all windows
MIN_T_MS = 80.0

# Start and end in ms from the R peak, which is about 40 ms after the onset of the QRS complex. Upper limits of normal:
# PR interval 200 ms (Kusumoto et al., Circulation 2019;140:e382), QRS complex 120 ms (Surawicz et al., Circulation
# 2009;119:e235), QT interval 460 ms (Rautaharju et al., Circulation 2009;119:e241). The ST segment is between the QRS
# complex and the T wave.
WINDOWS_MS = {"P": (-240, -72), "QRS": (-72, 72), "ST": (72, 128), "T": (128, 440)}

_MS = 1000 / RATE_HZ


def wave_windows(rr_ms: float) -> dict[str, slice]:
    """Return the samples of each of `WAVES`, in order of time, in a beat of 120 samples at 125 Hz with R at index 40.

    rr_ms: interval to the next R peak. The window of the T wave ends where the next beat begins; otherwise at fast
    rates the next P wave would count as T wave.
    """
    windows_ms = dict(WINDOWS_MS)
    start_ms, stop_ms = windows_ms["T"]
    windows_ms["T"] = start_ms, max(min(stop_ms, rr_ms - NEXT_ONSET_MS), start_ms + MIN_T_MS)
    return {name: window_of_limits(*limits) for name, limits in windows_ms.items()}


def window_limits_ms(window: slice) -> tuple[float, float]:
    """Return the start and the end of a window, in ms from the R peak."""
    return (window.start - R_INDEX) * _MS, (window.stop - R_INDEX) * _MS


def window_of_limits(from_ms: float, to_ms: float) -> slice:
    """The inverse of `window_limits_ms`."""
    return slice(R_INDEX + round(from_ms / _MS), R_INDEX + round(to_ms / _MS))


def uniform_fractions(windows: dict[str, slice]) -> dict[str, float]:
    """Return the fraction of each wave, and of `REST`, in a constant map."""
    return wave_fractions(np.ones(BEAT_SAMPLES), windows)


def wave_fractions(map_: np.ndarray, windows: dict[str, slice]) -> dict[str, float]:
    """Return the fraction of each wave, and of `REST`, in a non-negative map (120,); NaN if the map is zero."""
    total = map_.sum(dtype=np.float64)
    fractions = {name: _ratio(map_[window].sum(dtype=np.float64), total) for name, window in windows.items()}
    return fractions | {
        REST: _ratio(total - sum(map_[window].sum(dtype=np.float64) for window in windows.values()), total)
    }


def flatten_wave(inputs: np.ndarray, window: slice) -> np.ndarray:
    """Return a copy of beats (n, 120 or more) with the window replaced by a straight line between its end samples.

    The line follows the baseline, and commutes with scaling and shifting of the beats.
    """
    flat = inputs.copy()
    ends = inputs[:, [window.start, window.stop - 1]].astype(np.float64)
    flat[:, window] = np.linspace(ends[:, 0], ends[:, 1], window.stop - window.start, axis=1)
    return flat


def _ratio(part: float, total: float) -> float:
    return float(part / total) if total > 0 else float("nan")
