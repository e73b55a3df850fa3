"""Draws that belong together: runs of one label, and draws that share a recording or an admission."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise


@dataclass(frozen=True)
class Draw:
    """A usable draw of a patient; label 1 positive, 0 negative, None neither."""

    draw_id: int
    time: datetime
    label: int | None
    recording: str | None = None
    admission: int | None = None


def in_time(draws: Sequence[Draw]) -> list[Draw]:
    """The labeled draws in the order of time; draws of one moment in that of their ids."""
    return sorted((draw for draw in draws if draw.label is not None), key=lambda draw: (draw.time, draw.draw_id))


def runs(labeled: Sequence[Draw]) -> list[int]:
    """The run of each draw, numbered from 0: neighbors in time with one label, within one admission.

    `labeled` as `in_time` returns it.
    """
    numbers = [0] * len(labeled)
    for i, (before, draw) in enumerate(pairwise(labeled), start=1):
        same = before.label == draw.label and before.admission == draw.admission
        numbers[i] = numbers[i - 1] + (not same)
    return numbers


def episodes(labeled: Sequence[Draw]) -> list[list[Draw]]:
    """The draws in groups that share neither a run nor a recording with each other, each in the order of time.

    `labeled` as `in_time` returns it. A recording that reaches over two runs joins them.
    """
    keys = [[("run", run)] for run in runs(labeled)]
    for draw, mine in zip(labeled, keys, strict=True):
        if draw.recording is not None:
            mine.append(("recording", draw.recording))
    return _joined(labeled, keys)


def admissions(labeled: Sequence[Draw]) -> list[list[Draw]]:
    """The draws by admission, each in the order of time; draws outside of any admission are one more group."""
    return _joined(labeled, [[draw.admission] for draw in labeled])


def _joined(draws: Sequence[Draw], keys: Sequence[Sequence[Hashable]]) -> list[list[Draw]]:
    """Draws that share a key, directly or by way of others, in one group; groups in the order of their first draw."""
    groups: list[tuple[set[Hashable], list[Draw]]] = []
    for draw, mine in zip(draws, keys, strict=True):
        joined = [group for group in groups if group[0].intersection(mine)]
        groups = [group for group in groups if group not in joined]
        groups.append((set(mine).union(*(names for names, _ in joined)), [*(d for _, g in joined for d in g), draw]))
    return sorted((in_time(group) for _, group in groups), key=lambda group: (group[0].time, group[0].draw_id))
