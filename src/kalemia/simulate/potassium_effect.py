"""What potassium does to the waves of a beat: from a flat T wave to the sine wave.

The order of the signs is that of Mattu et al., Am J Emerg Med 2000;18:721, and Parham et al., Tex Heart Inst J
2006;33:40. First the T wave becomes taller, narrower and more symmetric (about linear in potassium within a person:
Attia et al., J Am Heart Assoc 2016;5:e002746; Corsi et al., Sci Rep 2017;7:42492), QT becomes shorter, P lower and
broader and PR longer. From about 6.5 mEq/L conduction slows: QRS widens, S deepens, P is lost and T outgrows R. From
about 9 mEq/L QRS and T merge into a sine wave (Dittrich and Walls, J Emerg Med 1986;4:449; El-Sherif and Turitto,
Cardiol J 2011;18:233). These values are those of a heart of average sensitivity. People differ, and some show little
even at 9 mEq/L (Montague et al., Clin J Am Soc Nephrol 2008;3:324).
"""

from dataclasses import dataclass

import numpy as np

from kalemia.simulate.physiology import PROFILE_MEAN, QRS, RESTING_POTASSIUM, Heart, P, R, S, T, Waves

MARKED_POTASSIUM = 6.5  # mEq/L, from which conduction slows markedly
_MARKED_RANGE = (0.5, 1.5)  # severe hyperkalemia shows in everybody, so people differ less in it
_MOST_LOG_WIDENING = 1.05  # a QRS complex of about 240 ms
_MOST_T_TO_R = 3.0
_SINE_FROM, _SINE_TO = 3.1, 4.9  # marked excess at which QRS and T begin to merge, and at which they have merged
_SINE_WIDTH = 0.18  # standard deviation of a Gaussian per cycle, so that a train of them is nearly a sine wave
_MOST_SINE_CYCLE_MS = 800.0  # in a slower rhythm the merged complexes stand apart


@dataclass(frozen=True)
class Excess:
    """How far potassium exceeds the values at which signs begin, in mEq/L times the heart's sensitivity.

    `mild` (4,) above `RESTING_POTASSIUM`, negative in hypokalemia, and `marked` (4,) above `MARKED_POTASSIUM`, of each
    of `SIGNS`.
    """

    mild: np.ndarray
    marked: np.ndarray

    @property
    def of_conduction(self) -> float:
        """The marked excess that slows conduction in the ventricles, on which the rhythm depends too."""
        return float(self.marked[3])

    @property
    def merged(self) -> float:
        """How far QRS and T have merged into a sine wave, from 0 to 1."""
        part = np.clip((self.of_conduction - _SINE_FROM) / (_SINE_TO - _SINE_FROM), 0, 1)
        return float(part**2 * (3 - 2 * part))


def excess_of(heart: Heart, potassium: float, effect: float) -> Excess:
    """The excess in a heart at `potassium` mEq/L; `effect` scales all that potassium does, and at 0 there is none."""
    strength = effect * heart.sensitivity
    shares = np.clip(1 + heart.profile - PROFILE_MEAN, *_MARKED_RANGE)
    return Excess(
        strength * (potassium - RESTING_POTASSIUM) * heart.profile,
        strength * max(0.0, potassium - MARKED_POTASSIUM) * shares,
    )


def waves_under_potassium(waves: Waves, excess: Excess, from_ventricle: bool = False) -> Waves:
    """The waves (5,) of a resting heart as the excess changes them, but for the merging of QRS and T.

    A beat that comes from the ventricles is even wider.
    """
    amplitude_mv, center_ms = waves.amplitude_mv.copy(), waves.center_ms.copy()
    rise_ms, fall_ms = waves.rise_ms.copy(), waves.fall_ms.copy()
    height, repolarization, atrium, conduction = excess.mild
    tented, broadened, atrium_marked, slowed = excess.marked
    resting_r_mv = amplitude_mv[R]

    amplitude_mv[R] *= np.exp(-0.03 * conduction - 0.08 * slowed)
    amplitude_mv[S] = amplitude_mv[S] * np.exp(0.1 * conduction) - 0.08 * resting_r_mv * slowed
    log_widening = 0.03 * conduction + 0.12 * slowed + 0.035 * slowed**2 + 0.25 * from_ventricle
    for values in (center_ms, rise_ms, fall_ms):
        values[QRS] *= np.exp(min(log_widening, _MOST_LOG_WIDENING))

    unit_mv = max(abs(amplitude_mv[T]), 0.1 * resting_r_mv)
    amplitude_mv[T] += unit_mv * max(0.3 * height, -0.6) + 0.24 * resting_r_mv * tented
    amplitude_mv[T] = min(amplitude_mv[T], max(_MOST_T_TO_R * amplitude_mv[R], waves.amplitude_mv[T]))
    rise_ms[T] *= np.exp(-0.08 * repolarization + 0.12 * broadened)
    fall_ms[T] *= np.exp(-0.05 * repolarization + 0.1 * broadened)
    center_ms[T] += 20 * slowed - 4 * repolarization

    amplitude_mv[P] *= np.exp(-0.15 * atrium - 0.45 * atrium_marked - 0.15 * atrium_marked**2)
    rise_ms[P] *= np.exp(0.05 * atrium)
    fall_ms[P] *= np.exp(0.05 * atrium)
    center_ms[P] -= 6 * atrium + 20 * atrium_marked
    return Waves(amplitude_mv, center_ms, rise_ms, fall_ms)


def merge_qrs_and_t(beats: Waves, rr_s: np.ndarray, merged: float) -> Waves:
    """Waves of beats, shape (beats, 5), as QRS and T merge; `rr_s` (beats,) are the intervals before them.

    The wide S wave becomes the trough and the T wave the crest of a sine wave of one cycle a beat; P, Q and R vanish in
    it. `merged` from 0 to 1 goes from the waves as they are to the sine wave.
    """
    if merged == 0:
        return beats
    now, then = beats, _sine_waves(beats, np.minimum(1000 * rr_s, _MOST_SINE_CYCLE_MS))
    return Waves(
        (1 - merged) * now.amplitude_mv + merged * then.amplitude_mv,
        (1 - merged) * now.center_ms + merged * then.center_ms,
        now.rise_ms ** (1 - merged) * then.rise_ms**merged,
        now.fall_ms ** (1 - merged) * then.fall_ms**merged,
    )


def _sine_waves(beats: Waves, cycle_ms: np.ndarray) -> Waves:
    """The waves (beats, 5) that these become when they have merged altogether."""
    amplitude_mv, center_ms, width_ms = np.zeros_like(beats.amplitude_mv), beats.center_ms.copy(), beats.rise_ms.copy()
    amplitude_mv[:, T] = 0.6 * np.abs(beats.amplitude_mv[:, [R, T]]).max(axis=1)
    amplitude_mv[:, S] = -amplitude_mv[:, T]
    center_ms[:, T] = center_ms[:, S] + cycle_ms / 2
    width_ms[:, [S, T]] = _SINE_WIDTH * cycle_ms[:, None]
    return Waves(amplitude_mv, center_ms, width_ms, width_ms)
