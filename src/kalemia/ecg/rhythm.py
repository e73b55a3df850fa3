"""Detect rhythms in which beats reveal less about potassium: atrial fibrillation and pacing."""

from functools import lru_cache

import numpy as np
from scipy.signal import firwin, oaconvolve

_INTERVALS_PER_SEGMENT = 60  # over which one entropy is computed
_MIN_INTERVALS = 30
_TOLERANCES_MS = (30.0, 40.0, 50.0, 70.0, 100.0, 150.0)
_MIN_MATCHES = 5
_SPIKE_HZ = 45.0  # a QRS complex has no power far above; a pacing spike of 1 ms does, even after the recorder's filter
_SPIKE_BEFORE_R_S = (0.3, 0.03)  # where a spike that captures the ventricle occurs
_MIN_SPIKE_TO_NOISE = 4.5
_QUANTILE_STEP = 16  # every 16th sample is enough to estimate a quantile


@lru_cache
def _spike_taps(rate_hz: float) -> np.ndarray:
    return firwin(31, _SPIKE_HZ, pass_zero=False, fs=rate_hz)


def cosen(rr_ms: np.ndarray) -> float:
    """Coefficient of sample entropy (COSEn) of RR intervals (n,) in ms, for m = 1; NaN if too few intervals match.

    Lake and Moorman, Am J Physiol Heart Circ Physiol 2011;300:H319: COSEn = SampEn + ln 2r - ln mean RR, where the
    tolerance r is raised from 30 ms until at least five pairs of intervals match for m + 1. Atrial fibrillation has
    values above about -1.4.
    """
    distance_ms = np.abs(rr_ms[:, None] - rr_ms[None, :])
    upper = np.triu(np.ones((len(rr_ms) - 1,) * 2, bool), 1)
    for tolerance_ms in _TOLERANCES_MS:
        alike = distance_ms <= tolerance_ms
        first = alike[:-1, :-1] & upper
        both = np.count_nonzero(first & alike[1:, 1:])
        if both >= _MIN_MATCHES:
            return float(np.log(np.count_nonzero(first) / both) + np.log(2 * tolerance_ms) - np.log(rr_ms.mean()))
    return float("nan")


def median_cosen(rr_ms: np.ndarray) -> float:
    """Median COSEn over segments of about 60 RR intervals (n,) in ms; NaN if there are fewer than 30 intervals.

    The caller must leave out intervals next to ectopic beats, because they are irregular in any rhythm. A segment
    without matching intervals counts as 0, more irregular than any value that can be measured.
    """
    if len(rr_ms) < _MIN_INTERVALS:
        return float("nan")
    n_segments = max(1, round(len(rr_ms) / _INTERVALS_PER_SEGMENT))
    entropies = [cosen(segment) for segment in np.array_split(rr_ms, n_segments)]
    return float(np.median(np.nan_to_num(entropies, nan=0.0)))


def pacing_spike_ratio(ecg_mv: np.ndarray, r_peaks: np.ndarray, rate_hz: float) -> float:
    """Amplitude of pacing spikes before the R peaks (n,), relative to the R waves; 0 if it does not exceed the noise.

    `ecg_mv` (samples,) is unfiltered, NaN where nothing was recorded. The spike amplitude is the maximum above 45 Hz in
    the 300 to 30 ms before an R peak. It is an upper quartile over the beats, so that spikes in a quarter of the beats
    are enough. At 125 Hz little remains of a spike, and nothing if the recorder suppresses spikes.
    """
    earliest, latest = (round(seconds * rate_hz) for seconds in _SPIKE_BEFORE_R_S)
    r_peaks = r_peaks[(r_peaks >= earliest) & (r_peaks < len(ecg_mv))]
    recorded_mv = ecg_mv[np.isfinite(ecg_mv)]
    if len(r_peaks) < 2 or not len(recorded_mv):
        return 0.0
    centered_mv = np.nan_to_num(ecg_mv - np.median(recorded_mv[::_QUANTILE_STEP]))
    highpass_mv = np.abs(oaconvolve(centered_mv, _spike_taps(rate_hz), mode="same"))
    profile_mv = np.quantile(highpass_mv[r_peaks[:, None] - np.arange(latest, earliest + 1)], 0.75, axis=0)
    noise_mv, r_mv = np.quantile(highpass_mv[::_QUANTILE_STEP], 0.75), np.median(np.abs(centered_mv[r_peaks]))
    if r_mv == 0 or profile_mv.max() < _MIN_SPIKE_TO_NOISE * noise_mv:
        return 0.0
    return float(profile_mv.max() / r_mv)
