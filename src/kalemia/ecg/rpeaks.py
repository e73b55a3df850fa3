"""R peaks: where the ventricles depolarize, to the sample."""

from functools import lru_cache

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import firwin, oaconvolve
from sleepecg import detect_heartbeats

from kalemia.ecg.filters import recorded_runs

MIN_RUN_S = 10.0  # the detector's adaptive threshold needs some seconds to settle
_QRS_HZ = (5.0, 25.0)  # where a QRS complex has its power, and P and T waves little
_QRS_S = 0.1  # length of a QRS complex
_REFRACTORY_S = 0.24  # no two ventricular beats this close
_T_WAVE_S = 0.36  # a T wave begins this early after its QRS at the latest
_NEIGHBORS = 8  # beats on each side that a beat is compared with
_REFINE_S = 0.06  # the detector marks the middle of the QRS; the extremum lies this near
# shares of the median strength of the neighbors
_WEAKEST = 0.25  # below it a mark is no QRS
_SEARCH_BACK = 0.3  # from it on a wave in a long interval is one
_T_WAVE = 0.6  # below it, and soon after or before a stronger mark, it is a T or a P wave
_LONG = 1.4  # an interval is long from this multiple of the median interval on


def detect_r_peaks(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Indices (int64, ascending) of the R peaks in a filtered ECG with NaN in its gaps.

    The detector is sleepecg's (a modified Pan-Tompkins; Brunner 2023), on each recorded run by itself. Its marks are
    then judged by their strength, the root mean square of the ECG between 5 and 25 Hz over 100 ms, against that of the
    neighboring marks: what is too weak, or is weak and close to a strong mark (a T or P wave), is removed; where an
    interval is long, the strongest wave in it is added if it is strong enough (the search-back of Pan and Tompkins
    1985). Each mark is moved to the largest deviation of the wave that dominates the QRS complexes of this ECG, upward
    or downward. Runs of less than 10 s hold no peaks.
    """
    found = [np.empty(0, np.int64)]
    for run in recorded_runs(ecg_mv):
        if (run.stop - run.start) / rate_hz >= MIN_RUN_S:
            found.append(run.start + _marks_of_run(ecg_mv[run].astype(np.float64), rate_hz))
    return _at_extremum(ecg_mv, np.concatenate(found), rate_hz)


def qrs_strength(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Root mean square (mV) of the ECG's QRS band over 100 ms around each sample; the ECG must be finite."""
    power = np.square(oaconvolve(ecg_mv, _qrs_taps(rate_hz), mode="same"))
    n = round(_QRS_S * rate_hz) | 1
    total = np.cumsum(np.pad(power, (n // 2 + 1, n // 2)))
    return np.sqrt(np.maximum(total[n:] - total[:-n], 0) / n)


@lru_cache
def _qrs_taps(rate_hz: float) -> np.ndarray:
    return firwin(round(rate_hz / 2) | 1, _QRS_HZ, pass_zero=False, fs=rate_hz)


def _marks_of_run(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    if np.ptp(ecg_mv) == 0:
        return np.empty(0, np.int64)
    strength = qrs_strength(ecg_mv, rate_hz)
    if np.dot(ecg_mv * ecg_mv, ecg_mv) < 0:  # the detector is not quite the same to both polarities
        ecg_mv = -ecg_mv
    marks = _strongest_near(detect_heartbeats(ecg_mv, rate_hz), strength, round(_QRS_S * rate_hz))
    marks = _without_weak(marks, strength, rate_hz)
    marks = _with_search_back(marks, strength, rate_hz)
    return _without_weak(marks, strength, rate_hz)


def _strongest_near(marks: np.ndarray, strength: np.ndarray, reach: int) -> np.ndarray:
    """Each mark moved to the strongest sample within reach."""
    at = np.clip(marks[:, None] + np.arange(-reach, reach + 1), 0, len(strength) - 1)
    return np.unique(at[np.arange(len(marks)), strength[at].argmax(axis=1)])


def local_median(values: np.ndarray) -> np.ndarray:
    """Of each value (n,) and its neighbors, eight on each side; mirrored at the ends."""
    return median_filter(values, 2 * _NEIGHBORS + 1, mode="mirror") if len(values) else values


def _without_weak(marks: np.ndarray, strength: np.ndarray, rate_hz: float) -> np.ndarray:
    """The marks that are strong enough for a QRS, and no T or P wave of a stronger one nearby."""
    if len(marks) < 2:
        return marks
    share = strength[marks] / local_median(strength[marks])
    marks, share = marks[share >= _WEAKEST], share[share >= _WEAKEST]
    while len(marks) > 1:
        interval_s, weaker = np.diff(marks) / rate_hz, np.minimum(share[1:], share[:-1])
        ratio = weaker / np.maximum(share[1:], share[:-1])
        wrong = (interval_s < _REFRACTORY_S) | ((interval_s < _T_WAVE_S) & (ratio < _T_WAVE) & (share[1:] == weaker))
        wrong = np.flatnonzero(wrong)
        if not len(wrong):
            break
        first = wrong[np.diff(wrong, prepend=-2) > 1]  # of neighboring pairs one at a time
        gone = first + (share[first + 1] < share[first])
        marks, share = np.delete(marks, gone), np.delete(share, gone)
    return marks


def _with_search_back(marks: np.ndarray, strength: np.ndarray, rate_hz: float) -> np.ndarray:
    """The marks, and the strongest wave of each long interval as long as it is strong enough."""
    apart = round(_REFRACTORY_S * rate_hz)
    while len(marks) > 2:
        interval, of_mark = np.diff(marks), local_median(strength[marks])
        usual, added = local_median(interval), []
        for i in np.flatnonzero(interval > _LONG * usual):
            start, stop = marks[i] + apart, marks[i + 1] - apart + 1
            if start < stop:
                best = start + int(strength[start:stop].argmax())
                peaks = start < best < stop - 1  # not the flank of a neighbor
                if peaks and strength[best] >= _SEARCH_BACK * of_mark[i]:
                    added.append(best)
        if not added:
            break
        marks = np.union1d(marks, added)
    return marks


def _at_extremum(ecg_mv: np.ndarray, marks: np.ndarray, rate_hz: float) -> np.ndarray:
    reach = round(_REFINE_S * rate_hz)
    marks = marks[(marks >= reach) & (marks < len(ecg_mv) - reach)]
    if not len(marks):
        return marks
    around = np.nan_to_num(ecg_mv[marks[:, None] + np.arange(-reach, reach + 1)])
    upward = np.median(around.max(axis=1)) >= np.median(-around.min(axis=1))
    peaks = marks - reach + (around if upward else -around).argmax(axis=1)
    return np.unique(peaks)
