"""Names, lists and counts as a reader wants them in a sentence."""

import math
from collections.abc import Iterable, Iterator, Sequence

from kalemia.core.negative_controls import NEGATIVE_CONTROLS
from kalemia.core.settings.data import Range

RESEARCH_USE = "Research use only, not a medical device."  # every output says so
_SPELLINGS = {"ecg": "ECG", "platt": "Platt", "minirocket": "MiniRocket"}


def display_name(name: str) -> str:
    """The name of a baseline or a negative control as a page prints it, for example ``ECG measures``."""
    if name in NEGATIVE_CONTROLS:
        return NEGATIVE_CONTROLS[name].label
    return " ".join(_SPELLINGS.get(word, word) for word in name.split("_"))


def join_with_and(parts: Sequence[str]) -> str:
    """For example ``a, b and c``."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def plural(n: int, noun: str) -> str:
    """For example ``1,034 draws`` or ``1 draw``."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def align_columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Rows of cells as lines of a table with straight columns, for a terminal."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def bounds(range_: Range) -> str:
    """For example ``above 5.5`` or ``from 3.5 to 5``."""
    parts = [(range_.above, "above"), (range_.from_, "from"), (range_.to, "to"), (range_.below, "below")]
    return " ".join(f"{word} {value:g}" for value, word in parts if math.isfinite(value))
