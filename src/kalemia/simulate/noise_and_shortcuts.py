"""Noise and artifacts of the bedside, and shortcuts that a network could learn instead of potassium."""

from dataclasses import dataclass

import numpy as np

from kalemia.core.config import Shortcuts
from kalemia.core.schemas import RATE_HZ
from kalemia.core.seeds import rng
from kalemia.simulate.physiology import WAVES, slow_values


@dataclass(frozen=True)
class Shortcut:
    """Effects of recording and time alone on the ECG: a factor for each of `WAVES`, and a gain that is in no header."""

    amplitude: np.ndarray
    gain: float


def shortcut_at(seed: int, subject_id: int, stretch: int, hours: float, shortcuts: Shortcuts) -> Shortcut:
    """The shortcut of one subject at `hours` after admission, within one stretch of recording.

    electrodes: other places on the chest in each stretch, so other wave amplitudes. gain: an amplifier error of each
    stretch. drift: amplitudes that wander from day to day. Potassium is no argument.
    """
    log_amplitude, log_gain = np.zeros(len(WAVES)), 0.0
    if shortcuts.electrodes:
        log_amplitude += 0.5 * rng(seed, "electrodes", subject_id, stretch).standard_normal(len(WAVES))
    if shortcuts.gain:
        log_gain = 0.4 * rng(seed, "gain", subject_id, stretch).standard_normal()
    if shortcuts.drift:
        days = rng(seed, "drift", subject_id).standard_normal((60, len(WAVES)))
        walk = 0.3 * np.cumsum(days, axis=0)
        log_amplitude += [np.interp(hours / 24, np.arange(len(walk)), wave) for wave in walk.T]
    return Shortcut(np.exp(log_amplitude), float(np.exp(log_gain)))


def noise_mv(
    n_samples: int, level: float, tension: float, breaths_hz: float, random: np.random.Generator
) -> np.ndarray:
    """Baseline wander, breathing, muscle and mains: shape (n_samples,), mV.

    Those of an ordinary bedside times `level`; `tension` multiplies the muscle noise alone.
    """
    time_s = np.arange(n_samples) / RATE_HZ
    wander = 0.05 * slow_values(random, n_samples, 2.5 * RATE_HZ) + 0.1 * slow_values(random, n_samples, 20 * RATE_HZ)
    breathing = 0.04 * np.sin(2 * np.pi * breaths_hz * time_s + random.uniform(0, 2 * np.pi))
    muscle = (
        0.014
        * tension
        * np.exp(0.6 * slow_values(random, n_samples, 6 * RATE_HZ))
        * random.standard_normal(n_samples, dtype=np.float32)
    )
    mains = 0.008 * random.random() * np.sin(2 * np.pi * 60 * time_s)
    return level * (wander + breathing + muscle + mains)


def motion_mv(n_samples: int, per_minute: float, random: np.random.Generator) -> np.ndarray:
    """Electrode motion, shape (n_samples,), mV: steps of a millivolt that decay within seconds, and muscle."""
    total = np.zeros(n_samples)
    for start in _moments(n_samples, per_minute, random):
        size_mv, decay_s = random.normal(0, 1.0), random.uniform(0.3, 1.2)
        time_s = np.arange(min(n_samples - start, int(5 * decay_s * RATE_HZ))) / RATE_HZ
        burst = size_mv + 0.3 * random.standard_normal(len(time_s))
        total[start : start + len(time_s)] += burst * np.exp(-time_s / decay_s)
    return total


def spoil(ecg_mv: np.ndarray, per_minute: float, random: np.random.Generator) -> None:
    """Replace a few seconds of `ecg_mv` at a time, in place, by a flat line, a saturated amplifier or NaN."""
    for start in _moments(len(ecg_mv), per_minute, random):
        stop = start + int(random.uniform(1, 8) * RATE_HZ)
        ecg_mv[start:stop] = random.choice([0.0, 9.0, np.nan])


def _moments(n_samples: int, per_minute: float, random: np.random.Generator) -> np.ndarray:
    """Sample numbers of random events at a mean rate per minute."""
    return random.integers(0, n_samples, random.poisson(per_minute * n_samples / RATE_HZ / 60))
