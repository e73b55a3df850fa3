"""The two tables of a user's own recordings: the lines of recordings.csv, and the draws of potassium.csv."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kalemia.core.errors import UserError
from kalemia.sources.csv_tables.lines import Line, read_lines
from kalemia.sources.csv_tables.spellings import MAX_SUBJECT, read_number

RECORDINGS, POTASSIUM = "recordings.csv", "potassium.csv"
ABOUT = "docs/own-recordings.md describes the two files that are needed"
_COMMENTS = ("comments", "comment", "notes", "note", "remarks", "remark", "flags", "flag")
_HEMOLYZED = ("hemolyzed", "haemolysed", "hemolysed", "haemolyzed", "hemolysis", "haemolysis")
_OPTIONAL = ("unit", *_COMMENTS, *_HEMOLYZED)  # columns of potassium.csv
_YES, _NO = ("yes", "y", "true", "1", "1.0", "x"), ("no", "n", "false", "0", "0.0", "none", "")


@dataclass(frozen=True)
class Draw:
    """A line of potassium.csv: `subject` and `value` as written, the others None if there is nothing.

    place: the line, for messages.
    """

    subject: str
    subject_id: int
    time: datetime | None
    value: str
    number: float | None
    unit: str | None
    comments: str | None
    place: str


def table_file(folder: str | Path, name: str) -> Path:
    """The file of a table, gzipped or not; without either, where it should be."""
    paths = (Path(folder) / name, Path(folder) / f"{name}.gz")
    return next((path for path in paths if path.is_file()), paths[0])


def read_recordings(folder: Path, columns: tuple[str, ...]) -> list[Line]:
    """The lines of recordings.csv, which must have some columns."""
    return read_lines(table_file(folder, RECORDINGS), columns, ABOUT, ("start", "lead", "rate", "unit"))


def read_draws(folder: Path) -> list[Draw]:
    """The blood samples of potassium.csv, in its order."""
    lines = read_lines(table_file(folder, POTASSIUM), ("subject", "time", "potassium"), ABOUT, _OPTIONAL)
    return [_draw(line, "potassium") for line in lines]


def read_control(folder: Path, control: str) -> list[Draw]:
    """The values of another analyte in a column of potassium.csv with its name, without remarks on potassium."""
    lines = read_lines(table_file(folder, POTASSIUM), ("subject", "time", control), ABOUT, _OPTIONAL)
    return [replace(_draw(line, control), unit=None, comments=None) for line in lines if line[control]]


def _draw(line: Line, analyte: str) -> Draw:
    value = line[analyte]
    return Draw(
        line["subject"],
        line.subject(),
        line.time("time") if line["time"] else None,
        value,
        _number(line.where, analyte, value),
        line["unit"] or None,
        "; ".join(filter(None, [*(line[name] for name in _COMMENTS), _hemolysis(line)])) or None,
        line.place,
    )


def _number(where: str, analyte: str, text: str) -> float | None:
    """The number of a value; None for words (as ERROR) and bounds (as >10), which `cohort.lab_text` judges."""
    if not re.search(r"\d", text) or re.search(r"[<>\u2264\u2265]|greater|less", text, re.IGNORECASE):
        return None
    try:
        return read_number(text)
    except ValueError as error:
        raise UserError(f"{where}: {analyte} {text!r} {error}") from None


def _hemolysis(line: Line) -> str:
    """ "hemolyzed" if a column of that name says so."""
    for name in _HEMOLYZED:
        text = line[name].lower()
        if text in _YES:
            return "hemolyzed"
        if text not in _NO:
            raise UserError(f"{line.where}: {name} {line[name]!r} is neither yes nor no")
    return ""


def name_subjects(subjects: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Number -> name as first written; raises `UserError` if two names have one number, which is rare."""
    names: dict[int, str] = {}
    for number, name in subjects:
        if names.setdefault(number, name) != name and number > MAX_SUBJECT:
            raise UserError(f"subjects {names[number]!r} and {name!r} cannot be told apart; rename one of them")
    return names


def alike_subjects(some: Iterable[str], others: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ only in case, spaces, hyphens or leading zeros.

    >>> alike_subjects(["AB-3", "C"], ["ab 003", "D"])
    [('AB-3', 'ab 003')]
    """
    by_key = {_plain_name(name): name for name in others}
    return [(name, by_key[_plain_name(name)]) for name in some if _plain_name(name) in by_key]


def _plain_name(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\s_-]", "", name).casefold())


def refuse_mixed_zones(times: dict[str, list[datetime]]) -> bool:
    """Whether the times of some files have a zone; raises `UserError` if some have one and some do not."""
    zones = {time.tzinfo is not None for of_file in times.values() for time in of_file}
    if len(zones) > 1:
        raise UserError(
            f"{' and '.join(times)}: some times have a time zone and some do not; write all of them the same way"
        )
    return True in zones
