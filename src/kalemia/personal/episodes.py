"""Group draws: episodes, which are runs of one label, and admissions."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise


@dataclass(frozen=True)
class Draw:
    """A usable draw of a patient; label: 1 positive, 0 negative, None neither."""

    draw_id: int
    time: datetime
    label: int | None
    recording: str | None = None
    admission: int | None = None


def labeled_in_time_order(draws: Sequence[Draw]) -> list[Draw]:
    """The labeled draws sorted by time; draws at the same time by their ids."""
    return sorted((draw for draw in draws if draw.label is not None), key=lambda draw: (draw.time, draw.draw_id))


def run_numbers(labeled: Sequence[Draw]) -> list[int]:
    """Number the run of each draw from 0: consecutive draws with the same label, in the same admission.

    labeled: as `labeled_in_time_order` returns it.
    """
    numbers = [0] * len(labeled)
    for i, (before, draw) in enumerate(pairwise(labeled), start=1):
        same = before.label == draw.label and before.admission == draw.admission
        numbers[i] = numbers[i - 1] + (not same)
    return numbers


def episodes(labeled: Sequence[Draw]) -> list[list[Draw]]:
    """The draws of each run, in the order of time; labeled: as `labeled_in_time_order` returns it."""
    return _by_key(labeled, run_numbers(labeled))


def admissions(labeled: Sequence[Draw]) -> list[list[Draw]]:
    """The draws of each admission, in the order of time."""
    return _by_key(labeled, [draw.admission for draw in labeled])


def _by_key(draws: Sequence[Draw], keys: Sequence[Hashable]) -> list[list[Draw]]:
    groups: dict[Hashable, list[Draw]] = {}
    for draw, key in zip(draws, keys, strict=True):
        groups.setdefault(key, []).append(draw)
    return list(groups.values())
