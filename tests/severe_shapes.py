"""Hand-made ECGs of severe hyperkalemia and of rhythms that hide beats, with the time of every R wave known.

`severe_heart(shape, seed)` is one heart: its rate, amplitudes, widths, noise and baseline wander come from the seed.
Shapes after Mattu, Brady and Robinson, Am J Emerg Med 2000;18:721 (tented T, loss of P, wide QRS, sine wave,
escape rhythms), with none of the code of the project's own simulation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RATE_HZ = 125.0
N_HEARTS = 24  # of each shape in a table by shape
# a wave: amplitude in mV, center after R in s, width (standard deviation) before and after its center in s
Wave = tuple[float, float, float, float]


@dataclass(frozen=True)
class Heart:
    """One lead (samples,) in mV, float32, and its beats in order.

    r_s: (n,) times of the R waves; of a sine wave, of the crests of its fundamental. is_ventricular: (n,) bool, the
    ectopic beats of bigeminy.
    """

    ecg_mv: np.ndarray
    r_s: np.ndarray
    is_ventricular: np.ndarray


def severe_heart(shape: str, seed: int, seconds: float = 300.0, rate_hz: float = RATE_HZ) -> Heart:
    """The heart number `seed` of a shape, one of `SHAPES`."""
    random = np.random.default_rng([list(SHAPES).index(shape), seed])
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    ecg_mv, normal_s, ventricular_s = SHAPES[shape](random, time_s)
    scale = random.uniform(0.6, 1.6)
    wander_hz, wander_mv = random.uniform(0.12, 0.35), random.uniform(0.02, 0.1)
    ecg_mv = scale * ecg_mv + wander_mv * np.sin(2 * np.pi * (wander_hz * time_s + random.uniform()))
    ecg_mv += random.uniform(0.004, 0.02) * random.standard_normal(len(time_s))
    r_s, is_ventricular = (
        np.concatenate([normal_s, ventricular_s]),
        np.repeat([False, True], [len(normal_s), len(ventricular_s)]),
    )
    order = np.argsort(r_s)
    order = order[(r_s[order] >= 0) & (r_s[order] < seconds)]
    return Heart(ecg_mv.astype(np.float32), r_s[order], is_ventricular[order])


def draw_waves(
    time_s: np.ndarray, r_s: np.ndarray, waves: list[Wave], t_factor: np.ndarray | float = 1.0
) -> np.ndarray:
    """The sum (mV) of the waves of every beat; the last wave of each beat is taken `t_factor` times."""
    ecg_mv = np.zeros(len(time_s))
    for wave, (amplitude_mv, center_s, before_s, after_s) in enumerate(waves):
        factor = np.broadcast_to(t_factor if wave == len(waves) - 1 else 1.0, len(r_s))
        for center, height_mv in zip(r_s + center_s, amplitude_mv * factor, strict=True):
            at = slice(*np.searchsorted(time_s, [center - 5 * before_s, center + 5 * after_s]))
            from_center = time_s[at] - center
            width_s = np.where(from_center < 0, before_s, after_s)
            ecg_mv[at] += height_mv * np.exp(-0.5 * (from_center / width_s) ** 2)
    return ecg_mv


def _r_times(random: np.random.Generator, seconds: float, rate_bpm: float, variation: float) -> np.ndarray:
    """R times (s) of a regular rhythm with respiratory and random variation; the first lies before the recording."""
    n = int(seconds * rate_bpm / 60) + 12
    breathing = np.sin(2 * np.pi * np.arange(n) / random.uniform(3, 6))
    intervals_s = 60 / rate_bpm * (1 + variation * (0.7 * breathing + 0.7 * random.standard_normal(n)))
    return np.cumsum(intervals_s) - random.uniform(1, 2) * 60 / rate_bpm


def _vary(random: np.random.Generator, waves: list[Wave], share: float = 0.1) -> list[Wave]:
    """Each amplitude and each width times a factor within `share` of 1."""
    return [
        (
            a * random.uniform(1 - share, 1 + share),
            center,
            *(width * random.uniform(1 - share, 1 + share) for width in widths),
        )
        for a, center, *widths in waves
    ]


def _t_center_s(random: np.random.Generator, rate_bpm: float) -> float:
    """From R to the peak of T, longer in slower rhythms (Bazett, Heart 1920;7:353)."""
    return random.uniform(0.26, 0.31) * np.sqrt(60 / rate_bpm)


_P = (0.12, -0.16, 0.02, 0.02)
_NARROW = [(-0.1, -0.028, 0.008, 0.008), (1.0, 0.0, 0.011, 0.011), (-0.2, 0.032, 0.01, 0.01)]
_Draw = Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def _regular(
    waves: Callable[[np.random.Generator, float], list[Wave]], rates_bpm: tuple[float, float] = (55, 90)
) -> _Draw:
    """A regular rhythm at a rate of the range, of the waves that the function gives for a heart and its rate."""

    def draw(random: np.random.Generator, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rate_bpm = random.uniform(*rates_bpm)
        r_s = _r_times(random, time_s[-1], rate_bpm, random.uniform(0.005, 0.035))
        return draw_waves(time_s, r_s, _vary(random, waves(random, rate_bpm))), r_s, np.empty(0)

    return draw


def _normal(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
    return [_P, *_NARROW, (0.3, _t_center_s(random, rate_bpm), 0.045, 0.035)]


def _tall_t(ratio: tuple[float, float]) -> Callable[[np.random.Generator, float], list[Wave]]:
    """A tented T of so many times R, 70 to 75 ms wide at half its height."""

    def waves(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
        p = (0.04, -0.19, 0.025, 0.025)
        return [p, *_NARROW, (random.uniform(*ratio), random.uniform(0.23, 0.28), 0.034, 0.028)]

    return waves


def _late_tall_t(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
    """Too little calcium beside too much potassium, as in kidney failure: T is tented and late."""
    return [_P, *_NARROW, (random.uniform(1.8, 2.2), random.uniform(0.36, 0.4), 0.04, 0.035)]


def _wide_120(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
    qrs = [(0.75, 0.0, 0.02, 0.02), (-0.35, 0.055, 0.02, 0.02)]
    t_width_s = random.uniform(0.03, 0.05)
    return [*qrs, (1.0, random.uniform(0.27, 0.33), t_width_s, 0.85 * t_width_s)]


def _wide_160_deep_s(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
    qrs = [(0.7, 0.0, 0.028, 0.028), (-0.75, 0.08, 0.026, 0.026)]
    return [*qrs, (random.uniform(0.6, 1.0), random.uniform(0.28, 0.33), 0.05, 0.042)]


def _wide_200(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
    qrs = [(0.8, 0.0, 0.034, 0.034), (-0.6, 0.1, 0.033, 0.033)]
    return [*qrs, (random.uniform(0.5, 0.8), random.uniform(0.33, 0.38), 0.06, 0.05)]


def _fused_with_next(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
    """No baseline is left: T of a wide beat runs into the next QRS complex."""
    qrs = [(0.8, 0.0, 0.028, 0.028), (-0.5, 0.085, 0.028, 0.03)]
    rr_s = 60 / rate_bpm
    return [*qrs, (random.uniform(0.5, 0.8), rr_s - random.uniform(0.24, 0.28), 0.09, 0.055)]


def _st_elevation(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
    st = (random.uniform(0.25, 0.45), 0.13, 0.05, 0.06)
    qrs = [(-0.1, -0.03, 0.008, 0.008), (0.8, 0.0, 0.014, 0.016)]
    return [_P, *qrs, st, (random.uniform(0.9, 1.4), random.uniform(0.25, 0.3), 0.055, 0.045)]


def _sine_wave(random: np.random.Generator, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    crests_s = _r_times(random, time_s[-1], random.uniform(60, 140), random.uniform(0.004, 0.012))
    phase = 2 * np.pi * np.interp(time_s, crests_s, np.arange(len(crests_s)))
    harmonic = random.uniform(0.1, 0.35) * np.cos(2 * phase + random.uniform(-np.pi, np.pi))
    return 0.9 * (np.cos(phase) + harmonic), crests_s, np.empty(0)


def _slow_escape(random: np.random.Generator, rate_bpm: float) -> list[Wave]:
    qrs = _NARROW if random.uniform() < 0.5 else [(0.8, 0.0, 0.026, 0.026), (-0.5, 0.075, 0.024, 0.024)]
    return [*qrs, (random.uniform(0.3, 0.9), _t_center_s(random, rate_bpm), 0.06, 0.045)]


def _escape_with_pauses(qrs: list[Wave], t_mv: tuple[float, float], rates_bpm: tuple[float, float]) -> _Draw:
    """An escape rhythm that now and then pauses for 2.2 to 4 s."""

    def draw(random: np.random.Generator, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rate_bpm = random.uniform(*rates_bpm)
        intervals_s = np.diff(_r_times(random, time_s[-1], rate_bpm, 0.015))
        paused = random.uniform(size=len(intervals_s)) < random.uniform(0.03, 0.1)
        intervals_s[paused] = random.uniform(2.2, 4.0, paused.sum())
        r_s = 0.5 + np.cumsum(intervals_s)
        waves = [*qrs, (random.uniform(*t_mv), _t_center_s(random, rate_bpm), 0.06, 0.045)]
        return draw_waves(time_s, r_s, _vary(random, waves)), r_s, np.empty(0)

    return draw


def _bigeminy(random: np.random.Generator, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    normal_s = _r_times(random, time_s[-1], random.uniform(35, 50), 0.015)
    ventricular_s = normal_s + random.uniform(0.42, 0.55)
    ectopic = [(2.2, 0.0, 0.035, 0.03), (-1.0, 0.12, 0.03, 0.03), (-0.66, 0.33, 0.06, 0.05)]
    sign = random.choice([-1, 1])
    ectopic = [(sign * height, *rest) for height, *rest in _vary(random, ectopic, 0.3)]
    ecg_mv = draw_waves(time_s, normal_s, _vary(random, _normal(random, 75))) + draw_waves(
        time_s, ventricular_s, ectopic
    )
    return ecg_mv, normal_s, ventricular_s


def _alternating_t(random: np.random.Generator, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rate_bpm = random.uniform(60, 110)
    r_s = _r_times(random, time_s[-1], rate_bpm, random.uniform(0.005, 0.02))
    waves = _vary(random, [*_NARROW, (1.0, random.uniform(0.22, 0.26), 0.036, 0.03)])
    t_factor = np.where(np.arange(len(r_s)) % 2, random.uniform(0.2, 0.6), random.uniform(1.2, 2.0))
    return draw_waves(time_s, r_s, waves, t_factor), r_s, np.empty(0)


SHAPES: dict[str, _Draw] = {
    "normal": _regular(_normal),
    "T as high as R": _regular(_tall_t((0.9, 1.1))),
    "T twice R": _regular(_tall_t((1.8, 2.2))),
    "T three times R": _regular(_tall_t((2.7, 3.3))),
    "no P, QRS 120 ms, T 1 mV": _regular(_wide_120),
    "QRS 160 ms, deep S": _regular(_wide_160_deep_s),
    "QRS 200 ms": _regular(_wide_200),
    "fusion with the next beat": _regular(_fused_with_next, (75, 110)),
    "ST elevation, T taller than R": _regular(_st_elevation),
    "sine wave": _sine_wave,
    "slow escape rhythm": _regular(_slow_escape, (25, 29)),
    "junctional escape, pauses": _escape_with_pauses(_NARROW, (0.3, 0.8), (35, 55)),
    "ventricular escape, pauses": _escape_with_pauses(
        [(0.9, 0.0, 0.028, 0.028), (-0.5, 0.085, 0.026, 0.026)], (0.4, 0.9), (26, 40)
    ),
    "bigeminy": _bigeminy,
    "alternating T": _alternating_t,
    "T twice R, long ST": _regular(_late_tall_t, (50, 75)),
}
