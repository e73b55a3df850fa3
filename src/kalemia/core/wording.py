"""Names, lists and counts as a reader wants them in a sentence."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

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


def plural(n: float, noun: str) -> str:
    """A count or a measure with its noun.

    >>> plural(1034, "draw"), plural(1, "more run"), plural(2, "person"), plural(0.5, "hour")
    ('1,034 draws', '1 more run', '2 people', '0.5 hours')
    """
    if n == 1:
        return f"1 {noun}"
    number = f"{n:,.0f}" if n == int(n) else f"{n:g}"
    return f"{number} {noun.removesuffix('person')}people" if noun.endswith("person") else f"{number} {noun}s"


def list_counts(counts: Mapping[str, int]) -> str:
    """How often each of some things is there, whatever their names.

    >>> list_counts({"implausible value": 1034, "twin": 1})
    'implausible value (1,034), twin (1)'
    """
    return ", ".join(f"{name} ({n:,})" for name, n in counts.items())


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
