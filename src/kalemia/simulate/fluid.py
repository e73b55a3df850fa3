"""A confounder: fluid that comes and goes with potassium, and changes ECG and sodium in its place.

Between two dialyses fluid and potassium rise together. Edema lowers the voltage of the whole ECG (Madias et al., J Am
Coll Cardiol 2001;38:756), and water dilutes sodium.
"""

import numpy as np

from kalemia.core.seeds import rng
from kalemia.simulate.physiology import RESTING_POTASSIUM

SODIUM_PER_LITER = -3.0  # mEq/L, about that of a liter of water in 42 liters
_LOG_VOLTAGE_PER_LITER = -0.1
_WANDER_LITERS = 0.4  # standard deviation between draws, whatever potassium is


def liters_at(seed: int, hadm_id: int, draw: int, potassium: float, liters_per_meq: float) -> float:
    """The fluid above that at `RESTING_POTASSIUM`, at one draw of an admission; 0 if `liters_per_meq` is 0."""
    if liters_per_meq == 0:
        return 0.0
    wander = _WANDER_LITERS * rng(seed, "fluid", hadm_id, draw).standard_normal()
    return float(liters_per_meq * (potassium - RESTING_POTASSIUM) + wander)


def voltage_factor(liters: float) -> float:
    """What so much fluid makes of the amplitude of every wave: exactly 1 at 0."""
    return float(np.exp(_LOG_VOLTAGE_PER_LITER * liters))
