"""Hand-made ECGs of rhythms with ectopic beats, and of others that resemble them, with the kind of every beat known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from severe_shapes import RATE_HZ, Wave, draw_waves

_NARROW = [(0.12, -0.16, 0.02, 0.02), (-0.1, -0.028, 0.008, 0.008), (1.0, 0.0, 0.011, 0.011), (-0.2, 0.032, 0.01, 0.01)]
_T = (0.3, 0.26, 0.045, 0.035)
_WAVES = {
    "normal": [*_NARROW, _T],
    "low": [(0.6 * height, *rest) for height, *rest in (*_NARROW, _T)],
    "tented": [*_NARROW, (1.4, 0.24, 0.036, 0.03)],
    "inverted": [*_NARROW, (-0.5, 0.3, 0.05, 0.04)],
    "escape": [(0.7, 0.0, 0.03, 0.03), (-0.6, 0.09, 0.03, 0.03), (0.6, 0.32, 0.05, 0.045)],
    "ectopic": [(2.2, 0.0, 0.035, 0.03), (-1.0, 0.12, 0.03, 0.03), (-0.66, 0.33, 0.06, 0.05)],
}


@dataclass(frozen=True)
class EctopicRhythm:
    """One lead (samples,) in mV, float32; r_s: (n,) times of the R waves; kinds: (n,) names."""

    ecg_mv: np.ndarray
    r_s: np.ndarray
    kinds: np.ndarray


@dataclass(frozen=True)
class _Pattern:
    """`beats` gives the beats of one round of the rhythm for the coupling interval of its ectopic beats."""

    beats: Callable[[np.random.Generator, float], list[tuple[str, float]]]
    has_ectopy: bool


def _pattern(*kinds: str, late: float | None = None) -> _Pattern:
    """Sinus beats ("normal") and ectopic beats after their coupling interval, with a pause that keeps the mean."""

    def beats(random: np.random.Generator, coupling: float) -> list[tuple[str, float]]:
        coupling = late or coupling
        steps = [coupling if kind == "ectopic" else 1.0 for kind in kinds]
        return [(kinds[0], steps[0] + len(steps) - sum(steps)), *zip(kinds[1:], steps[1:], strict=True)]

    return _Pattern(beats, "ectopic" in kinds)


def _interpolated(random: np.random.Generator, coupling: float) -> list[tuple[str, float]]:
    return [*[("normal", 1.2)] * 4, ("ectopic", coupling), ("normal", 1.23 - coupling)]


def _random_third(random: np.random.Generator, coupling: float) -> list[tuple[str, float]]:
    extrasystole = [("ectopic", coupling), ("normal", 2 - coupling)]
    return [("normal", 1.0), *(extrasystole * random.integers(0, 3))]


def _escape_with_pauses(random: np.random.Generator, coupling: float) -> list[tuple[str, float]]:
    return [("escape", 2.1 if random.uniform() < 0.12 else 1.4)]


RHYTHMS = {
    "bigeminy": _pattern("normal", "ectopic"),
    "bigeminy of late extrasystoles": _pattern("normal", "ectopic", late=0.92),
    "trigeminy": _pattern("normal", "normal", "ectopic"),
    "quadrigeminy": _pattern("normal", "normal", "normal", "ectopic"),
    "couplets": _pattern("normal", "ectopic", "ectopic"),
    "couplets after two": _pattern("normal", "normal", "ectopic", "ectopic"),
    "runs of three": _pattern("normal", "ectopic", "ectopic", "ectopic"),
    "interpolated extrasystoles": _Pattern(_interpolated, True),
    "random extrasystoles": _Pattern(_random_third, True),
    "accelerated idioventricular rhythm": _Pattern(lambda random, coupling: [("ectopic", 1.0)], False),
    "ventricular escape with pauses": _Pattern(_escape_with_pauses, False),
    "AV block 4:3, T inverted after its pauses": _Pattern(
        lambda random, coupling: [("inverted", 1.5), ("normal", 0.75), ("normal", 0.75)], False
    ),
    "Wenckebach 3:2": _Pattern(lambda random, coupling: [("normal", 1.2), ("normal", 0.8)], False),
    "alternating QRS": _pattern("normal", "low"),
    "alternating T": _pattern("normal", "tented"),
    "bigeminy of a wide rhythm": _pattern("escape", "ectopic"),
}


def ectopic_rhythm(name: str, seed: int, seconds: float = 300.0) -> EctopicRhythm:
    """One of `RHYTHMS`; rate, coupling interval, polarity, amplitudes and noise come from the seed."""
    random = np.random.default_rng([list(RHYTHMS).index(name), seed])
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    usual_s, coupling = random.uniform(0.64, 0.82), random.uniform(0.55, 0.68)
    kinds, intervals = [], []
    while sum(intervals) * usual_s < seconds:
        for kind, interval in RHYTHMS[name].beats(random, coupling):
            kinds.append(kind)
            intervals.append(interval * (1 + 0.012 * random.standard_normal()))
    r_s, kinds = usual_s * np.cumsum(intervals), np.array(kinds)
    inside = r_s < seconds
    ecg_mv = sum(draw_waves(time_s, r_s[kinds == kind], _waves(kind, random)) for kind in sorted(set(kinds)))
    ecg_mv = random.uniform(0.6, 1.6) * ecg_mv + 0.06 * np.sin(2 * np.pi * 0.25 * time_s)
    ecg_mv += random.uniform(0.004, 0.02) * random.standard_normal(len(time_s))
    return EctopicRhythm(ecg_mv.astype(np.float32), r_s[inside], kinds[inside])


def _waves(kind: str, random: np.random.Generator) -> list[Wave]:
    sign = random.choice([-1, 1]) if kind == "ectopic" else 1
    return [(sign * height * random.uniform(0.85, 1.15), *rest) for height, *rest in _WAVES[kind]]
