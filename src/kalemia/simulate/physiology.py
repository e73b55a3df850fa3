"""The waves of a heart's beats, what differs between hearts, and the sum of the waves.

A beat is a sum of Gaussian waves at fixed phases of the cycle (McSharry et al., IEEE Trans Biomed Eng 2003;50:289),
written here in closed form on the samples around each R peak instead of as a differential equation.
"""

from dataclasses import dataclass

import numpy as np

from kalemia.core.schemas import RATE_HZ

WAVES = ("P", "Q", "R", "S", "T")
P, Q, R, S, T = range(5)
QRS = [Q, R, S]
SIGNS = ("T height", "T width and QT", "P wave and PR interval", "QRS")
PROFILE_MEAN = np.array([0.6, 0.8, 0.9, 0.8])  # of SIGNS in lead II, as a share of the published effect
RESTING_POTASSIUM = 4.3  # mEq/L, at which the waves of a heart are defined
FAILURES = {"sinoventricular": 0.45, "junctional": 0.2, "AV block": 0.2, "ventricular": 0.15}  # with probabilities


@dataclass(frozen=True)
class Waves:
    """The Gaussian waves of a beat; the last axis of each array is that of `WAVES`.

    `amplitude_mv` in lead II; `center_ms` from the R peak; `rise_ms` and `fall_ms` the standard deviations of the two
    sides, since a T wave rises more slowly than it falls.
    """

    amplitude_mv: np.ndarray
    center_ms: np.ndarray
    rise_ms: np.ndarray
    fall_ms: np.ndarray


@dataclass(frozen=True)
class Heart:
    """The properties of a person's ECG that do not change.

    `waves` hold at 60 beats a minute and `RESTING_POTASSIUM`; `chest_factor` turns their amplitudes into those of
    lead V; `sensitivity` is 1 for the published response to potassium, and `profile` is the part of it that each of
    `SIGNS` shows in this person's lead II; `variability` is the relative standard deviation of RR intervals; `ectopy`
    the fraction of ventricular extrasystoles; `fibrillates` means atrial fibrillation; `failure`, one of `FAILURES`, is
    how its rhythm fails under severe hyperkalemia.
    """

    waves: Waves
    chest_factor: np.ndarray
    rate_bpm: float
    variability: float
    breaths_hz: float
    ectopy: float
    sensitivity: float
    profile: np.ndarray
    fibrillates: bool
    failure: str


def random_heart(random: np.random.Generator, sensitivity: float, fibrillates: bool) -> Heart:
    """The heart of a patient in intensive care.

    People differ more in the height of their T wave than moderate hyperkalemia changes it, which is why its height
    alone tells little about somebody unknown (Montague et al., Clin J Am Soc Nephrol 2008;3:324). The variability of
    the heart rate falls as the rate rises (Monfredi et al., Hypertension 2014;64:1334). Which of the signs of
    hyperkalemia somebody shows is as personal: a T wave that peaks in the chest leads may stay as it is in lead II.
    """
    size = _spread(random, 0.2)
    amplitude_mv = size * np.array([0.12, -0.07, 0.95, -0.22, 0.24])
    amplitude_mv *= np.array(
        [_spread(random, 0.25), _spread(random, 0.5), _spread(random, 0.2), _spread(random, 0.5), _spread(random, 0.32)]
    )
    if random.random() < 0.06:
        amplitude_mv[T] *= -0.5
    qrs, atrium, repolarization = _spread(random, 0.1), _spread(random, 0.12), _spread(random, 0.1)
    center_ms = np.array([-145 - 18 * random.standard_normal(), -24 * qrs, 0, 25 * qrs, 245 * _spread(random, 0.06)])
    rise_ms = np.array([19 * atrium, 7 * qrs, 10 * qrs, 9 * qrs, 58 * repolarization])
    fall_ms = np.array([17 * atrium, 7 * qrs, 10 * qrs, 9 * qrs, 38 * repolarization])
    rate_bpm = float(np.clip(random.normal(80, 11), 56, 106))
    return Heart(
        waves=Waves(amplitude_mv, center_ms, rise_ms, fall_ms),
        chest_factor=np.array([0.6, 0.3, 0.7, 2.5, 1.2]) * np.exp(0.3 * random.standard_normal(5)),
        rate_bpm=rate_bpm,
        variability=0.022 * (70 / rate_bpm) ** 2 * _spread(random, 0.35),
        breaths_hz=float(random.uniform(0.2, 0.36)),
        ectopy=min(0.06, 0.004 * _spread(random, 1.2)),
        sensitivity=sensitivity,
        profile=np.clip(random.normal(PROFILE_MEAN, [0.7, 0.6, 0.6, 0.5]), -0.6, 2.2),
        fibrillates=fibrillates,
        failure=str(random.spawn(1)[0].choice(list(FAILURES), p=list(FAILURES.values()))),
    )


def ecg_mv(beats: Waves, r_s: np.ndarray, n_samples: int, factors: np.ndarray) -> np.ndarray:
    """The sum of all waves of all beats, one row per lead: shape (leads, n_samples), float64 mV at 125 Hz.

    `beats` has shape (beats, waves); `factors`, shape (leads, waves), turns the amplitudes into those of each lead.
    """
    leads_mv = np.zeros((len(factors), n_samples))
    for wave in range(factors.shape[1]):
        center = (r_s + beats.center_ms[:, wave] / 1000) * RATE_HZ
        rise, fall = (width[:, wave] / 1000 * RATE_HZ for width in (beats.rise_ms, beats.fall_ms))
        index, shape = _bumps(center, rise, fall)
        for lead_mv, factor in zip(leads_mv, factors[:, wave], strict=True):
            lead_mv += _added(index, shape * (factor * beats.amplitude_mv[:, wave])[:, None], n_samples)
    return leads_mv


def pulse(r_s: np.ndarray, n_samples: int) -> np.ndarray:
    """The pulse that follows each R peak, with its dicrotic wave, from 0 to about 1: shape (n_samples,)."""
    total = np.zeros(n_samples)
    for height, delay_s, rise_s, fall_s in ((0.85, 0.24, 0.05, 0.12), (0.3, 0.48, 0.07, 0.1)):
        center = (r_s + delay_s) * RATE_HZ
        index, shape = _bumps(center, np.full_like(center, rise_s * RATE_HZ), np.full_like(center, fall_s * RATE_HZ))
        total += _added(index, height * shape, n_samples)
    return total


def fibrillation_mv(n_samples: int, random: np.random.Generator) -> np.ndarray:
    """Fibrillatory waves of about 6 Hz instead of P waves: shape (n_samples,), mV."""
    phase = np.cumsum(2 * np.pi * (6 + slow_values(random, n_samples, 60)) / RATE_HZ)
    return (0.05 + 0.015 * slow_values(random, n_samples, 150)) * np.sin(phase)


def slow_values(random: np.random.Generator, n: int, every: float) -> np.ndarray:
    """Standard normal values at every `every`-th sample, linearly interpolated: shape (n,)."""
    at = np.arange(n) / every
    knots = int(at[-1]) + 2
    return np.interp(at, np.arange(knots), random.standard_normal(knots))


def _bumps(center: np.ndarray, rise: np.ndarray, fall: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sample numbers around each center, and a two-sided Gaussian of height 1 on them; both (beats, width)."""
    reach = int(np.ceil(3.5 * np.max([rise, fall], initial=0)))
    index = np.rint(center).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    away = index - center[:, None]
    return index, np.exp(-0.5 * (away / np.where(away < 0, rise[:, None], fall[:, None])) ** 2)


def _added(index: np.ndarray, values: np.ndarray, n_samples: int) -> np.ndarray:
    """The sum of `values` at each `index`; values outside the `n_samples` are dropped."""
    inside = np.clip(index, -1, n_samples) + 1
    return np.bincount(inside.ravel(), values.ravel(), n_samples + 2)[1:-1]


def _spread(random: np.random.Generator, relative: float) -> float:
    """A factor around 1, log-normal."""
    return float(np.exp(relative * random.standard_normal()))
