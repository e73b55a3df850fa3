"""Potassium over a stay: its course, the draws that sample it, and the stretches of recording around them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from kalemia.core.config import Range

MEAN_HOURS = 5.5  # between draws

# How the monitor covers the minutes before a draw, with probabilities. Independent of potassium.
COVERAGE = {
    "whole": 0.6,  # one segment
    "interrupted": 0.14,  # two segments with a gap between
    "rescaled": 0.07,  # consecutive segments with different gains
    "late": 0.07,  # lead II appears some minutes into the window
    "poor": 0.04,  # the electrodes have poor contact
    "short": 0.03,  # recorded for less than five minutes
    "no lead": 0.02,  # other leads only
    "off": 0.03,  # the monitor was taken off long before
}
USABLE = ("whole", "interrupted", "rescaled", "late")


@dataclass(frozen=True)
class Draw:
    """One blood sample, at whole minutes `hours` after admission; `stretch` is the number of its recording or None."""

    hours: float
    potassium: float  # mEq/L in the blood
    reported: float  # mEq/L, as the laboratory gives it, one decimal
    coverage: str | None
    label: int | None  # 1 positive, 0 negative, None neither
    stretch: int | None = None


@dataclass(frozen=True)
class Classes:
    """Which values are positive and which negative, in mEq/L: too much potassium, or too little; and the highest."""

    positive: Range
    negative: Range
    max_potassium: float  # mEq/L, of the sickest patients

    def label(self, reported: float) -> int | None:
        """1 positive, 0 negative, None neither."""
        if self.positive.contains(reported):
            return 1
        return 0 if self.negative.contains(reported) else None

    def positive_level(self, random: np.random.Generator) -> float:
        """The potassium of a positive episode: well beyond the bound, more so if the bound is a lower one.

        One episode in seven is severe: more than 1.4 mEq/L above the bound, and up to `max_potassium`.
        """
        above, below = max(self.positive.above, self.positive.from_), min(self.positive.to, self.positive.below)
        if np.isfinite(above):
            level, severe_from = max(random.normal(above + 0.8, 0.55), above + 0.3), above + 1.4
            if level > severe_from:
                level = severe_from + (self.max_potassium - severe_from) * -np.expm1(-4 * (level - severe_from))
            return float(min(level, self.max_potassium))
        return float(np.clip(random.normal(below - 0.6, 0.2), below - 1.1, below - 0.2))


@dataclass(frozen=True)
class Stretch:
    """One stretch of recording, in hours since admission."""

    start: float
    stop: float


def potassium_course(
    hours: np.ndarray, episodes: list[tuple[float, float]], max_potassium: float, random: np.random.Generator
) -> np.ndarray:
    """Potassium at `hours`, shape (n,), mEq/L, at most `max_potassium`.

    `episodes` are (start hour, level): potassium rises towards the level of the episode within hours (a time constant
    of 4 h), falls to it faster (2 h, as under dialysis or insulin), and wanders about it with a memory of 6 h.
    """
    starts = np.array([start for start, _ in episodes])
    value, wander, last = episodes[0][1], 0.0, hours[0]
    values = np.empty(len(hours))
    for i, hour in enumerate(hours):
        level = episodes[max(0, int(np.searchsorted(starts, hour, side="right")) - 1)][1]
        passed = hour - last
        value = level + (value - level) * np.exp(-passed / (4 if level > value else 2))
        memory = np.exp(-passed / 6)
        wander = wander * memory + 0.25 * np.sqrt(1 - memory**2) * random.standard_normal()
        values[i], last = value + wander, hour
    return np.clip(values, 2.0, max_potassium)


def draws_with_episodes(
    n: int, classes: Classes, noise: float, random: np.random.Generator, mean_hours: float = MEAN_HOURS
) -> list[Draw]:
    """About `n` draws, `mean_hours` apart on average, through several episodes of both kinds.

    At least ten usable ones are of each class. They can also be divided in time: among the last quarter are two usable
    ones of each class.
    """
    tried = (
        _draws(size, _alternating_episodes(classes, random), classes, noise, random, mean_hours) for size in _sizes(n)
    )
    return next(draws for draws in tried if _has_ten_of_each(draws) and _can_be_divided_in_time(draws))


def draws_with_one_episode(
    n: int, classes: Classes, noise: float, random: np.random.Generator, mean_hours: float = MEAN_HOURS
) -> list[Draw]:
    """As `draws_with_episodes`, but all positive draws are consecutive, at the start or at the end."""
    tried = (
        _draws(size, _one_turn(size, 0.46, 0.54, classes, random, mean_hours), classes, noise, random, mean_hours)
        for size in _sizes(n)
    )
    return next(draws for draws in tried if _has_ten_of_each(draws) and _turns(draws) == 1)


def few_draws(n: int, positive: bool, classes: Classes, noise: float, random: np.random.Generator) -> list[Draw]:
    """About `n` draws with at least one usable: a positive one, or a negative one and no positive one."""
    while True:
        size = max(1, n + int(random.integers(-1, 2)))
        episodes = _one_turn(size, 0, 1, classes, random) if positive else [(0, _normal_level(random))]
        draws = _draws(size, episodes, classes, noise, random)
        usable = _labels(draws)
        if positive and 1 in usable:
            return draws
        if not positive and 0 in usable and all(draw.label != 1 for draw in draws):
            return draws


def draws_elsewhere(n: int, classes: Classes, random: np.random.Generator) -> list[Draw]:
    """Draws of an unremarkable stay without any recording."""
    hours = _draw_hours(n, random)
    potassium = potassium_course(hours, [(0, _normal_level(random))], classes.max_potassium, random)
    return _measured(hours, potassium, [None] * n, classes, random)


def stretches_of_recording(
    draws: list[Draw], random: np.random.Generator, label_changes: bool = False
) -> tuple[list[Stretch], list[int]]:
    """Consecutive recordings of about 12 to 48 hours that contain all draws, and the number of each draw's recording.

    They end at random, and the course of potassium has no part in it; with `label_changes` a recording also ends before
    the first draw of another label than those before it.
    """
    stretches, number_of_draw, first = [], [], 0
    while first < len(draws):
        start = draws[first].hours - random.uniform(1.7, 2.4)
        stop = start + min(12 + random.exponential(3), 48)
        after = next((i for i in range(first + 1, len(draws)) if draws[i].hours + 0.1 > stop), len(draws))
        if label_changes:
            after = min(after, _next_label_change(draws, first))
        if after < len(draws):
            stop = min(stop, draws[after].hours - 2.5)
        stop = max(stop, draws[after - 1].hours + 0.1)
        number_of_draw += [len(stretches)] * (after - first)
        stretches.append(Stretch(start, stop))
        first = after
    return stretches, number_of_draw


def _next_label_change(draws: list[Draw], first: int) -> int:
    """The first draw of another label than the first labeled one from `first` on; the number of draws if none."""
    labeled = [i for i in range(first, len(draws)) if draws[i].label is not None]
    return next((i for i in labeled if draws[i].label != draws[labeled[0]].label), len(draws))


def _sizes(n: int) -> Iterator[int]:
    """The numbers of draws to try: `n`, and one more after every hundred failed attempts."""
    return (n + attempt // 100 for attempt in count())


def _draws(
    n: int,
    episodes: list[tuple[float, float]],
    classes: Classes,
    noise: float,
    random: np.random.Generator,
    mean_hours: float = MEAN_HOURS,
) -> list[Draw]:
    hours = _draw_hours(n, random, mean_hours)
    probabilities = np.array(list(COVERAGE.values()))
    probabilities[list(COVERAGE).index("poor")] *= min(noise, 3)
    coverage = random.choice(list(COVERAGE), n, p=probabilities / probabilities.sum())
    potassium = potassium_course(hours, episodes, classes.max_potassium, random)
    return _measured(hours, potassium, coverage.tolist(), classes, random)


def _measured(
    hours: np.ndarray,
    potassium: np.ndarray,
    coverage: list[str | None],
    classes: Classes,
    random: np.random.Generator,
) -> list[Draw]:
    """Draws whose laboratory values have an analytic error of one percent."""
    reported = np.round(potassium * (1 + 0.01 * random.standard_normal(len(potassium))), 1)
    return [
        Draw(*map(float, values), cover, classes.label(values[-1]))
        for *values, cover in zip(hours, potassium, reported, coverage, strict=True)
    ]


def _draw_hours(n: int, random: np.random.Generator, mean_hours: float = MEAN_HOURS) -> np.ndarray:
    """Hours since admission of draws every 3 to 8 hours, or in proportion to another mean, in whole minutes."""
    scale = mean_hours / MEAN_HOURS
    return np.round(random.uniform(6, 20) * 60 + scale * np.cumsum(random.uniform(3 * 60, 8 * 60, n))) / 60


def _alternating_episodes(classes: Classes, random: np.random.Generator) -> list[tuple[float, float]]:
    """Episodes of 18 to 30 hours, alternately positive and not."""
    levels = [classes.positive_level, _normal_level][:: random.choice([1, -1])] * 30
    lengths = random.uniform(18, 30, len(levels))
    return [(float(start), level(random)) for start, level in zip(np.cumsum(lengths) - 18, levels, strict=True)]


def _one_turn(
    n: int, low: float, high: float, classes: Classes, random: np.random.Generator, mean_hours: float = MEAN_HOURS
) -> list[tuple[float, float]]:
    """Two episodes, one of them positive; the change is after a fraction `low` to `high` of the time of `n` draws."""
    before, after = (classes.positive_level(random), _normal_level(random))[:: random.choice([1, -1])]
    return [(0, before), (mean_hours * n * random.uniform(low, high), after)]


def _normal_level(random: np.random.Generator) -> float:
    """The potassium of an episode that is not positive: mostly normal, sometimes slightly below or above."""
    return float(random.choice([np.clip(random.normal(4.2, 0.3), 3.7, 4.7), 3.4, 5.0], p=[0.84, 0.06, 0.1]))


def _turns(draws: list[Draw]) -> int:
    """The number of label changes, without unlabeled draws."""
    labels = np.array([draw.label for draw in draws if draw.label is not None])
    return int(np.count_nonzero(np.diff(labels)))


def _labels(draws: list[Draw]) -> np.ndarray:
    """Labels of the usable labeled draws, in order of time."""
    return np.array([draw.label for draw in draws if draw.coverage in USABLE and draw.label is not None], dtype=int)


def _has_ten_of_each(draws: list[Draw]) -> bool:
    return all(np.bincount(_labels(draws), minlength=2) >= 10)


def _can_be_divided_in_time(draws: list[Draw]) -> bool:
    labels = _labels(draws)
    test, train = labels[-(len(labels) // 4) :], labels[: -(len(labels) * 3 // 8)]
    return all(np.bincount(test, minlength=2) >= 2) and all(np.bincount(train, minlength=2) >= 5)
