"""Measure how strong and how steep an ECG is, and tell T waves from QRS complexes by it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.signal import firwin

_QRS_HZ = (5.0, 25.0)  # a QRS complex has most of its power here, and small P and T waves little
_STEEP_HZ = (12.0, 35.0)  # a narrow QRS complex has power here too, and even a tall T wave next to none
_WIDE_STEEP_HZ = (8.0, 20.0)  # the same for wide QRS complexes, which have no power above
_MIN_NARROW_STEEPNESS = 0.15  # relative to the strength; the QRS complexes are wide if they have less
_WINDOW_S = 0.1  # length of a QRS complex
_MIN_STEEPNESS = 0.05  # relative to the strength; below it there is only noise
_NOISE_STEP = 16  # every 16th sample is enough to estimate the noise
_BLOCK_S = 3.0  # has a beat even at a rate of 20 a minute
_N_BLOCKS = 7
_LATEST_T_S = 0.44  # how long after its QRS complex a T wave is steepest at most, at usual rates
_WIDE_LATEST_T_S = 0.54  # the same where QRS complexes are wide
# QT is longer in slow rhythms (Sagie et al., Am J Cardiol 1992;70:797), by this share of the RR interval above 0.8 s
_QT_SLOPE = 0.16
_RR_RANGE_S = (0.8, 2.4)
_MAX_SLOW_DELAY_S = 0.6
_MIN_RECURRENCE = 0.75  # a wave recurs after other beats if they have at least this share of its weight there
_MIN_PERCENTILE = 55  # of the beats around
_JITTER_S = 0.024
_N_AROUND = 17  # beats


@dataclass(frozen=True)
class Waves:
    """How strong and how steep an ECG is.

    strength, steepness: (n,) root mean square in mV over 100 ms around each sample, in the band of QRS complexes and in
    the band of their steepest parts; the noise in the latter is taken out. weight: (n,) geometric mean of both, high
    where there is a QRS complex and lower at T waves. latest_t_s: how long after its QRS complex a T wave may be
    steepest at usual rates.
    """

    strength: np.ndarray
    steepness: np.ndarray
    weight: np.ndarray
    latest_t_s: float
    rate_hz: float


def measure_waves(ecg_mv: np.ndarray, rate_hz: float) -> Waves:
    """Measure an ECG (n,) in mV without gaps."""
    strength, steepness = (_band_rms(ecg_mv, rate_hz, band_hz) for band_hz in (_QRS_HZ, _STEEP_HZ))
    typical = [np.median(block_peaks(values, rate_hz)) for values in (strength, steepness)]
    is_wide = typical[1] < _MIN_NARROW_STEEPNESS * typical[0]
    if is_wide:
        steepness = _band_rms(ecg_mv, rate_hz, _WIDE_STEEP_HZ)
    noise_power = np.median(steepness[::_NOISE_STEP]) ** 2
    steepness = np.sqrt(np.maximum(steepness**2 - noise_power, 0) + (_MIN_STEEPNESS * strength) ** 2)
    latest_t_s = _WIDE_LATEST_T_S if is_wide else _LATEST_T_S
    return Waves(strength, steepness, np.sqrt(strength * steepness), latest_t_s, rate_hz)


def in_blocks(values: np.ndarray, rate_hz: float) -> np.ndarray:
    """The values (n,) in blocks of about 3 s: (blocks, samples), without a few samples at the end."""
    n_blocks = max(1, int(len(values) / (_BLOCK_S * rate_hz)))
    return values[: len(values) // n_blocks * n_blocks].reshape(n_blocks, -1)


def block_median(of_blocks: np.ndarray) -> np.ndarray:
    """The median of what each block (n,) has and what its three neighbors on each side have; mirrored at the ends."""
    return median_filter(of_blocks, _N_BLOCKS, mode="mirror") if len(of_blocks) > 1 else of_blocks


def block_peaks(values: np.ndarray, rate_hz: float) -> np.ndarray:
    """The usual peak of the values (n,) in each of their blocks (m,), whatever artifact there is in a few of them."""
    return block_median(in_blocks(values, rate_hz).max(axis=1))


def _band_rms(ecg_mv: np.ndarray, rate_hz: float, band_hz: tuple[float, float]) -> np.ndarray:
    power = np.square(np.convolve(ecg_mv, _band_taps(rate_hz, band_hz), mode="same"))
    mean = uniform_filter1d(power, round(_WINDOW_S * rate_hz) | 1, mode="constant")
    return np.sqrt(np.maximum(mean, 0))


@lru_cache
def _band_taps(rate_hz: float, band_hz: tuple[float, float]) -> np.ndarray:
    return firwin(round(rate_hz / 2) | 1, band_hz, pass_zero=False, fs=rate_hz)


class TWaveJudge:
    """Tells whether a wave is the T wave of the beat before it, given all marks (n,) of QRS complexes found so far.

    It is if it comes at most so long after the beat as T waves do, is flatter than the beat, and follows most of the
    beats around at the same delay, as a T wave does and an extrasystole does not. In slow rhythms T waves come later.
    """

    def __init__(self, waves: Waves, marks: np.ndarray):
        self._waves = waves
        delay_s = np.diff(marks) / waves.rate_hz
        weaker, flatter = self._compare(marks[:-1], marks[1:])
        beats = marks[~np.append(False, weaker & (delay_s < _MAX_SLOW_DELAY_S))]
        usual_rr_s = np.median(np.diff(beats)) / waves.rate_hz if len(beats) > 1 else _RR_RANGE_S[0]
        self._latest_s = waves.latest_t_s + _QT_SLOPE * (np.clip(usual_rr_s, *_RR_RANGE_S) - _RR_RANGE_S[0])
        self._beats = marks[~np.append(False, self._may_be_t(delay_s, flatter))]

    def is_t_wave(self, beats: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Whether the waves at some samples (m,) are the T waves of the beats before them (m,): bool (m,)."""
        _, flatter = self._compare(beats, at)
        result = self._may_be_t((at - beats) / self._waves.rate_hz, flatter)
        possible = np.flatnonzero(result)
        if len(possible):
            result[possible] = self._recurs(beats[possible], at[possible])
        return result

    def _compare(self, beats: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether each wave is weaker than its beat, and whether it is weaker or flatter.

        A wave is also flatter if it is only a little less steep than its beat, but much stronger.
        """
        strength = self._waves.strength[at] / self._waves.strength[beats]
        steepness = self._waves.steepness[at] / self._waves.steepness[beats]
        weaker = (strength < 0.5) & (steepness < 1.5)
        flatter = (
            (steepness < 0.5) | ((steepness < 0.67) & (strength < 1.25)) | (steepness < np.minimum(0.8, 0.4 * strength))
        )
        return weaker, weaker | flatter

    def _may_be_t(self, delay_s: np.ndarray, flatter: np.ndarray) -> np.ndarray:
        return flatter & (delay_s < self._latest_s)

    def _recurs(self, beats: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Whether most of the beats around are followed by such a wave at the same delay."""
        n = min(_N_AROUND, len(self._beats))
        start = np.clip(np.searchsorted(self._beats, beats) - n // 2, 0, len(self._beats) - n)
        around = self._beats[start[:, None] + np.arange(n)] + (at - beats)[:, None]
        jitter = round(_JITTER_S * self._waves.rate_hz)
        near = np.clip(around[:, :, None] + np.arange(-jitter, jitter + 1), 0, len(self._waves.weight) - 1)
        usual = np.percentile(self._waves.weight[near].max(axis=2), _MIN_PERCENTILE, axis=1)
        return usual >= _MIN_RECURRENCE * self._waves.weight[at]
