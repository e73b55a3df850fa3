"""Detect QRS complexes and R peaks."""

from functools import lru_cache

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import firwin, oaconvolve
from sleepecg import detect_heartbeats

from kalemia.ecg.fiducial import place_fiducials
from kalemia.ecg.filters import join_runs

MIN_RECORDED_S = 10.0  # the detector's adaptive threshold needs some seconds to settle
_MAX_GAP_S = 1.0  # a longer gap is shortened to this for the detector, whose threshold would sink
_QRS_HZ = (5.0, 25.0)  # a QRS complex has most of its power here, P and T waves little
_QRS_S = 0.1  # length of a QRS complex
_REFRACTORY_S = 0.24  # two ventricular beats cannot be closer
_MAX_T_DELAY_S = 0.36  # the latest start of a T wave after its QRS complex
_N_NEIGHBORS = 8  # beats on each side that a beat is compared with
# strengths relative to the median strength of the neighbors
_MIN_STRENGTH = 0.25  # a weaker mark is not a QRS complex
_MIN_SEARCH_BACK_STRENGTH = 0.3  # a wave in a long interval that is at least this strong is a missed QRS complex
# strength relative to a close, stronger mark
_MAX_T_STRENGTH = 0.6  # a weaker mark is a T or P wave
_LONG_RR_RATIO = 1.4  # an interval is long above this multiple of the median interval


def detect_r_peaks(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Find the R peaks, or the S waves where there is no R wave, in a filtered ECG: as `detect_qrs`."""
    return place_fiducials(ecg_mv, detect_qrs(ecg_mv, rate_hz), rate_hz).r_peaks


def detect_qrs(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Find the QRS complexes of a filtered ECG (samples,) in mV, NaN in gaps: ascending indices, int64 (n,).

    The detector is sleepecg's modified Pan-Tompkins (Brunner 2023), which sees gaps bridged by lines. Each mark's
    strength, the root mean square of the ECG between 5 and 25 Hz over 100 ms, is then compared with that of the
    neighboring marks. A mark that is too weak, or is weak and close to a strong mark (a T or P wave), is removed. In a
    long interval the strongest wave is added if it is strong enough (the search-back of Pan and Tompkins 1985). The
    marks lie inside the QRS complexes; `kalemia.ecg.fiducial` moves them to one wave. There are none in less than 10 s
    of recorded ECG.
    """
    if np.count_nonzero(np.isfinite(ecg_mv)) < MIN_RECORDED_S * rate_hz:
        return np.empty(0, np.int64)
    joined_mv, index = join_runs(ecg_mv, round(_MAX_GAP_S * rate_hz))
    return index[_detect_in_run(joined_mv, rate_hz)]


def qrs_strength(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Root mean square (mV) of the ECG's QRS band over 100 ms around each sample (n,); the ECG must be finite."""
    power = np.square(oaconvolve(ecg_mv, _qrs_taps(rate_hz), mode="same"))
    n = round(_QRS_S * rate_hz) | 1
    total = np.cumsum(np.pad(power, (n // 2 + 1, n // 2)))
    return np.sqrt(np.maximum(total[n:] - total[:-n], 0) / n)


@lru_cache
def _qrs_taps(rate_hz: float) -> np.ndarray:
    return firwin(round(rate_hz / 2) | 1, _QRS_HZ, pass_zero=False, fs=rate_hz)


def _detect_in_run(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    if np.ptp(ecg_mv) == 0:
        return np.empty(0, np.int64)
    strength = qrs_strength(ecg_mv, rate_hz)
    if np.dot(ecg_mv * ecg_mv, ecg_mv) < 0:  # the detector does not treat both polarities alike
        ecg_mv = -ecg_mv
    marks = _move_to_strongest(detect_heartbeats(ecg_mv, rate_hz), strength, round(_QRS_S * rate_hz))
    marks = _remove_weak(marks, strength, rate_hz)
    marks = _add_missed_beats(marks, strength, rate_hz)
    return _remove_weak(marks, strength, rate_hz)


def _move_to_strongest(marks: np.ndarray, strength: np.ndarray, reach: int) -> np.ndarray:
    """Move each mark to the strongest sample within reach."""
    at = np.clip(marks[:, None] + np.arange(-reach, reach + 1), 0, len(strength) - 1)
    return np.unique(at[np.arange(len(marks)), strength[at].argmax(axis=1)])


def local_median(values: np.ndarray) -> np.ndarray:
    """Median of each value (n,) and its eight neighbors on each side; mirrored at the ends."""
    return median_filter(values, 2 * _N_NEIGHBORS + 1, mode="mirror") if len(values) else values


def _remove_weak(marks: np.ndarray, strength: np.ndarray, rate_hz: float) -> np.ndarray:
    """Remove marks that are too weak for a QRS complex, and T or P waves close to a stronger mark."""
    if len(marks) < 2:
        return marks
    relative = strength[marks] / local_median(strength[marks])
    marks, relative = marks[relative >= _MIN_STRENGTH], relative[relative >= _MIN_STRENGTH]
    while len(marks) > 1:
        interval_s, weaker = np.diff(marks) / rate_hz, np.minimum(relative[1:], relative[:-1])
        ratio = weaker / np.maximum(relative[1:], relative[:-1])
        follows_stronger = (interval_s < _MAX_T_DELAY_S) & (ratio < _MAX_T_STRENGTH) & (relative[1:] == weaker)
        wrong_pairs = np.flatnonzero((interval_s < _REFRACTORY_S) | follows_stronger)
        if not len(wrong_pairs):
            break
        first = wrong_pairs[np.diff(wrong_pairs, prepend=-2) > 1]  # one at a time of adjacent pairs
        removed = first + (relative[first + 1] < relative[first])
        marks, relative = np.delete(marks, removed), np.delete(relative, removed)
    return marks


def _add_missed_beats(marks: np.ndarray, strength: np.ndarray, rate_hz: float) -> np.ndarray:
    """Add the strongest wave of each long interval if it is strong enough, until there is none."""
    refractory = round(_REFRACTORY_S * rate_hz)
    while len(marks) > 2:
        interval, local_strength = np.diff(marks), local_median(strength[marks])
        local_interval, missed = local_median(interval), []
        for i in np.flatnonzero(interval > _LONG_RR_RATIO * local_interval):
            start, stop = marks[i] + refractory, marks[i + 1] - refractory + 1
            if start < stop:
                best = start + int(strength[start:stop].argmax())
                is_peak = start < best < stop - 1  # not the flank of a neighbor
                if is_peak and strength[best] >= _MIN_SEARCH_BACK_STRENGTH * local_strength[i]:
                    missed.append(best)
        if not missed:
            break
        marks = np.union1d(marks, missed)
    return marks
