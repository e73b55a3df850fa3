"""Mark the cycles of a sine wave, the ECG of severe hyperkalemia that has no QRS complexes left."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.signal import find_peaks

from kalemia.ecg.t_waves import block_median, block_peaks, in_blocks

_MAX_STRENGTH = 0.2  # of the QRS band relative to the whole ECG; QRS complexes of 240 ms have 0.3, sine waves 0.1
_MIN_STRETCH_S = 10.0
_MIN_PROMINENCE = 0.4  # of a crest, relative to the height of the waves
_MAX_DEVIATION = 0.15  # of a regular cycle from the usual one
_MIN_REGULAR = 0.8  # of the cycles
_N_CYCLES = 17  # over which a cycle is usual
_CYCLE_RANGE_S = (0.27, 2.5)


def sine_stretches(ecg_mv: np.ndarray, strength_mv: np.ndarray, rate_hz: float) -> Iterator[slice]:
    """Stretches of an ECG (n,) in which nothing stands out in the QRS band; strength_mv (n,) is that of `Waves`."""
    blocks = in_blocks(ecg_mv, rate_hz)
    has_no_qrs = block_peaks(strength_mv, rate_hz) < _MAX_STRENGTH * block_median(blocks.std(axis=1))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], has_no_qrs, [False]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        stretch = slice(
            int(first * blocks.shape[1]), len(ecg_mv) if last == len(blocks) else int(last * blocks.shape[1])
        )
        if stretch.stop - stretch.start >= _MIN_STRETCH_S * rate_hz:
            yield stretch


def mark_cycles(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """The crest of each cycle of a sine wave (n,) in mV: ascending indices (m,); none if the waves are irregular.

    The crest is that of the fundamental: a mean over half a cycle takes the second harmonic out.
    """
    crests = _crests(ecg_mv)
    if len(crests) < 2:
        return np.empty(0, np.int64)
    crests = _crests(uniform_filter1d(ecg_mv, max(1, round(np.median(np.diff(crests)) / 2))))
    cycles = np.diff(crests)
    if not len(cycles):
        return np.empty(0, np.int64)
    is_regular = np.abs(cycles / median_filter(cycles, _N_CYCLES, mode="mirror") - 1) < _MAX_DEVIATION
    shortest, longest = np.quantile(cycles, (0.1, 0.9)) / rate_hz
    if is_regular.mean() < _MIN_REGULAR or shortest < _CYCLE_RANGE_S[0] or longest > _CYCLE_RANGE_S[1]:
        return np.empty(0, np.int64)
    return crests


def _crests(ecg_mv: np.ndarray) -> np.ndarray:
    low_mv, high_mv = np.quantile(ecg_mv, (0.05, 0.95))
    return find_peaks(ecg_mv, prominence=_MIN_PROMINENCE * (high_mv - low_mv))[0]
