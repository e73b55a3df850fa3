"""When the heart beats: sinus rhythm, extrasystoles, fibrillation, and how the rhythm fails in severe hyperkalemia."""

from dataclasses import dataclass, replace

import numpy as np

from kalemia.simulate.physiology import RESTING_POTASSIUM, Heart, slow_values
from kalemia.simulate.potassium_effect import Excess

SINUS, FIBRILLATION = "sinus rhythm", "atrial fibrillation"
SINOVENTRICULAR = "sinoventricular rhythm"  # from the sinus node, but the atria are not excited: no P wave
SECOND_DEGREE, THIRD_DEGREE = "second-degree AV block", "third-degree AV block"
JUNCTIONAL, VENTRICULAR = "junctional escape", "ventricular escape"
WITHOUT_OWN_P = (SINOVENTRICULAR, THIRD_DEGREE, JUNCTIONAL, VENTRICULAR)
FROM_VENTRICLE = (THIRD_DEGREE, VENTRICULAR)

# Of each of `FAILURES` the marked excess of conduction from which the rhythm is another, the highest first.
_COURSES = {
    "sinoventricular": ((1.8, SINOVENTRICULAR),),
    "junctional": ((3.5, VENTRICULAR), (1.5, JUNCTIONAL)),
    "AV block": ((2.5, THIRD_DEGREE), (1.3, SECOND_DEGREE)),
    "ventricular": ((2.2, VENTRICULAR),),
}
_ESCAPE_BPM = {JUNCTIONAL: (40, 58), VENTRICULAR: (24, 42), THIRD_DEGREE: (26, 44)}
_ESCAPE_VARIABILITY = 0.03
_PAUSES, _PAUSE_S = 0.03, (1.2, 3.0)  # share of the ventricle's beats that come after a pause, and how long it is
_CONDUCTED = (2, 3, 4)  # beats until one is blocked, in second-degree block


@dataclass(frozen=True)
class Rhythm:
    """The beats of a stretch of time.

    `name` says where they come from; `r_s` (n,) are the times of the R peaks, `rr_s` (n,) the intervals before them;
    `ectopic` (n,) marks extrasystoles; `blocked_s` (m,) are the times at which an R peak would follow those P waves
    that do not reach the ventricles.
    """

    name: str
    r_s: np.ndarray
    rr_s: np.ndarray
    ectopic: np.ndarray
    blocked_s: np.ndarray

    @property
    def rate_bpm(self) -> float:
        """The mean rate of the ventricles."""
        return float(60 / self.rr_s.mean())


def rhythm_of(heart: Heart, excess: Excess) -> str:
    """The name of the rhythm of a heart; beyond moderate excess it is the one to which the heart's failure leads."""
    begun = [name for least, name in _COURSES[heart.failure] if excess.of_conduction >= least]
    return begun[0] if begun else FIBRILLATION if heart.fibrillates else SINUS


def sinus_rate_bpm(heart: Heart, potassium: float, effect: float, excess: Excess, random: np.random.Generator) -> float:
    """Rate of the sinus node around one draw in beats a minute; potassium slows it, more so if it is severe."""
    slower = 0.8 * effect * heart.sensitivity * (potassium - RESTING_POTASSIUM)
    rate_bpm = np.clip(heart.rate_bpm + random.normal(0, 6) - slower, 48, 125)
    return float(max(rate_bpm - 2 * excess.of_conduction, 44))


def random_rhythm(
    heart: Heart, rate_bpm: float, duration_s: float, ectopy: float, random: np.random.Generator
) -> Rhythm:
    """Beats of the sinus node from just before the start to just after the end of `duration_s`.

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
    name = FIBRILLATION if heart.fibrillates else SINUS
    return Rhythm(name, r_s[inside], rr_s[inside], ectopic[inside], np.empty(0))


def failing_rhythm(rhythm: Rhythm, name: str, duration_s: float, random: np.random.Generator) -> Rhythm:
    """The rhythm `name` of a heart whose sinus node goes on as in `rhythm`.

    Bradycardia and junctional rhythm are what precedes arrest in severe hyperkalemia (Durfey et al., West J Emerg Med
    2017;18:963); loss of P with sinoventricular conduction, AV block and ventricular escape are described by Mattu et
    al., Am J Emerg Med 2000;18:721, and Parham et al., Tex Heart Inst J 2006;33:40.
    """
    if name == SECOND_DEGREE:
        return _with_blocked_beats(rhythm, int(random.choice(_CONDUCTED)))
    if name not in _ESCAPE_BPM:
        return replace(rhythm, name=name)
    blocked_s = rhythm.r_s if name == THIRD_DEGREE else np.empty(0)
    return _escape(name, blocked_s, duration_s, random)


def _with_blocked_beats(rhythm: Rhythm, n_conducted: int) -> Rhythm:
    """Second-degree block of type II: after every `n_conducted` beats a P wave that no QRS complex follows."""
    conducted = np.arange(len(rhythm.r_s)) % (n_conducted + 1) < n_conducted
    r_s = rhythm.r_s[conducted]
    rr_s = np.diff(r_s, prepend=r_s[0] - rhythm.rr_s[0])
    return Rhythm(SECOND_DEGREE, r_s, rr_s, rhythm.ectopic[conducted], rhythm.r_s[~conducted])


def _escape(name: str, blocked_s: np.ndarray, duration_s: float, random: np.random.Generator) -> Rhythm:
    """A slow and regular pacemaker below the sinus node; one in the ventricles sometimes pauses."""
    mean_s = 60 / random.uniform(*_ESCAPE_BPM[name])
    n_beats = int((duration_s + 1) / mean_s * 1.15) + 12
    rr_s = mean_s * np.exp(_ESCAPE_VARIABILITY * random.standard_normal(n_beats))
    pauses_s = random.uniform(*_PAUSE_S, n_beats) * (random.random(n_beats) < _PAUSES)
    if name in FROM_VENTRICLE:
        rr_s += pauses_s
    r_s = np.cumsum(rr_s) - 2 * mean_s
    inside = r_s < duration_s + 1
    return Rhythm(name, r_s[inside], rr_s[inside], np.zeros(np.count_nonzero(inside), bool), blocked_s)
