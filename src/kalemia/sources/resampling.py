"""From any sampling rate to 125 Hz, by a polyphase filter, so that a window equals that part of the whole."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from kalemia.core.schemas import RATE_HZ
from kalemia.sources import UnreadableRecordingError

_MAX_FACTOR = 100_000  # of the two factors; enough for two decimals up to 1000 Hz


def resampled_samples(n_samples: int, rate_hz: Fraction) -> int:
    """The number of samples at 125 Hz within `n_samples` of another rate."""
    up, down = _factors(rate_hz)
    return n_samples * up // down


def resampled_span(
    read: Callable[[int, int], np.ndarray], n_samples: int, rate_hz: Fraction, start: int, stop: int
) -> np.ndarray:
    """Samples [start, stop) at 125 Hz of a signal that `read(first, last)` reads at its own rate (float64, NaN where
    nothing was recorded); float32.

    Only the span and what the filter reaches beyond it are read. The signal is continued by its ends' values, gaps
    are filled with the nearest value for the filter, and put back.
    """
    up, down = _factors(rate_hz)
    if up == down:
        return read(start, stop).astype(np.float32)
    from scipy.signal import resample_poly

    # twice what scipy's filter reaches, in samples at 125 Hz: beyond that no gap can change what it is filled with
    reach = 2 * (10 * max(up, down) // down + 2)
    first = (start - reach) // up * up  # a sample at 125 Hz that falls on one of the signal's own
    n = -(-(stop + reach - first) // up) * up
    native_from, native_to = first * down // up, (first + n) * down // up
    inside = read(max(native_from, 0), min(native_to, n_samples))
    native = np.pad(inside, (max(0, -native_from), max(0, native_to - n_samples)), mode="edge")
    is_missing = np.isnan(native)
    if is_missing.all():
        return np.full(stop - start, np.nan, np.float32)
    recorded = np.flatnonzero(~is_missing)
    native = native[recorded[np.searchsorted((recorded[1:] + recorded[:-1]) / 2, np.arange(len(native)))]]
    result = resample_poly(native, up, down)[start - first : stop - first]
    nearest = np.rint((np.arange(start, stop) - first) * down / up).astype(int)
    result[is_missing[np.minimum(nearest, len(native) - 1)]] = np.nan
    return result.astype(np.float32)


def _factors(rate_hz: Fraction) -> tuple[int, int]:
    ratio = Fraction(RATE_HZ) / rate_hz
    if max(ratio.numerator, ratio.denominator) > _MAX_FACTOR:
        raise UnreadableRecordingError(
            "unreadable header", f"a rate of {float(rate_hz)} Hz cannot be resampled exactly"
        )
    return ratio.numerator, ratio.denominator
