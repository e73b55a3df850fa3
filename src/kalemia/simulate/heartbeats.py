"""The heartbeats around one draw: their rhythm, the waves of each, and the ECG that they make."""

from dataclasses import dataclass

import numpy as np

from kalemia.simulate import physiology
from kalemia.simulate.heart_rhythm import (
    FROM_VENTRICLE,
    WITHOUT_OWN_P,
    Rhythm,
    failing_rhythm,
    random_rhythm,
    rhythm_of,
    sinus_rate_bpm,
)
from kalemia.simulate.physiology import Heart, P, T, Waves
from kalemia.simulate.potassium_effect import Excess, excess_of, merge_qrs_and_t, waves_under_potassium


@dataclass(frozen=True)
class Heartbeats:
    """The beats of a stretch of time.

    `waves` (beats, 5) are those of the beats of `rhythm`, whose `r_s` are the true times of the R peaks: wave i of beat
    n is at ``rhythm.r_s[n] + waves.center_ms[n, i] / 1000``. `blocked` (m, 5) are those of the P waves that do not
    reach the ventricles. `merged` says how far QRS and T are one sine wave, from 0 to 1.
    """

    rhythm: Rhythm
    waves: Waves
    blocked: Waves
    merged: float

    def ecg_mv(self, n_samples: int, factors: np.ndarray) -> np.ndarray:
        """The ECG without noise, shape (leads, n_samples), as `physiology.ecg_mv`."""
        return physiology.ecg_mv(self.waves, self.rhythm.r_s, n_samples, factors) + physiology.ecg_mv(
            self.blocked, self.rhythm.blocked_s, n_samples, factors
        )


def beats_of_draw(
    heart: Heart, potassium: float, effect: float, ectopy: float, duration_s: float, random: np.random.Generator
) -> Heartbeats:
    """The beats of a heart for `duration_s` around a draw of `potassium` mEq/L.

    `effect` scales all that potassium does; at 0 the beats do not depend on it. `ectopy` is the fraction of ventricular
    extrasystoles. The same random generator gives the same posture, drugs and sinus rhythm at every potassium.
    """
    failing = random.spawn(1)[0]
    excess = excess_of(heart, potassium, effect)
    name = rhythm_of(heart, excess)
    rate_bpm = sinus_rate_bpm(heart, potassium, effect, excess, random)
    waves = waves_of_draw(heart, excess, name in FROM_VENTRICLE, random)
    rhythm = failing_rhythm(random_rhythm(heart, rate_bpm, duration_s, ectopy, random), name, duration_s, failing)
    beats = merge_qrs_and_t(waves_of_beats(waves, heart, rhythm, random), rhythm.rr_s, excess.merged)
    return Heartbeats(rhythm, beats, _blocked_waves(waves, len(rhythm.blocked_s)), excess.merged)


def waves_of_draw(heart: Heart, excess: Excess, from_ventricle: bool, random: np.random.Generator) -> Waves:
    """The heart's waves (5,) around one draw: at its potassium, and with the effects of posture, volume and drugs.

    They still hold at 60 beats a minute.
    """
    waves = waves_under_potassium(heart.waves, excess, from_ventricle)
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


def waves_of_beats(waves: Waves, heart: Heart, rhythm: Rhythm, random: np.random.Generator) -> Waves:
    """The waves of each beat of a rhythm, shape (beats, 5).

    Repolarization follows the square root of the RR interval (Bazett), with memory of the mean interval; breathing
    turns the heart's axis and so modulates all amplitudes. Beats from below the atria have no P wave.
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
    if rhythm.name in WITHOUT_OWN_P:
        beats.amplitude_mv[:, P] = 0.0
    return _with_extrasystoles(beats, rhythm.ectopic)


def _blocked_waves(waves: Waves, n: int) -> Waves:
    """`n` times the P wave of `waves` (5,) and nothing after it, shape (n, 5)."""
    amplitude_mv, center_ms, rise_ms, fall_ms = (np.tile(values, (n, 1)) for values in vars(waves).values())
    amplitude_mv[:, P + 1 :] = 0.0
    return Waves(amplitude_mv, center_ms, rise_ms, fall_ms)


def _with_extrasystoles(beats: Waves, ectopic: np.ndarray) -> Waves:
    """Ventricular extrasystoles: no P wave, a wide and tall QRS, and a T wave of the opposite sign."""
    amplitude = np.where(ectopic[:, None], np.array([0.0, 1.0, 1.3, 1.5, -1.4]), 1.0)
    width = np.where(ectopic[:, None], np.array([1.0, 2.4, 2.4, 2.4, 1.2]), 1.0)
    return Waves(beats.amplitude_mv * amplitude, beats.center_ms * width, beats.rise_ms * width, beats.fall_ms * width)
