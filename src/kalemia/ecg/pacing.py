"""Detect pacing by what is left of its pulses at 125 Hz."""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.linalg import convolution_matrix
from scipy.signal import firwin

_PULSE_HZ = 45.0  # a QRS complex has little power above; a pulse of 1 ms does, even after the recorder's filter
_SLOW_HZ = 20.0
_PULSE_BEFORE_MARK_S, _PULSE_AFTER_MARK_S = 0.3, 0.064  # where a pulse that captures the heart occurs
_MAX_CYCLE_SHARE = 0.5  # of the usual interval, so that the previous beat is not looked at
_QRS_BEFORE_MARK_S = 0.12  # the earliest onset of a QRS complex that is told from a pulse before it
_REST_S = (0.056, 0.136)  # after a pulse at its onset; only a wide QRS complex is still steep
_MIN_PULSE_TO_NOISE = 4.5
_ONSET_STEEPNESS = 0.25  # of its steepest slope; where the slope first reaches this, the QRS complex begins
_MIN_ISOLATION_S = 0.064  # from a pulse to the onset of the QRS complex, so that the filter shows both apart
_MAX_GAP_RATIO = 1 / 3  # of the amplitude in the gap between them to that of the pulse
_QUANTILE_STEP = 16  # every 16th sample is enough to estimate a quantile
_MAX_BEATS = 256  # are enough, too
_N_TAPS = 31


@lru_cache
def _pulse_taps(rate_hz: float) -> np.ndarray:
    return firwin(_N_TAPS, _PULSE_HZ, pass_zero=False, fs=rate_hz)


@lru_cache
def _slow_taps(rate_hz: float) -> np.ndarray:
    return firwin(15, _SLOW_HZ, fs=rate_hz)


def pacing_spike_ratio(ecg_mv: np.ndarray, marks: np.ndarray, rate_hz: float) -> float:
    """Amplitude of pacing pulses near the marks (n,) of QRS complexes, relative to the complexes; 0 without pulses.

    `ecg_mv` (samples,) is unfiltered at 125 Hz, NaN where nothing was recorded. A pulse leaves a burst above 45 Hz. So
    does a steep QRS complex, above all if the recorder keeps extremes. A burst therefore counts in two places only:
    apart from the complex with a quiet gap between them (atrial pacing, late capture), and at the onset of a complex
    that goes on slowly (ventricular pacing). A natural wide complex begins as slowly as it goes on, and a natural steep
    one has ended by then.

    Amplitudes are upper quartiles over the beats, so that pulses in a quarter of the beats are enough. Nothing is left
    of pulses that the recorder suppresses.
    """
    recorded_mv = ecg_mv[np.isfinite(ecg_mv)]
    if len(marks) < 2 or not len(recorded_mv):
        return 0.0
    before_s = min(_PULSE_BEFORE_MARK_S, _MAX_CYCLE_SHARE * float(np.median(np.diff(marks))) / rate_hz)
    at = np.arange(-round(before_s * rate_hz), round((_PULSE_AFTER_MARK_S + _REST_S[1]) * rate_hz))
    margin = _N_TAPS // 2
    around = np.arange(at[0] - margin, at[-1] + margin + 1)
    marks = marks[(marks >= -around[0]) & (marks + around[-1] < len(ecg_mv))]
    if len(marks) < 2:
        return 0.0
    marks = marks[np.linspace(0, len(marks) - 1, min(len(marks), _MAX_BEATS)).astype(np.int64)]
    centered_mv = np.nan_to_num(ecg_mv - np.median(recorded_mv[::_QUANTILE_STEP]))
    beats_mv, taps = centered_mv[marks[:, None] + around], _pulse_taps(rate_hz)
    burst_mv = np.quantile(np.abs(beats_mv @ convolution_matrix(taps, len(around), mode="valid").T), 0.75, axis=0)
    qrs_mv = np.convolve(np.median(beats_mv, axis=0), _slow_taps(rate_hz), mode="same")[margin:-margin]
    noise_mv = np.abs(sliding_window_view(centered_mv, _N_TAPS)[::_QUANTILE_STEP] @ taps)
    min_mv = _MIN_PULSE_TO_NOISE * np.quantile(noise_mv, 0.75)
    qrs_start = max(0, np.searchsorted(at, -_QRS_BEFORE_MARK_S * rate_hz))
    pulses_stop = np.searchsorted(at, _PULSE_AFTER_MARK_S * rate_hz)
    amplitude_mv = np.ptp(qrs_mv[qrs_start:pulses_stop])
    pulse_mv = max(
        _isolated_pulse(burst_mv[:pulses_stop], qrs_mv, min_mv, qrs_start, rate_hz),
        _pulse_at_onset(burst_mv, qrs_mv, min_mv, pulses_stop, rate_hz),
    )
    return float(pulse_mv / amplitude_mv) if amplitude_mv > 0 else 0.0


def _isolated_pulse(burst_mv: np.ndarray, qrs_mv: np.ndarray, min_mv: float, qrs_start: int, rate_hz: float) -> float:
    """Amplitude (mV) of the largest burst that a quiet gap separates from the QRS complex; 0 if there is none."""
    slope = np.abs(np.diff(qrs_mv))[qrs_start : len(burst_mv)]
    onset = qrs_start + int(np.argmax(slope > _ONSET_STEEPNESS * slope.max()))
    early_mv = burst_mv[: max(0, onset - round(_MIN_ISOLATION_S * rate_hz))]
    if not len(early_mv) or early_mv.max() < min_mv:
        return 0.0
    gap_mv = burst_mv[early_mv.argmax() : onset + 1].min()
    return float(early_mv.max()) if gap_mv < _MAX_GAP_RATIO * early_mv.max() else 0.0


def _pulse_at_onset(burst_mv: np.ndarray, qrs_mv: np.ndarray, min_mv: float, pulses_stop: int, rate_hz: float) -> float:
    """How far (mV) the largest burst exceeds those in the rest of the QRS complex, times how steep the rest is.

    The steepness is the mean slope of the rest, relative to the steepest slope at the burst.
    """
    peak = int(burst_mv[:pulses_stop].argmax())
    if burst_mv[peak] < min_mv:
        return 0.0
    slope, first = np.abs(np.diff(qrs_mv)), max(0, peak - 4)
    start, stop = (peak + round(seconds * rate_hz) for seconds in _REST_S)
    at_burst = slope[first : peak + 5].max()
    if at_burst == 0:
        return 0.0
    excess_mv = burst_mv[peak] - burst_mv[start:stop].max()
    return float(excess_mv * slope[start:stop].mean() / at_burst)
