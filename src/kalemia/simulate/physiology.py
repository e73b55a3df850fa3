"""The effect of potassium on the ECG: the waves of a beat, the rhythm they come in, and their sum.

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
RESTING_POTASSIUM = 4.3  # mEq/L, at which the waves of a heart are defined
MARKED_POTASSIUM = 6.5  # mEq/L, from which conduction slows markedly


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
    the fraction of ventricular extrasystoles; `fibrillates` means atrial fibrillation.
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


@dataclass(frozen=True)
class Rhythm:
    """R peaks of a stretch of time: their times (`r_s`), the intervals before them (`rr_s`), and extrasystoles."""

    r_s: np.ndarray
    rr_s: np.ndarray
    ectopic: np.ndarray


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
        profile=np.clip(random.normal([0.6, 0.8, 0.9, 0.8], [0.7, 0.6, 0.6, 0.5]), -0.6, 2.2),
        fibrillates=fibrillates,
    )


def waves_under_potassium(waves: Waves, excess: np.ndarray, marked: float = 0.0) -> Waves:
    """The waves if potassium is `excess` mEq/L above `RESTING_POTASSIUM`, and `marked` above `MARKED_POTASSIUM`.

    `excess` (4,) is that of each of `SIGNS`; both are already multiplied with the heart's sensitivity, and a negative
    excess is hypokalemia. The order of the signs is that of Mattu et al., Am J Emerg Med 2000;18:721: first a taller,
    narrower and more symmetric T wave (about linear in potassium within a person: Attia et al., J Am Heart Assoc
    2016;5:e002746; Corsi et al., Sci Rep 2017;7:42492), a shorter QT and a lower P wave, then a longer PR interval and
    a broader, lower P wave, and above 6.5 mEq/L a wider QRS and a P wave that vanishes.
    """
    amplitude_mv, center_ms = waves.amplitude_mv.copy(), waves.center_ms.copy()
    rise_ms, fall_ms = waves.rise_ms.copy(), waves.fall_ms.copy()
    unit_mv = max(abs(amplitude_mv[T]), 0.1 * amplitude_mv[R])
    height, repolarization, atrium, conduction = excess
    amplitude_mv[T] += unit_mv * max(0.3 * height, -0.6)
    rise_ms[T] *= np.exp(-0.08 * repolarization)
    fall_ms[T] *= np.exp(-0.05 * repolarization)
    center_ms[T] -= 4 * repolarization
    amplitude_mv[P] *= np.exp(-0.15 * atrium - 0.45 * marked)
    rise_ms[P] *= np.exp(0.05 * atrium)
    fall_ms[P] *= np.exp(0.05 * atrium)
    center_ms[P] -= 6 * atrium + 12 * marked
    amplitude_mv[R] *= np.exp(-0.03 * conduction - 0.08 * marked)
    amplitude_mv[S] *= np.exp(0.1 * conduction)
    wider = np.exp(0.03 * conduction + 0.12 * marked)
    for values in (center_ms, rise_ms, fall_ms):
        values[QRS] *= wider
    return Waves(amplitude_mv, center_ms, rise_ms, fall_ms)


def waves_of_draw(heart: Heart, potassium: float, effect: float, random: np.random.Generator) -> Waves:
    """The heart's waves around one draw: at its potassium, and with the effects of posture, volume and drugs.

    `effect` scales all that potassium does; at 0 the waves do not depend on it. They still hold at 60 beats a minute.
    """
    strength = effect * heart.sensitivity
    waves = waves_under_potassium(
        heart.waves,
        strength * (potassium - RESTING_POTASSIUM) * heart.profile,
        strength * max(0.0, potassium - MARKED_POTASSIUM),
    )
    if heart.fibrillates:
        waves.amplitude_mv[P] = 0.0
    amplitude = np.exp(
        0.06 * random.standard_normal() + np.array([0.17, 0.2, 0.05, 0.15, 0.18]) * random.standard_normal(5)
    )
    width = np.exp(np.array([0.07, 0.02, 0.02, 0.02, 0.05]) * random.standard_normal(5))
    shift_ms = np.array([6.0, 0.0, 0.0, 0.0, 8.0]) * random.standard_normal(5)
    return Waves(
        waves.amplitude_mv * amplitude, waves.center_ms + shift_ms, waves.rise_ms * width, waves.fall_ms * width
    )


def rate_of_draw(heart: Heart, potassium: float, effect: float, random: np.random.Generator) -> float:
    """Heart rate around one draw in beats per minute; potassium slows it slightly."""
    slower = 0.8 * effect * heart.sensitivity * (potassium - RESTING_POTASSIUM)
    return float(np.clip(heart.rate_bpm + random.normal(0, 6) - slower, 48, 125))


def random_rhythm(
    heart: Heart, rate_bpm: float, duration_s: float, ectopy: float, random: np.random.Generator
) -> Rhythm:
    """R peaks from just before the start to just after the end of `duration_s`.

    Intervals follow the low-frequency (0.1 Hz) and the respiratory rhythm of sinus node modulation, as in McSharry
    2003; an extrasystole comes early and is followed by a compensatory pause. In atrial fibrillation they have no
    memory at all.
    """
    mean_s = 60 / rate_bpm
    n_beats = int(duration_s / mean_s * 1.15) + 12
    about_s = mean_s * np.arange(n_beats)
    low, breath = random.uniform(0, 2 * np.pi, 2)
    deviation = (
        0.8 * np.sin(2 * np.pi * 0.1 * about_s + low)
        + 0.7 * np.sin(2 * np.pi * heart.breaths_hz * about_s + breath)
        + 0.5 * random.standard_normal(n_beats)
        + slow_values(random, n_beats, 60)
    )
    irregular = 0.2 * random.standard_normal(n_beats)
    rr_s = mean_s * np.exp(irregular if heart.fibrillates else heart.variability * deviation)
    ectopic = random.random(n_beats) < ectopy
    ectopic[1:] &= ~ectopic[:-1]
    early_s = random.uniform(0.25, 0.4, n_beats) * rr_s * ectopic
    rr_s = np.maximum(rr_s - early_s + np.roll(early_s, 1), 0.3)
    r_s = np.cumsum(rr_s) - 2 * mean_s
    inside = r_s < duration_s + 1
    return Rhythm(r_s[inside], rr_s[inside], ectopic[inside])


def waves_of_beats(waves: Waves, heart: Heart, rhythm: Rhythm, random: np.random.Generator) -> Waves:
    """The waves of each beat of a rhythm, shape (beats, 5).

    Repolarization follows the square root of the RR interval (Bazett), with memory of the mean interval; breathing
    turns the heart's axis and so modulates all amplitudes.
    """
    n_beats = len(rhythm.r_s)
    cycle = np.sqrt(0.75 * rhythm.rr_s.mean() + 0.25 * rhythm.rr_s)[:, None]
    slower = np.ones((n_beats, 5))
    slower[:, T] = cycle[:, 0]
    slower[:, P] = np.sqrt(cycle[:, 0])
    breathing = 1 + 0.05 * np.sin(2 * np.pi * heart.breaths_hz * rhythm.r_s)[:, None]
    jitter = 1 + np.array([0.08, 0.05, 0.02, 0.04, 0.04]) * random.standard_normal((n_beats, 5))
    beats = Waves(
        waves.amplitude_mv * breathing * jitter,
        waves.center_ms * slower,
        waves.rise_ms * slower,
        waves.fall_ms * slower,
    )
    return _with_extrasystoles(beats, rhythm.ectopic)


def ecg_mv(beats: Waves, r_s: np.ndarray, n_samples: int, factors: np.ndarray) -> np.ndarray:
    """The sum of all waves of all beats, one row per lead: shape (leads, n_samples), float64 mV at 125 Hz.

    `beats` has shape (beats, 5); `factors`, shape (leads, 5), turns the amplitudes into those of each lead.
    """
    leads_mv = np.zeros((len(factors), n_samples))
    for wave in range(len(WAVES)):
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
    reach = int(np.ceil(3.5 * max(rise.max(), fall.max())))
    index = np.rint(center).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    away = index - center[:, None]
    return index, np.exp(-0.5 * (away / np.where(away < 0, rise[:, None], fall[:, None])) ** 2)


def _added(index: np.ndarray, values: np.ndarray, n_samples: int) -> np.ndarray:
    """The sum of `values` at each `index`; values outside the `n_samples` are dropped."""
    inside = np.clip(index, -1, n_samples) + 1
    return np.bincount(inside.ravel(), values.ravel(), n_samples + 2)[1:-1]


def _with_extrasystoles(beats: Waves, ectopic: np.ndarray) -> Waves:
    """Ventricular extrasystoles: no P wave, a wide and tall QRS, and a T wave of the opposite sign."""
    amplitude = np.where(ectopic[:, None], np.array([0.0, 1.0, 1.3, 1.5, -1.4]), 1.0)
    width = np.where(ectopic[:, None], np.array([1.0, 2.4, 2.4, 2.4, 1.2]), 1.0)
    return Waves(beats.amplitude_mv * amplitude, beats.center_ms * width, beats.rise_ms * width, beats.fall_ms * width)


def _spread(random: np.random.Generator, relative: float) -> float:
    """A factor around 1, log-normal."""
    return float(np.exp(relative * random.standard_normal()))
