"""Zero-delay linear-phase FIR band-pass that treats each stretch between gaps separately; bridges over gaps."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.signal import firwin, kaiserord, oaconvolve

_MAX_BRIDGED_SAMPLES = 12  # about 0.1 s at 125 Hz: after a longer gap the baseline may be another


def recorded_runs(ecg_mv: np.ndarray) -> Iterator[slice]:
    """Slices of consecutive finite samples, in order."""
    finite = np.concatenate([[False], np.isfinite(ecg_mv), [False]])
    edges = np.flatnonzero(finite[1:] != finite[:-1])
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        yield slice(int(start), int(stop))


def fill_short_gaps(ecg_mv: np.ndarray, max_samples: int) -> np.ndarray:
    """Bridge gaps of at most `max_samples` between recorded samples (n,) by straight lines; longer ones stay NaN."""
    is_missing = np.isnan(ecg_mv)
    recorded = np.flatnonzero(~is_missing)
    if not is_missing.any() or not len(recorded):
        return ecg_mv
    gap = np.diff(recorded, prepend=-1, append=len(ecg_mv)) - 1  # before each recorded sample, and after the last
    gap[[0, -1]] = max_samples + 1  # what lies before the first and after the last sample is not between two
    is_filled = is_missing & (gap[np.cumsum(~is_missing)] <= max_samples)
    filled = ecg_mv.copy()
    filled[is_filled] = np.interp(np.flatnonzero(is_filled), recorded, ecg_mv[recorded])
    return filled


def join_runs(ecg_mv: np.ndarray, max_gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Join the recorded runs of an ECG (n,) by straight lines: samples (m,), and the index (m,) that each had.

    A gap keeps its length, but at most `max_gap` samples of it; a sample on a line has the index of the nearest
    recorded one.
    """
    recorded = np.flatnonzero(np.isfinite(ecg_mv))
    if len(recorded) in (0, len(ecg_mv)):
        return ecg_mv[recorded].astype(np.float64), recorded
    place = np.cumsum(np.minimum(np.diff(recorded, prepend=recorded[0]), max_gap + 1))
    joined = np.arange(place[-1] + 1)
    nearest = np.searchsorted((place[1:] + place[:-1]) / 2, joined)
    return np.interp(joined, place, ecg_mv[recorded]), recorded[nearest]


@lru_cache
def bandpass_taps(
    rate_hz: float,
    band_hz: tuple[float, float],
    transition_hz: float,
    stopband_db: float,
    notch_hz: float | None = None,
) -> np.ndarray:
    """Taps of a linear-phase FIR band-pass, designed with a Kaiser window (Kaiser 1974); their number is odd.

    The order follows from the stopband attenuation and the transition width: 732 for 50 dB and 0.5 Hz at 125 Hz, so the
    first and last 2.9 s of a run depend on its mirror image. The mains notch is four transition widths wide. It is left
    out if the pass band ends below it, because the filter already removes the mains then.
    """
    n_taps, beta = kaiserord(stopband_db, transition_hz / (rate_hz / 2))
    edges = list(band_hz)
    if notch_hz is not None and band_hz[1] > notch_hz + 2 * transition_hz:
        edges[1:1] = [notch_hz - 2 * transition_hz, notch_hz + 2 * transition_hz]
    return firwin(n_taps | 1, edges, window=("kaiser", beta), pass_zero=False, fs=rate_hz)


def bandpass(ecg_mv: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Filter an ECG (n,) in mV: float32 (n,), without delay; NaN stays NaN.

    Each run of recorded samples is filtered on its own and extended at both ends by its mirror image, so that gaps do
    not cause ringing. A few lost samples do not end a run.
    """
    filtered = np.full(len(ecg_mv), np.nan, np.float32)
    half = len(taps) // 2
    bridged_mv = fill_short_gaps(ecg_mv, _MAX_BRIDGED_SAMPLES)
    for run in recorded_runs(bridged_mv):
        extended = np.pad(bridged_mv[run].astype(np.float64), half, mode="symmetric")
        filtered[run] = oaconvolve(extended, taps, mode="valid")
    filtered[np.isnan(ecg_mv)] = np.nan
    return filtered
