"""What the bedside adds to an ECG: noise, artefacts, and the shortcuts a network could take instead of potassium."""

from dataclasses import dataclass

import numpy as np

from kalemia.config import Shortcuts
from kalemia.seeds import rng
from kalemia.simulate.physiology import WAVES, slow_values
from kalemia.tables import RATE_HZ


@dataclass(frozen=True)
class Shortcut:
    """What recording and time alone do to the ECG: a factor for each of `WAVES`, and the gain that no header tells."""

    amplitude: np.ndarray
    gain: float


def shortcut_at(seed: int, subject_id: int, stretch: int, hours: float, shortcuts: Shortcuts) -> Shortcut:
    """The shortcut at `hours` after admission, within one stretch of recording of one subject; never a matter of potassium.

    electrodes: other places on the chest in each stretch, so other wave amplitudes. gain: an amplifier error of each
    stretch. drift: amplitudes that wander from day to day.
    """
    log_amplitude, log_gain = np.zeros(len(WAVES)), 0.0
    if shortcuts.electrodes:
        log_amplitude += 0.3 * rng(seed, "electrodes", subject_id, stretch).standard_normal(len(WAVES))
    if shortcuts.gain:
        log_gain = 0.3 * rng(seed, "gain", subject_id, stretch).standard_normal()
    if shortcuts.drift:
        days = rng(seed, "drift", subject_id).standard_normal((60, len(WAVES)))
        walk = 0.2 * np.cumsum(days, axis=0)
        log_amplitude += [np.interp(hours / 24, np.arange(len(walk)), wave) for wave in walk.T]
    return Shortcut(np.exp(log_amplitude), float(np.exp(log_gain)))


def noise_mv(n_samples: int, level: float, tension: float, breaths_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Baseline wander, breathing, muscle and mains: shape (n_samples,), mV.

    Those of an ordinary bedside times `level`; `tension` multiplies the muscle noise alone.
    """
    time_s = np.arange(n_samples) / RATE_HZ
    wander = 0.05 * slow_values(rng, n_samples, 2.5 * RATE_HZ) + 0.1 * slow_values(rng, n_samples, 20 * RATE_HZ)
    breathing = 0.04 * np.sin(2 * np.pi * breaths_hz * time_s + rng.uniform(0, 2 * np.pi))
    muscle = (
        0.014
        * tension
        * np.exp(0.6 * slow_values(rng, n_samples, 6 * RATE_HZ))
        * rng.standard_normal(n_samples, dtype=np.float32)
    )
    mains = 0.008 * rng.random() * np.sin(2 * np.pi * 60 * time_s)
    return level * (wander + breathing + muscle + mains)


def motion_mv(n_samples: int, per_minute: float, rng: np.random.Generator) -> np.ndarray:
    """Electrode motion: steps of up to some mV that decay within seconds, with a burst of muscle: shape (n_samples,), mV."""
    total = np.zeros(n_samples)
    for start in _moments(n_samples, per_minute, rng):
        size_mv, decay_s = rng.normal(0, 1.0), rng.uniform(0.3, 1.2)
        time_s = np.arange(min(n_samples - start, int(5 * decay_s * RATE_HZ))) / RATE_HZ
        burst = size_mv + 0.3 * rng.standard_normal(len(time_s))
        total[start : start + len(time_s)] += burst * np.exp(-time_s / decay_s)
    return total


def spoil(ecg_mv: np.ndarray, per_minute: float, rng: np.random.Generator) -> None:
    """Put pieces of a second to some seconds into `ecg_mv`, in place: a flat line, an amplifier at its limit, or nothing."""
    for start in _moments(len(ecg_mv), per_minute, rng):
        stop = start + int(rng.uniform(1, 8) * RATE_HZ)
        ecg_mv[start:stop] = rng.choice([0.0, 9.0, np.nan])


def _moments(n_samples: int, per_minute: float, rng: np.random.Generator) -> np.ndarray:
    """Sample numbers of events that come at random, so many a minute."""
    return rng.integers(0, n_samples, rng.poisson(per_minute * n_samples / RATE_HZ / 60))
