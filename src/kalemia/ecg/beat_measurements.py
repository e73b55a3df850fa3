"""Classical measurements of a beat, as taken with calipers: amplitudes, slopes and intervals."""

import numpy as np

from kalemia.core.schemas import R_INDEX, RATE_HZ

MEASUREMENTS = ("t_amplitude_mv", "t_r_ratio", "t_slope_mv_s", "qrs_width_ms", "pr_ms", "qt_ms")

_MS = 1000 / RATE_HZ
_ISOELECTRIC = slice(R_INDEX - 10, R_INDEX - 6)  # 80 to 56 ms before the R peak, between P wave and QRS complex
_P_WAVE = slice(R_INDEX - 30, R_INDEX - 10)
_QRS = slice(R_INDEX - 10, R_INDEX + 16)
_T_START = R_INDEX + 14
_T_STOP = R_INDEX + 62
NEXT_ONSET_MS = 230.0  # the next beat begins this long before its R peak
_STEEP_FRACTION = (
    0.12  # of the steepest slope of a QRS complex; where it is flatter, the complex has not begun or has ended
)


def measure_beats(beats_mv: np.ndarray, rr_ms: np.ndarray) -> np.ndarray:
    """Measure beats (n, 120) in mV at 125 Hz with the R peak at index 40: the `MEASUREMENTS`, float64 (n, 6).

    `rr_ms` (n,) is the interval to the next R peak, which limits the search for the T wave. The T amplitude is signed;
    the T slope is that of the limb after the peak, positive toward the baseline. QT ends where the tangent to that limb
    meets the baseline (Lepeschkin and Surawicz, Circulation 1952;6:378). PR runs from the peak of the P wave to the R
    peak. QT and PR are therefore surrogates. The T/R ratio is 0 if the R amplitude is 0.
    """
    beats_mv = beats_mv.astype(np.float64) - beats_mv[:, _ISOELECTRIC].mean(axis=1, keepdims=True)
    onset, offset = _qrs_limits(beats_mv)
    r_mv = beats_mv[:, R_INDEX - 3 : R_INDEX + 4].max(axis=1)
    t_mv, t_slope, t_end = _t_wave(beats_mv, rr_ms)
    p_peak = _P_WAVE.start + np.argmax(beats_mv[:, _P_WAVE], axis=1)
    ratio = np.divide(t_mv, r_mv, out=np.zeros_like(t_mv), where=np.abs(r_mv) > 1e-6)
    widths_ms = (_MS * (offset - onset), _MS * (R_INDEX - p_peak), _MS * (t_end - onset))
    return np.column_stack([t_mv, ratio, t_slope, *widths_ms])


def _qrs_limits(beats_mv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last sample (n,) of the QRS complex, where the beat is steep."""
    slope = np.abs(np.diff(beats_mv[:, _QRS], axis=1))
    steep = slope > _STEEP_FRACTION * slope.max(axis=1, keepdims=True)
    first = np.argmax(steep, axis=1)
    last = steep.shape[1] - np.argmax(steep[:, ::-1], axis=1)
    return _QRS.start + first, _QRS.start + last


def _t_wave(beats_mv: np.ndarray, rr_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """T peak (mV), slope of the limb after it (mV/s, positive toward the baseline), and T end (samples); each (n,)."""
    n, at = len(beats_mv), np.arange(beats_mv.shape[1])
    until = np.clip(R_INDEX + (rr_ms - NEXT_ONSET_MS) / _MS, _T_START + 10, _T_STOP)[:, None]
    inside = (at >= _T_START) & (at <= until)
    peak = np.argmax(np.where(inside, np.abs(beats_mv), -1.0), axis=1)
    height = beats_mv[np.arange(n), peak]
    upright = beats_mv * np.where(height < 0, -1.0, 1.0)[:, None]
    fall = np.diff(upright, axis=1, append=upright[:, -1:])
    after = (at >= peak[:, None]) & (at < until)
    steepest = np.argmin(np.where(after, fall, 0.0), axis=1)
    slope = fall[np.arange(n), steepest]
    left = upright[np.arange(n), steepest]
    tail = np.divide(left, -slope, out=np.zeros_like(slope), where=slope < -1e-9)
    return height, -slope * RATE_HZ, steepest + np.clip(tail, 0, beats_mv.shape[1] - 1 - steepest)
