"""Rhythms in which a beat says less about potassium: atrial fibrillation, frequent ectopy, pacing."""

from functools import lru_cache

import numpy as np
from scipy.signal import firwin, oaconvolve

_STRETCH = 60  # intervals of one entropy
_FEWEST = 30  # intervals below which nothing is said
_TOLERANCES_MS = (30.0, 40.0, 50.0, 70.0, 100.0, 150.0)
_FEWEST_MATCHES = 5
_CLICK_HZ = 45.0  # nothing of a QRS lies far above; a pacing pulse of 1 ms does, whatever the recorder has left of it
_BEFORE_R_S = (0.3, 0.03)  # where a pulse that captures the ventricle lies
_CLICK_OVER_NOISE = 4.5
_THINNED = 16  # every so many samples are enough for a quantile


@lru_cache
def _click_taps(rate_hz: float) -> np.ndarray:
    return firwin(31, _CLICK_HZ, pass_zero=False, fs=rate_hz)


def entropy_of_intervals(rr_ms: np.ndarray) -> float:
    """The coefficient of sample entropy of RR intervals (n,), for m = 1; NaN where too few intervals are alike.

    Lake and Moorman, Am J Physiol Heart Circ Physiol 2011;300:H319: COSEn = SampEn + ln 2r - ln mean RR, with the
    tolerance r raised from 30 ms until at least five pairs of intervals match in both places. Atrial fibrillation
    lies above about -1.4.
    """
    distance_ms = np.abs(rr_ms[:, None] - rr_ms[None, :])
    upper = np.triu(np.ones((len(rr_ms) - 1,) * 2, bool), 1)
    for tolerance_ms in _TOLERANCES_MS:
        alike = distance_ms <= tolerance_ms
        first = alike[:-1, :-1] & upper
        both = np.count_nonzero(first & alike[1:, 1:])
        if both >= _FEWEST_MATCHES:
            return float(np.log(np.count_nonzero(first) / both) + np.log(2 * tolerance_ms) - np.log(rr_ms.mean()))
    return float("nan")


def irregularity(rr_ms: np.ndarray) -> float:
    """The median COSEn of stretches of 60 intervals (n,); NaN if there are fewer than 30 intervals.

    Intervals next to an ectopic beat must be left out before, because they are irregular in any rhythm. Intervals
    among which none are alike count as more irregular than any that can be measured.
    """
    if len(rr_ms) < _FEWEST:
        return float("nan")
    n_stretches = max(1, round(len(rr_ms) / _STRETCH))
    entropies = [entropy_of_intervals(stretch) for stretch in np.array_split(rr_ms, n_stretches)]
    return float(np.median(np.nan_to_num(entropies, nan=0.0)))


def pacing_click(ecg_mv: np.ndarray, r_peaks: np.ndarray, rate_hz: float) -> float:
    """The amplitude above 45 Hz where it is greatest before the R peaks (n,), as a share of the R waves'.

    `ecg_mv` is unfiltered. Amplitudes are upper quartiles over the beats, so that a quarter of paced beats is seen.
    0 where it is not clearly above the noise of the same band. A pulse much shorter than a sample leaves no more
    than this of itself at 125 Hz, and nothing where the recorder suppresses pulses.
    """
    before, until = (round(seconds * rate_hz) for seconds in _BEFORE_R_S)
    r_peaks = r_peaks[(r_peaks >= before) & (r_peaks < len(ecg_mv))]
    recorded_mv = ecg_mv[np.isfinite(ecg_mv)]
    if len(r_peaks) < 2 or not len(recorded_mv):
        return 0.0
    at_zero = np.nan_to_num(ecg_mv - np.median(recorded_mv[::_THINNED]))
    high_mv = np.abs(oaconvolve(at_zero, _click_taps(rate_hz), mode="same"))
    profile_mv = np.quantile(high_mv[r_peaks[:, None] - np.arange(until, before + 1)], 0.75, axis=0)
    noise_mv, r_mv = np.quantile(high_mv[::_THINNED], 0.75), np.median(np.abs(at_zero[r_peaks]))
    if r_mv == 0 or profile_mv.max() < _CLICK_OVER_NOISE * noise_mv:
        return 0.0
    return float(profile_mv.max() / r_mv)
