"""From any sampling rate to 125 Hz by a windowed sinc, so that a window equals that part of the whole.

A polyphase filter where the rates have a small common ratio; elsewhere the same kind of kernel is evaluated at the
exact time of each sample, so that no error of time adds up. What a filter would hide, gaps and samples that the
converter held (clipped or flat), is put back afterwards.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from kalemia.core.schemas import RATE_HZ
from kalemia.sources.signal_faults import held_samples

MIN_RATE_HZ, MAX_RATE_HZ = 50, 5000
_MAX_FACTOR = 4096  # of the polyphase filter, whose length grows with it
_ZERO_CROSSINGS, _KAISER_BETA = 10, 5.0  # of the kernel on each side, as in scipy.signal.resample_poly
_KERNEL_STEPS = 512  # at which the kernel is tabulated between two zeros
_SAMPLES_AT_ONCE = 4096


def resampled_samples(n_samples: int, rate_hz: Fraction) -> int:
    """The number of samples at 125 Hz within `n_samples` of another rate."""
    return int(n_samples * Fraction(RATE_HZ) / rate_hz)


def resample_ecg(ecg: np.ndarray, rate_hz: float) -> np.ndarray:
    """A whole signal (samples,), NaN where nothing was recorded, at 125 Hz: float32.

    Raises `ValueError` for another shape and for a rate that no file may have either.
    """
    ecg = np.asarray(ecg, np.float64)
    if ecg.ndim != 1:
        raise ValueError(f"an ECG has the shape (samples,), one lead; this one has {ecg.shape}")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ValueError(f"the rate is {rate_hz} samples a second; {MIN_RATE_HZ} to {MAX_RATE_HZ} are taken")
    rate = Fraction(repr(float(rate_hz)))
    return resampled_span(lambda first, last: ecg[first:last], len(ecg), rate, 0, resampled_samples(len(ecg), rate))


def resampled_span(
    read: Callable[[int, int], np.ndarray], n_samples: int, rate_hz: Fraction, start: int, stop: int
) -> np.ndarray:
    """Samples [start, stop) at 125 Hz of a signal that `read(first, last)` reads at its own rate (float64, NaN where
    nothing was recorded); float32.

    Only the span and what the filter reaches beyond it are read. The signal is continued by its ends' values, gaps
    are filled with the nearest value for the filter, and put back.
    """
    step = rate_hz / Fraction(RATE_HZ)  # samples of the signal per sample at 125 Hz
    if step == 1:
        return read(start, stop).astype(np.float32)
    is_exact = max(step.numerator, step.denominator) <= _MAX_FACTOR
    # twice what the filter reaches, in samples at 125 Hz: beyond that no gap can change what it is filled with
    reach = 2 * (int(_ZERO_CROSSINGS * max(1, 1 / step)) + 2)
    first, last = start - reach, stop + reach
    if is_exact:  # begin and end where a sample at 125 Hz falls on one of the signal's own
        first = first // step.denominator * step.denominator
        last = first - (first - last) // step.denominator * step.denominator
    native_from, native_to = int(first * step // 1), int(-(-last * step // 1))
    inside = read(max(native_from, 0), min(native_to, n_samples))
    recorded = np.pad(inside, (max(0, -native_from), max(0, native_to - n_samples)), mode="edge")
    if np.isnan(recorded).all():
        return np.full(stop - start, np.nan, np.float32)
    at = float(start * step - native_from) + np.arange(stop - start) * float(step)
    filled = _fill_gaps(recorded)
    if is_exact:
        from scipy.signal import resample_poly

        result = resample_poly(filled, step.denominator, step.numerator)[start - first : stop - first]
    else:
        result = _interpolate(filled, at, float(step))
    nearest = np.minimum(np.rint(at).astype(int), len(recorded) - 1)
    return _put_back(result, recorded, nearest, float(rate_hz)).astype(np.float32)


def _fill_gaps(recorded: np.ndarray) -> np.ndarray:
    """Missing samples (n,) replaced by the nearest recorded one."""
    known = np.flatnonzero(~np.isnan(recorded))
    return recorded[known[np.searchsorted((known[1:] + known[:-1]) / 2, np.arange(len(recorded)))]]


def _interpolate(values: np.ndarray, at: np.ndarray, step: float) -> np.ndarray:
    """The values (n,) at fractional places (m,), low-pass filtered for samples that are `step` apart."""
    stretch = max(1.0, step)
    reach = int(_ZERO_CROSSINGS * stretch) + 1
    grid = np.linspace(-1, 1, 2 * _ZERO_CROSSINGS * _KERNEL_STEPS + 1)
    kernel = np.sinc(_ZERO_CROSSINGS * grid) * np.kaiser(len(grid), _KAISER_BETA)
    padded, offsets = np.pad(values, reach, mode="edge"), np.arange(1 - reach, reach + 1)
    result = np.empty(len(at))
    for begin in range(0, len(at), _SAMPLES_AT_ONCE):
        place = at[begin : begin + _SAMPLES_AT_ONCE, None]
        near = place.astype(int) + offsets
        weight = np.interp((place - near) / (stretch * _ZERO_CROSSINGS), grid, kernel, left=0, right=0)
        result[begin : begin + len(place)] = (weight * padded[near + reach]).sum(axis=1) / weight.sum(axis=1)
    return result


def _put_back(result: np.ndarray, recorded: np.ndarray, nearest: np.ndarray, rate_hz: float) -> np.ndarray:
    """Samples at 125 Hz with the gaps and the held samples of the recording; `nearest`: the closest of its samples."""
    lowest, highest = np.nanmin(recorded), np.nanmax(recorded)
    is_held = held_samples(recorded, rate_hz)
    if is_held.any():
        # a filter overshoots where a wave is cut off, which would hide that it is
        if recorded[is_held].max() == highest:
            result = np.minimum(result, highest)
        if recorded[is_held].min() == lowest:
            result = np.maximum(result, lowest)
    is_missing = np.isnan(recorded)
    return np.where((is_held | is_missing)[nearest], recorded[nearest], result)
