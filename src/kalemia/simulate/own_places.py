"""An effect of potassium that is each patient's own: at places of the beat that no textbook names."""

from dataclasses import dataclass

import numpy as np

from kalemia.core.seeds import rng
from kalemia.simulate import physiology
from kalemia.simulate.heart_rhythm import Rhythm
from kalemia.simulate.physiology import RESTING_POTASSIUM, Heart, Waves

CENTER_MS = {"J point": 46.0, "ST segment": 105.0, "end of P": -95.0, "onset of QRS": -40.0}  # from the R peak
N_ACTED_ON = 2
UNIT_EFFECT_MV = 0.04  # per mEq/L, of an effect of 1 in a heart of average sensitivity
_WIDTH_MS = (8.0, 22.0)  # standard deviation of a wave
_SIZE = (0.7, 1.3)
_RESTING_SD_MV = 0.08  # between patients; without it the sign of a wave alone would be the same sign in everybody
_DRAW_SD_MV = 0.02  # between the draws of a patient, whatever potassium is


@dataclass(frozen=True)
class OwnPlaces:
    """Small waves of one patient at the places of `CENTER_MS`; arrays have shape (4,).

    `resting_mv` are their heights at `RESTING_POTASSIUM`, `mv_per_meq` what each mEq/L of potassium adds, 0 at the
    places where it does not act; `width_ms` the standard deviations.
    """

    resting_mv: np.ndarray
    mv_per_meq: np.ndarray
    width_ms: np.ndarray

    def height_mv(self, potassium: float, random: np.random.Generator) -> np.ndarray:
        """Heights (4,) around one draw of `potassium` mEq/L."""
        wander_mv = _DRAW_SD_MV * random.standard_normal(len(CENTER_MS))
        return self.resting_mv + self.mv_per_meq * (potassium - RESTING_POTASSIUM) + wander_mv


def random_places(seed: int, subject_id: int, heart: Heart, effect: float) -> OwnPlaces:
    """The places of one patient: which two potassium acts on, with which sign and how strongly, is random."""
    random = rng(seed, "own places", subject_id)
    resting_mv = _RESTING_SD_MV * random.standard_normal(len(CENTER_MS))
    width_ms = random.uniform(*_WIDTH_MS, len(CENTER_MS))
    sizes = random.uniform(*_SIZE, len(CENTER_MS)) * random.choice([-1.0, 1.0], len(CENTER_MS))
    acted_on = random.permutation(len(CENTER_MS)) < N_ACTED_ON
    return OwnPlaces(resting_mv, effect * UNIT_EFFECT_MV * heart.sensitivity * sizes * acted_on, width_ms)


def own_ecg_mv(places: OwnPlaces, height_mv: np.ndarray, rhythm: Rhythm, n_samples: int) -> np.ndarray:
    """The small waves, of `height_mv` (4,), of all beats but extrasystoles: shape (n_samples,), mV."""
    shape = len(rhythm.r_s), len(CENTER_MS)
    waves = Waves(
        np.where(rhythm.ectopic[:, None], 0.0, height_mv),
        np.broadcast_to(list(CENTER_MS.values()), shape),
        np.broadcast_to(places.width_ms, shape),
        np.broadcast_to(places.width_ms, shape),
    )
    return physiology.ecg_mv(waves, rhythm.r_s, n_samples, np.ones((1, len(CENTER_MS))))[0]
