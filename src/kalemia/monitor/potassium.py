"""Values of potassium that are known during a recording, from a CSV file."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kalemia.core.errors import UserError
from kalemia.sources.csv_tables.lines import Line, read_lines
from kalemia.sources.csv_tables.spellings import read_number

_ABOUT = "docs/monitor.md describes it"
_UNITS = ("", "meq/l", "mmol/l")


@dataclass(frozen=True)
class KnownValue:
    """A value of potassium in mEq/L, and when the blood was drawn, in hours since the start of the recording."""

    hours: float
    potassium: float


def read_known_values(path: Path, started: datetime | None) -> list[KnownValue]:
    """The values of a CSV file with the column `potassium`, and `hours` since the start or `time` by the clock.

    started: when the recording began; None if its file does not say. Values before that are left out. Raises
    `UserError`.
    """
    lines = read_lines(path, ("potassium",), _ABOUT)
    values = [_known_value(line, started) for line in lines]
    return sorted((value for value in values if value.hours >= 0), key=lambda value: value.hours)


def _known_value(line: Line, started: datetime | None) -> KnownValue:
    if line["unit"].lower() not in _UNITS:
        raise UserError(f"{line.where}: unit {line['unit']!r} is neither mEq/L nor mmol/L")
    potassium = _number(line, "potassium")
    if line["hours"]:
        return KnownValue(_number(line, "hours"), potassium)
    if not line["time"]:
        raise UserError(f"{line.where}: has neither hours since the start of the recording nor a time")
    if started is None:
        raise UserError(
            f"{line.where}: the recording does not say when it began; write a column hours, since its start, instead"
        )
    return KnownValue((line.time("time").replace(tzinfo=None) - started).total_seconds() / 3600, potassium)


def _number(line: Line, column: str) -> float:
    try:
        return float(read_number(line[column]))
    except ValueError as error:
        raise UserError(f"{line.where}: {column} {line[column]!r} {error}") from None
