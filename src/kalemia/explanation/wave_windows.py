"""Where the waves of a beat lie: windows around the R peak, what of a map falls into them, and a beat without one."""

import numpy as np

from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ

WAVES = ("P", "QRS", "ST", "T")
REST = "rest"  # of a beat, outside of every window
NEXT_ONSET_MS = 230.0  # before the next R peak its beat has begun
SHORTEST_T_MS = 80.0

# From and to, ms from the R peak, which lies some 40 ms after the onset of the QRS complex. Upper limits of normal: PR
# interval 200 ms (Kusumoto et al., Circulation 2019;140:e382), QRS complex 120 ms (Surawicz et al., Circulation
# 2009;119:e235), QT interval 460 ms (Rautaharju et al., Circulation 2009;119:e241). Between QRS complex and T wave lies
# the ST segment.
WINDOWS_MS = {"P": (-240, -72), "QRS": (-72, 72), "ST": (72, 128), "T": (128, 440)}

_MS = 1000 / RATE_HZ


def wave_windows(rr_ms: float) -> dict[str, slice]:
    """The samples of each of `WAVES` in a beat of 120 at 125 Hz with the R peak at index 40, in the order of time.

    The T wave's window ends where the next beat begins, `rr_ms` being the interval to the next R peak: at fast rates
    the next P wave would else count as T wave.
    """
    windows_ms = dict(WINDOWS_MS)
    start_ms, stop_ms = windows_ms["T"]
    windows_ms["T"] = start_ms, max(min(stop_ms, rr_ms - NEXT_ONSET_MS), start_ms + SHORTEST_T_MS)
    return {name: slice(*(R_INDEX + round(ms / _MS) for ms in limits)) for name, limits in windows_ms.items()}


def window_limits_ms(window: slice) -> tuple[float, float]:
    """Where a window begins and ends, ms from the R peak."""
    return (window.start - R_INDEX) * _MS, (window.stop - R_INDEX) * _MS


def uniform_fractions(windows: dict[str, slice]) -> dict[str, float]:
    """The share of each wave, and of `REST`, in a map that is the same everywhere."""
    return wave_fractions(np.ones(BEAT_SAMPLES), windows)


def wave_fractions(map_: np.ndarray, windows: dict[str, slice]) -> dict[str, float]:
    """The share of each wave, and of `REST`, in a map (120,) of no negative value; NaN where all of it is 0."""
    total = map_.sum(dtype=np.float64)
    found = {name: _ratio(map_[window].sum(dtype=np.float64), total) for name, window in windows.items()}
    return found | {REST: _ratio(total - sum(map_[window].sum(dtype=np.float64) for window in windows.values()), total)}


def flatten_wave(inputs: np.ndarray, window: slice) -> np.ndarray:
    """Beats (n, 120 or more) in which a straight line joins the first and the last sample of the window; a copy.

    The line keeps the baseline, and is the same whether beats are in mV or scaled and shifted.
    """
    flat = inputs.copy()
    ends = inputs[:, [window.start, window.stop - 1]].astype(np.float64)
    flat[:, window] = np.linspace(ends[:, 0], ends[:, 1], window.stop - window.start, axis=1)
    return flat


def _ratio(part: float, total: float) -> float:
    return float(part / total) if total > 0 else float("nan")
