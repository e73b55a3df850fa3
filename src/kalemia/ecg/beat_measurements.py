"""Classical measurements of a beat, as taken with calipers: amplitudes, slopes and intervals."""

import numpy as np

from kalemia.core.schemas import R_INDEX, RATE_HZ

MEASUREMENTS = ("t_amplitude_mv", "t_r_ratio", "t_slope_mv_s", "qrs_width_ms", "pr_ms", "qt_ms")

_MS = 1000 / RATE_HZ
_STEEPEST = slice(R_INDEX - 12, R_INDEX + 12)  # holds the steepest slope of the QRS complex, but not that of a tall T
_STEEP_FRACTION = 0.12  # of the steepest slope; where it is flatter, the complex has not begun or has ended
_FLAT_SAMPLES = 3  # for so long; within the complex only a peak is flat, for one sample
_FIRST_ONSET, _LAST_OFFSET = R_INDEX - 22, R_INDEX + 28
_ISOELECTRIC_SAMPLES = 4  # before the onset, between P wave and QRS complex
_P_SAMPLES = (26, 3)  # before the onset: where the peak of a P wave is
_T_START = R_INDEX + 14
_T_STOP = R_INDEX + 62
NEXT_ONSET_MS = 230.0  # the next beat begins this long before its R peak


def measure_beats(beats_mv: np.ndarray, rr_ms: np.ndarray) -> np.ndarray:
    """Measure beats (n, 120) in mV at 125 Hz with the marked wave at index 40: the `MEASUREMENTS`, float64 (n, 6).

    `rr_ms` (n,) is the interval to the next beat, which limits the search for the T wave. The T amplitude is signed;
    the T slope is that of the limb after the peak, positive toward the baseline. The T/R ratio is relative to the
    height of the marked wave, R or S, and 0 if that is 0. QT ends where the tangent to the limb meets the baseline
    (Lepeschkin and Surawicz, Circulation 1952;6:378). PR runs from the peak of the P wave to the marked
    wave. QT and PR are therefore surrogates. Where S and T are one wave, the complex ends halfway at the baseline.
    """
    beats_mv = beats_mv.astype(np.float64)
    steep = _is_steep(beats_mv)
    onset = _onset(steep)
    beats_mv = beats_mv - _mean_before(beats_mv, onset)[:, None]
    wave_mv = np.abs(beats_mv[:, R_INDEX - 3 : R_INDEX + 4]).max(axis=1)
    t_mv, t_slope, t_peak, t_end = _t_wave(beats_mv, rr_ms)
    offset = _offset(beats_mv, steep, t_peak)
    ratio = np.divide(t_mv, wave_mv, out=np.zeros_like(t_mv), where=wave_mv > 1e-6)
    widths_ms = (_MS * (offset - onset), _MS * (R_INDEX - _p_peak(beats_mv, onset)), _MS * (t_end - onset))
    return np.column_stack([t_mv, ratio, t_slope, *widths_ms])


def _is_steep(beats_mv: np.ndarray) -> np.ndarray:
    """Whether the beat is as steep as a QRS complex somewhere in the samples that begin here: (n, 120 - 3)."""
    slope = np.abs(np.diff(beats_mv, axis=1))
    steep = slope > _STEEP_FRACTION * slope[:, _STEEPEST].max(axis=1, keepdims=True)
    return np.lib.stride_tricks.sliding_window_view(steep, _FLAT_SAMPLES, axis=1).any(axis=2)


def _onset(steep: np.ndarray) -> np.ndarray:
    """First sample (n,) of the QRS complex: after the last flat samples before the marked wave."""
    until = R_INDEX - _FLAT_SAMPLES
    flat = ~steep[:, _FIRST_ONSET - _FLAT_SAMPLES : until + 1]
    flat[:, 0] = True  # it begins there at the earliest
    return until - np.argmax(flat[:, ::-1], axis=1) + _FLAT_SAMPLES


def _offset(beats_mv: np.ndarray, steep: np.ndarray, t_peak: np.ndarray) -> np.ndarray:
    """Last sample (n,) of the QRS complex: before the first flat samples, or where the baseline is last crossed."""
    at = np.arange(R_INDEX + 1, _LAST_OFFSET)
    flat = ~steep[:, at]
    last = np.where(flat.any(axis=1), at[np.argmax(flat, axis=1)], _LAST_OFFSET)
    crossed = (beats_mv[:, at] * beats_mv[:, at + 1] <= 0) & (at < t_peak[:, None])
    is_fused = ~flat.any(axis=1) | (last >= t_peak - _FLAT_SAMPLES)
    crossing = at[-1] - np.argmax(crossed[:, ::-1], axis=1)
    return np.where(is_fused & crossed.any(axis=1), crossing, last)


def _mean_before(beats_mv: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """The level (n,) just before the QRS complex."""
    at = onset[:, None] - np.arange(1, _ISOELECTRIC_SAMPLES + 1)
    return np.take_along_axis(beats_mv, at, axis=1).mean(axis=1)


def _p_peak(beats_mv: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """Sample (n,) of the highest point where a P wave peaks."""
    at = np.maximum(onset[:, None] - np.arange(*_P_SAMPLES, -1), 0)
    return at[np.arange(len(at)), np.take_along_axis(beats_mv, at, axis=1).argmax(axis=1)]


def _t_wave(beats_mv: np.ndarray, rr_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """T height (mV), slope of the limb after it (mV/s, positive to the baseline), peak and end (samples): each (n,).

    The peak is the farthest turning point from the baseline, so that the end of a wide S wave is none.
    """
    n, at = len(beats_mv), np.arange(beats_mv.shape[1])
    until = np.clip(R_INDEX + (rr_ms - NEXT_ONSET_MS) / _MS, _T_START + 10, _T_STOP)[:, None]
    inside = (at >= _T_START) & (at <= until)
    size = np.abs(beats_mv)
    turns = np.zeros_like(inside)
    turns[:, 1:-1] = (size[:, 1:-1] >= size[:, :-2]) & (size[:, 1:-1] >= size[:, 2:])
    peak = np.argmax(np.where(inside, np.where(turns, 1 + size, size), -1.0), axis=1)
    height = beats_mv[np.arange(n), peak]
    upright = beats_mv * np.where(height < 0, -1.0, 1.0)[:, None]
    fall = np.diff(upright, axis=1, append=upright[:, -1:])
    after = (at >= peak[:, None]) & (at < until)
    steepest = np.argmin(np.where(after, fall, 0.0), axis=1)
    slope = fall[np.arange(n), steepest]
    left = upright[np.arange(n), steepest]
    tail = np.divide(left, -slope, out=np.zeros_like(slope), where=slope < -1e-9)
    return height, -slope * RATE_HZ, peak, steepest + np.clip(tail, 0, beats_mv.shape[1] - 1 - steepest)
