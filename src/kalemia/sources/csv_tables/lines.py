"""Tables that a person writes, line by line: cells by the names of their columns; each mistake with its line."""

import csv
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from kalemia.core.errors import UserError
from kalemia.sources.csv_tables.records import RecordBlock, open_csv, refuse_other_length
from kalemia.sources.csv_tables.spellings import EMPTY, is_day_alone, read_time, read_whole_number, subject_number


@dataclass(frozen=True)
class Line:
    """A line of a table: its file and number, and its cells by the names of the columns in lower case."""

    file: Path
    number: int
    cells: dict[str, str]

    @property
    def where(self) -> str:
        """For the message of an error."""
        return f"{self.file}: line {self.number}"

    @property
    def place(self) -> str:
        """For lists, for example ``potassium.csv, line 7``."""
        return f"{self.file.name}, line {self.number}"

    def __getitem__(self, column: str) -> str:
        """The text of a cell without spaces around; empty if the column is not there or holds no value."""
        text = self.cells.get(column, "")
        return "" if text in EMPTY else text

    def subject(self, column: str = "subject") -> int:
        """The number of a subject, whatever the form of its name."""
        try:
            return subject_number(self[column])
        except ValueError as error:
            raise UserError(f"{self.where}: {column} {self[column]!r} {error}") from None

    def whole_number(self, column: str, largest: int) -> int:
        """A number from 0 to `largest`."""
        try:
            return read_whole_number(self[column], largest)
        except ValueError as error:
            raise UserError(f"{self.where}: {column} {self[column]!r} {error}") from None

    def time(self, column: str) -> datetime:
        """The time, with its zone if it has one; a day alone is refused, because people forget the time of day."""
        text = self[column]
        try:
            time = read_time(text)
            if is_day_alone(text):
                raise ValueError("is not a time but a day; the time of day is needed, as in 2024-05-17 08:30:00")
            return time.astimezone(UTC) if time.tzinfo else time
        except ValueError as error:
            raise UserError(f"{self.where}: {column} {text!r} {error}") from None


_ALIKE = 0.8  # of a misspelled name: "units" and "unit" have 0.89, "date" and "rate" 0.75


def read_lines(path: Path, columns: tuple[str, ...], about: str, optional: tuple[str, ...] = ()) -> list[Line]:
    """The lines of a CSV file that must have some columns; lines without any value are left out.

    optional: columns that may be there. A name that is nearly one of them is refused, because what it says would be
    ignored. `about` ends the messages about what is missing. Raises `UserError`.
    """
    if not path.is_file():
        raise UserError(f"{path} {says_no_file(path)}; {about}")
    if not path.stat().st_size:
        raise UserError(f"{path} is empty; {about}")
    with open_csv(path) as table:
        missing = [column for column in columns if table.place(column) is None]
        if missing:
            raise UserError(
                f"{path}: has no column {missing[0]!r}; its first line must list {', '.join(columns)}, separated by"
                f" commas; {about}"
            )
        names = [name.lower() for name in table.names]
        _refuse_misspelled(path, names, (*columns, *optional))
        for name in filter(None, names):
            table.place(name)  # raises for a name that occurs twice
        lines = [line for block in table.blocks() for line in _lines_of(path, names, block)]
    return [line for line in lines if any(line.cells.values())]


def says_no_file(path: Path) -> str:
    """What a path is that should be a file and is not."""
    return "is a folder; a file is expected" if path.is_dir() else "does not exist"


def _refuse_misspelled(path: Path, names: list[str], known: tuple[str, ...]) -> None:
    for name in names:
        near = difflib.get_close_matches(name, set(known) - set(names), n=1, cutoff=_ALIKE)
        if name not in known and near:
            raise UserError(f"{path}: has a column {name!r}, which is not read; if it is {near[0]!r}, rename it")


def _lines_of(path: Path, names: list[str], block: RecordBlock) -> Iterator[Line]:
    for number, record in block.records():
        where = f"{path}: line {number}"
        try:
            (cells,) = csv.reader(StringIO(record.decode(), newline=""), strict=True)
        except UnicodeDecodeError:
            raise UserError(f"{where}: is not text in UTF-8") from None
        except csv.Error as error:
            raise UserError(f"{where}: {error}") from None
        refuse_other_length(path, number, len(cells), len(names))
        yield Line(path, number, {name: cell.strip() for name, cell in zip(names, cells, strict=True)})
