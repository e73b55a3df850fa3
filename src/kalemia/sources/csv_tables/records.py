"""Records of CSV tables, gzipped or not: quotes are respected, and what is out of place is one line with its number.

Quotes, delimiters and line breaks are found 64 bytes at a time, as bits of a word, after Langdale and Lemire, "Parsing
gigabytes of JSON per second", VLDB Journal 2019: so every byte of a large table is checked while it is decompressed.
"""

import csv
import string
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import igzip, isal_zlib

from kalemia.core.errors import UserError

_READ_BYTES = 1 << 20
_MAX_RECORD_BYTES = 1 << 24  # a longer record is no record but another kind of file, or a quote that is never closed
_GZIP = b"\x1f\x8b"
_ONE, _ALL = np.uint64(1), ~np.uint64(0)


@dataclass(frozen=True)
class RecordBlock:
    """Whole records of a table.

    text: ends with a line break. searchable: the same with a space for every line break inside a field, so that each
    line is a record. first_line: number of the first line in the file, from 1.
    """

    text: bytes
    searchable: bytes
    first_line: int

    @property
    def has_inner_breaks(self) -> bool:
        return self.searchable is not self.text

    def line_at(self, position: int) -> int:
        """Number of the line in the file that holds a byte of `text`."""
        return self.first_line + self.text.count(b"\n", 0, position)

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Line and text of each record; lines that are empty are no records."""
        start = 0
        while start < len(self.text):
            stop = self.searchable.index(b"\n", start) + 1
            if self.text[start:stop].strip(b"\r\n"):
                yield self.line_at(start), self.text[start:stop]
            start = stop


class CsvTable:
    """An open table: `names`, the columns that its first record lists, and the blocks of the records after it.

    Raises `UserError` for a quote or a carriage return out of place, a record of another length than the first, and a
    record of more than 16 MiB.
    """

    def __init__(self, path: Path, file: BinaryIO, pool: ThreadPoolExecutor):
        self.path = path
        self._file, self._pool = file, pool
        head = self._first_record()
        self._n_head_lines = max(1, head.count(b"\n"))
        try:
            text = head.decode("utf-8-sig").lstrip(string.whitespace).rstrip("\r\n") + "\n"
            self._refuse_misplaced(_Marks(text.encode()), self._n_head_lines)
            (names,) = csv.reader(StringIO(text, newline=""), strict=True)
        except UnicodeDecodeError:
            raise UserError(f"{path}: is not a text file in UTF-8") from None
        except csv.Error as error:
            raise UserError(f"{path}: its first line does not list the names of columns ({error})") from None
        self.names = [name.strip() for name in names]

    def place(self, name: str) -> int | None:
        """The place of a column, its name without regard to case; None if there is none."""
        places = [place for place, found in enumerate(self.names) if found.lower() == name.lower()]
        if len(places) > 1:
            raise UserError(f"{self.path}: has two columns named {name}; keep one")
        return places[0] if places else None

    def blocks(self) -> Iterator[RecordBlock]:
        """All records, a few MiB at a time."""
        rest, line = b"", self._n_head_lines + 1
        for piece in self._read_ahead():
            if not (rest or piece):
                return
            marks = _Marks(rest + (piece or b"\n"))
            self._refuse_misplaced(marks, line)
            block = marks.whole_records(line)
            self._refuse_other_lengths(marks, block)
            rest = marks.text[marks.end :]
            line += marks.n_lines
            if len(rest) > _MAX_RECORD_BYTES or (rest and not piece):
                raise UserError(
                    f"{self.path}: line {line}: begins a record that does not end, or not within"
                    f" {_MAX_RECORD_BYTES >> 20} MiB; is it a CSV table, and is a quote not closed?"
                )
            if block.text:
                yield block

    def _first_record(self) -> bytes:
        """The names of the columns, perhaps after empty lines, as which those of white space count."""
        head = self._file.readline(_MAX_RECORD_BYTES)
        while (
            (head.count(b'"') % 2 or not head.strip())
            and len(head) < _MAX_RECORD_BYTES
            and (line := self._file.readline(1 << 16))
        ):
            head += line
        return head

    def _read_ahead(self) -> Iterator[bytes]:
        """The rest of the file in pieces, the last empty; the next is decompressed while one is in use."""
        waiting = self._pool.submit(self._read_lines)
        while piece := waiting.result():
            waiting = self._pool.submit(self._read_lines)
            yield piece
        yield b""

    def _read_lines(self) -> bytes:
        """The next whole lines, so that most pieces end with a record and need not be copied."""
        return self._file.read(_READ_BYTES) + self._file.readline(_MAX_RECORD_BYTES)

    def _refuse_misplaced(self, marks: "_Marks", line: int) -> None:
        position = marks.misplaced()
        if position is not None:
            what = "carriage return" if marks.text[position] == ord("\r") else "quote"
            line += marks.text.count(b"\n", 0, marks.record_start(position))
            raise UserError(
                f"{self.path}: line {line}: has a {what} out of place; put text with quotes, commas or line"
                " breaks in double quotes, and double each quote in it"
            )

    def _refuse_other_lengths(self, marks: "_Marks", block: RecordBlock) -> None:
        """Of the whole block first, because the lengths of its records take longer, and its faults hardly cancel.

        Where they do, whoever reads the fields of each record finds it.
        """
        n_names = len(self.names)
        if marks.n_commas == marks.n_records * (n_names - 1):
            return
        for line, record in block.records():
            refuse_other_length(self.path, line, count_fields(record), n_names)


class _Marks:
    """Where the records and fields of a text end; the text begins with a record and may end within one.

    end: of the last whole record. n_records, n_lines, n_commas: in the whole records; commas between fields alone.
    """

    def __init__(self, text: bytes):
        self.text = text
        self._bytes = np.frombuffer(text, np.uint8)
        self._quotes = self._bits(b'"')
        self._inside = _prefix_xor(self._quotes)  # from the quote that opens to the byte before the one that closes
        self._breaks = self._bits(b"\n")
        self._commas = self._bits(b",") & ~self._inside
        ends = self._breaks & ~self._inside
        self.end = _last_position(ends) + 1
        self.n_records, self.n_lines, self.n_commas = (
            _count_before(bits, self.end) for bits in (ends, self._breaks, self._commas)
        )

    def whole_records(self, first_line: int) -> RecordBlock:
        """The records that end in the text, the first of them at a line of the file."""
        text = self.text[: self.end]
        if self.n_lines == self.n_records:
            return RecordBlock(text, text, first_line)
        searchable = self._bytes[: self.end].copy()
        inner = _positions(self._breaks & self._inside)
        searchable[inner[inner < self.end]] = ord(" ")
        return RecordBlock(text, searchable.tobytes(), first_line)

    def record_start(self, position: int) -> int:
        """The start of the record that holds a position, whole or not."""
        ends = _positions(self._breaks & ~self._inside)
        return max((int(end) + 1 for end in ends[ends < position]), default=0)

    def misplaced(self) -> int | None:
        """The first quote or carriage return that is out of place; None if there is none.

        A quote opens a field at its start and closes it at its end, where two in a row stand for one of the text.
        """
        opening = self._quotes & self._inside
        around = self._breaks | self._commas | self._quotes
        wrong = opening & ~_later(around)
        if b"\r" in self.text:
            returns = self._bits(b"\r")
            wrong |= returns & ~self._inside & ~_earlier(self._breaks)
            around |= returns
        wrong |= (self._quotes ^ opening) & ~_earlier(around)
        # what follows the last byte is not known yet
        return next((int(i) for i in _positions(wrong) if i < len(self.text) - 1), None) if wrong.any() else None

    def _bits(self, byte: bytes) -> np.ndarray:
        packed = np.packbits(self._bytes == ord(byte), bitorder="little")
        padding = -len(packed) % 8
        return (np.append(packed, np.zeros(padding, np.uint8)) if padding else packed).view("<u8")


def records_in(text: bytes) -> list[bytes]:
    """The records of a text without faults that ends with one; lines that are empty are no records."""
    return [record for _, record in _Marks(text).whole_records(1).records()]


def refuse_other_length(path: Path, line: int, n_fields: int, n_names: int) -> None:
    """Raise `UserError` if a record has another number of fields than the first line."""
    if n_fields != n_names:
        raise UserError(
            f"{path}: line {line}: has {'more' if n_fields > n_names else 'fewer'} fields than the first"
            f" line ({n_fields}, not {n_names}); decimals need a point, and text with commas double quotes"
        )


def count_fields(record: bytes) -> int:
    """The number of fields of one record, which ends with a line break."""
    return _Marks(record).n_commas + 1


def _prefix_xor(bits: np.ndarray) -> np.ndarray:
    """Each bit the exclusive or of itself and all before it."""
    bits = bits.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        bits ^= bits << np.uint64(shift)
    is_odd = np.bitwise_xor.accumulate(bits >> np.uint64(63))
    bits[1:] ^= is_odd[:-1] * _ALL
    return bits


def _later(bits: np.ndarray) -> np.ndarray:
    """Each bit moved to the next position; the first becomes set, as after a record."""
    moved = bits << _ONE
    moved[1:] |= bits[:-1] >> np.uint64(63)
    moved[:1] |= _ONE
    return moved


def _earlier(bits: np.ndarray) -> np.ndarray:
    """Each bit moved to the position before."""
    moved = bits >> _ONE
    moved[:-1] |= bits[1:] << np.uint64(63)
    return moved


def _count_before(bits: np.ndarray, position: int) -> int:
    """How many bits before a position are set."""
    word, bit = divmod(position, 64)
    return int(np.bitwise_count(bits[:word]).sum()) + int(bits[word : word + 1].sum() & ((1 << bit) - 1)).bit_count()


def _last_position(bits: np.ndarray) -> int:
    """The position of the last bit that is set, or -1."""
    words = np.flatnonzero(bits)
    return int(words[-1]) * 64 + int(bits[words[-1]]).bit_length() - 1 if len(words) else -1


def _positions(bits: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))


@contextmanager
def open_csv(path: str | Path) -> Iterator[CsvTable]:
    """The table in a CSV file, gzipped or not whatever its name; raises `UserError` for a file that cannot be read."""
    path = Path(path)
    try:
        # the pool ends before the file is closed, so that no thread reads on
        with open_gzipped_or_not(path) as file, ThreadPoolExecutor(1) as pool:
            yield CsvTable(path, file, pool)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (EOFError, isal_zlib.error) as error:
        raise UserError(f"{path}: is damaged ({error}); fetch it again") from None


def open_gzipped_or_not(path: Path) -> BinaryIO:
    """The bytes of a file, decompressed if its first bytes are those of gzip."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == _GZIP
    return igzip.open(path) if is_gzip else path.open("rb")
