"""Columns of a CSV table in their types, batch by batch in bounded memory, of all rows or of those of some items."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from kalemia.core.errors import UserError
from kalemia.core.wording import plural
from kalemia.sources.csv_tables.records import CsvTable, RecordBlock, count_fields, open_csv, records_in
from kalemia.sources.csv_tables.spellings import (
    DAY_LENGTH,
    EMPTY,
    SpellingError,
    number_column,
    time_column,
    whole_number_column,
    whole_numbers_in_words,
)

_PARSED_BYTES = 1 << 20


@dataclass(frozen=True)
class Column:
    """Type of a column. largest: bound of whole numbers, if not that of the type. has_clock: its times are no days.

    alias: the name that another release of the database gives it.
    """

    type: pa.DataType
    never_empty: bool = False
    largest: int | None = None
    has_clock: bool = False
    alias: str | None = None

    @property
    def bound(self) -> int:
        return self.largest or int(np.iinfo(self.type.to_pandas_dtype()).max)


@dataclass(frozen=True)
class _Chunk:
    """Whole records, perhaps with line breaks in fields."""

    text: bytes
    has_inner_breaks: bool


def typed_batches(
    path: Path,
    columns: dict[str, Column],
    layout: str,
    optional: tuple[str, ...] = (),
    item_column: str = "",
    items: tuple[int, ...] = (),
) -> Iterator[pa.RecordBatch]:
    """Batches of some columns of a CSV table, gzipped or not.

    Names of columns are found without regard to case. `optional` columns that the table lacks are null. With `items`,
    only rows with one of these numbers in `item_column`: records without any of them are searched and not parsed. A day
    without a time of day is its midnight, as R writes it, but not if a column with a clock holds days alone. `layout`
    names the kind of table in messages. Raises `UserError` for a missing column, a cell that cannot be read, and a
    damaged file, with the number of the line where there is one.
    """
    clocks: dict[str, set[bool]] = {name: set() for name, column in columns.items() if column.has_clock}
    with open_csv(path) as table:
        places = {name: _place(table, name, column) for name, column in columns.items()}
        missing = [name for name, place in places.items() if place is None and name not in optional]
        if missing:
            raise UserError(
                f"{path}: has no column {missing[0]}; is it the comma-separated table of {layout}? Its first line lists"
                f" {', '.join(table.names[:12])[:200]}"
            )
        for chunk in _chunks(table, items):
            try:
                texts, rows = _rows_of_items(chunk, places, len(table.names), item_column, items)
                for name, seen in clocks.items():
                    seen.update(pc.greater(pc.binary_length(texts[name].drop_null()), DAY_LENGTH).unique().to_pylist())
                yield pa.RecordBatch.from_pydict(
                    {name: _typed(name, column, texts[name], rows) for name, column in columns.items()}
                )
            except SpellingError as error:
                record = records_in(chunk.text)[error.row]
                raise UserError(f"{path}: line {_line_of(path, record)}: {error}") from None
    for name, seen in clocks.items():
        if seen == {False}:
            raise UserError(f"{path}: {name} has dates without the time of day, as in 2101-10-20 16:40:00")


def _place(table: CsvTable, name: str, column: Column) -> int | None:
    place = table.place(name)
    return table.place(column.alias) if place is None and column.alias else place


def _rows_of_items(
    chunk: _Chunk, places: dict[str, int | None], n_columns: int, item_column: str, items: tuple[int, ...]
) -> tuple[dict[str, pa.Array], np.ndarray]:
    """The texts of the columns, and the rows of the chunk that they come from."""
    texts = _texts(chunk, [place for place in places.values() if place is not None], n_columns)
    rows = np.arange(len(texts))
    if items:
        numbers = _typed(item_column, Column(pa.int64()), texts[str(places[item_column])], rows)
        rows = np.flatnonzero(pc.is_in(numbers, pa.array(items, pa.int64())))
        texts = texts.take(rows)
    empty = pa.nulls(len(rows), pa.string())
    return {name: empty if place is None else texts[str(place)] for name, place in places.items()}, rows


def _chunks(table: CsvTable, items: tuple[int, ...]) -> Iterator[_Chunk]:
    """All records, or those that mention one of some numbers, in chunks of about a MiB.

    Parsing 28 million lines takes longer than decompressing them, and only a few percent are needed; searching them
    is faster.
    """
    wanted = re.compile("|".join(map(str, items)).encode())
    texts, n_bytes, has_inner_breaks = [], 0, False
    for block in table.blocks():
        text = b"".join(_records_mentioning(block, wanted)) if items else block.text
        texts.append(text)
        n_bytes += len(text)
        has_inner_breaks |= block.has_inner_breaks
        if n_bytes >= _PARSED_BYTES:
            yield _Chunk(b"".join(texts), has_inner_breaks)
            texts, n_bytes, has_inner_breaks = [], 0, False
    if n_bytes:
        yield _Chunk(b"".join(texts), has_inner_breaks)


def _records_mentioning(block: RecordBlock, wanted: re.Pattern[bytes]) -> Iterator[bytes]:
    text, lines, stop = block.text, block.searchable, 0
    for match in wanted.finditer(lines):
        at = match.start()
        if at >= stop:
            start, stop = lines.rfind(b"\n", 0, at) + 1, lines.index(b"\n", at) + 1
            yield text[start:stop]


def _texts(chunk: _Chunk, places: list[int], n_columns: int) -> pa.RecordBatch:
    """The texts of some columns of a chunk, by place; null for what stands for no value."""
    names = [str(place) for place in places]
    convert = csv.ConvertOptions(
        include_columns=names,
        column_types=dict.fromkeys(names, pa.string()),
        null_values=list(EMPTY),
        strings_can_be_null=True,
    )
    try:
        # and not a reader over the file, of which a thread may still read when an error ends the interpreter
        table = csv.read_csv(
            pa.BufferReader(chunk.text),
            read_options=csv.ReadOptions(column_names=[str(i) for i in range(n_columns)]),
            parse_options=csv.ParseOptions(newlines_in_values=chunk.has_inner_breaks),
            convert_options=convert,
        )
    except pa.ArrowInvalid as error:
        for row, record in enumerate(records_in(chunk.text)):
            try:
                record.decode()
            except UnicodeDecodeError:
                raise SpellingError(row, "", "is not text in UTF-8") from None
            if count_fields(record) != n_columns:
                raise SpellingError(row, "", f"has {plural(count_fields(record), 'field')}, not {n_columns}") from None
        raise SpellingError(0, "", str(error).splitlines()[0]) from None
    return table.combine_chunks().to_batches()[0] if len(table) else pa.RecordBatch.from_pylist([], table.schema)


def _typed(name: str, column: Column, texts: pa.Array, rows: np.ndarray) -> pa.Array:
    """A column in its type; `rows` are those of the chunk that its values come from."""
    try:
        if column.never_empty and texts.null_count:
            problem = f"is empty; it must be a whole number {whole_numbers_in_words(column.bound)}"
            raise SpellingError(pc.index(pc.is_null(texts), True).as_py(), "", problem)
        if pa.types.is_timestamp(column.type):
            return time_column(texts)
        if pa.types.is_integer(column.type):
            return whole_number_column(texts, column.type, column.bound)
        return number_column(texts) if pa.types.is_floating(column.type) else texts
    except SpellingError as error:
        cell = f" {error.text!r}" if error.text else ""
        raise SpellingError(int(rows[error.row]), error.text, f"{name}{cell} {error.problem}") from None


def _line_of(path: Path, record: bytes) -> int:
    """The line of the first record with this text."""
    with open_csv(path) as table:
        for block in table.blocks():
            at = (b"\n" + block.text).find(b"\n" + record)
            if at >= 0:
                return block.line_at(at)
    raise AssertionError("a record was read and is not in the table")
