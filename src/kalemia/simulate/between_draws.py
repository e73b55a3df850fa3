"""The minutes between the draws of a recording that is written whole: where they are, and their potassium."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from kalemia.simulate.potassium_course import Draw

AROUND_DRAW = (15, 2)  # minutes before and after a draw that are as its coverage says
PIECE_MINUTES = 20  # potassium and posture are constant for at most so long


def free_pieces(taken: Iterable[tuple[int, int]], n_samples: int, longest: int) -> Iterator[tuple[int, int]]:
    """The samples of a recording outside `taken`, as pieces of at most `longest`: from and to, half open.

    >>> list(free_pieces([(3, 5)], 10, 4))
    [(0, 3), (5, 9), (9, 10)]
    """
    at = 0
    for first, last in [*sorted(taken), (n_samples, n_samples)]:
        for start in range(at, min(first, n_samples), longest):
            yield start, min(start + longest, first, n_samples)
        at = max(at, last)


def moment_between_draws(draws: Sequence[Draw], hours: float, stretch: int) -> Draw:
    """A time at which no blood was drawn, `hours` after admission; potassium is linear from draw to draw."""
    potassium = float(np.interp(hours, [draw.hours for draw in draws], [draw.potassium for draw in draws]))
    return Draw(hours, potassium, potassium, "whole", None, stretch)
