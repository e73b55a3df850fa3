"""Zero-delay linear-phase FIR band-pass that treats each stretch between gaps separately."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.signal import firwin, kaiserord, oaconvolve


def recorded_runs(ecg_mv: np.ndarray) -> Iterator[slice]:
    """Slices of consecutive finite samples, in order."""
    finite = np.concatenate([[False], np.isfinite(ecg_mv), [False]])
    edges = np.flatnonzero(finite[1:] != finite[:-1])
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        yield slice(int(start), int(stop))


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
    not cause ringing.
    """
    filtered = np.full(len(ecg_mv), np.nan, np.float32)
    half = len(taps) // 2
    for run in recorded_runs(ecg_mv):
        extended = np.pad(ecg_mv[run].astype(np.float64), half, mode="symmetric")
        filtered[run] = oaconvolve(extended, taps, mode="valid")
    return filtered
