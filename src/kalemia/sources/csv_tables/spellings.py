"""Times, whole numbers and numbers in tables, as databases, pandas, R and people write them; one rule for every table.

Each `read_*` takes the text of one cell and raises `ValueError` with what it must be. Each `*_column` takes strings,
reads the usual spelling as fast as arrow does and all others with `read_*`, and raises `SpellingError`.
"""

import hashlib
import math
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

# What stands for a value that is not there: in SQL and Postgres, pandas, R, and spreadsheets.
EMPTY = ("", "NULL", "null", "\\N", "NaN", "nan", "NaT", "<NA>", "None", "NA", "N/A", "n/a", "#N/A")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d?\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NOT_A_TIME = (
    "is not a time; times are read as 2024-05-17 08:30:00 or 2024-05-17T08:30:00.250, with or without seconds and a"
    " zone; days of a spreadsheet (45429.35) and 5/17/2024 are not, because they have several meanings"
)
# of recordings, of MIMIC's shifted dates, and of births that it moves 300 years back; others are mistakes
_EARLIEST, _LATEST = datetime(1600, 1, 1), datetime(2600, 1, 1)
_USUAL_LENGTH = len("2101-10-20 16:40:00")
DAY_LENGTH = len("2101-10-20")
_MAX_NAME = 64
MAX_SUBJECT = 999_999_999  # MIMIC-IV has eight digits; what is larger does not fit into int32


class SpellingError(Exception):
    """A cell that cannot be read: its row in the column, its text, and what is wrong with it."""

    def __init__(self, row: int, text: str, problem: str):
        super().__init__(problem)
        self.row, self.text, self.problem = row, text, problem


def read_time(text: str) -> datetime:
    """The time that a text says, aware of its zone if it has one; a day alone is its midnight."""
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(_NOT_A_TIME)
    day, minute, second, fraction, zone = match.groups()
    if zone in ("Z", "UTC", "GMT"):
        zone = "+00:00"
    clock = f"{minute or '0:00':0>5}:{second or '00'}.{(fraction or '0')[:6]:0<6}"
    try:
        time = datetime.fromisoformat(f"{day}T{clock}{zone or ''}")
    except ValueError as error:
        raise ValueError(f"is not a time ({error})") from None
    if not _EARLIEST <= time.replace(tzinfo=None) < _LATEST:
        raise ValueError(f"is not a time from {_EARLIEST.year} to {_LATEST.year}")
    return time


def is_day_alone(text: str) -> bool:
    """Whether the text of a time names no time of day."""
    return len(text) <= DAY_LENGTH


def read_whole_number(text: str, largest: int) -> int:
    """A number from 0 to `largest`, also as 100.0 (pandas, of a column with gaps) and 1e+05 (R)."""
    if _NUMBER.fullmatch(text):
        number = Decimal(text)
        if 0 <= number <= largest and number == number.to_integral_value():
            return int(number)
    raise ValueError(f"is not a whole number {whole_numbers_in_words(largest)}")


def subject_number(text: str) -> int:
    """The number of a subject: a whole number of up to nine digits is its own, any other text gets one of ten digits.

    That one follows from the text alone (its SHA-256), so that it stays the same when other subjects come and go.
    """
    if not text:
        raise ValueError("is empty")
    if len(text) > _MAX_NAME or not text.isprintable() or set(text) & set(',"'):
        raise ValueError(f"is not a name of up to {_MAX_NAME} characters without commas and quotes")
    try:
        return read_whole_number(text, MAX_SUBJECT)
    except ValueError:
        digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return 1 + MAX_SUBJECT + digest % (1 + MAX_SUBJECT)


def whole_numbers_in_words(largest: int) -> str:
    """The whole numbers up to a bound, after "a whole number"."""
    return "of up to nine digits" if largest == MAX_SUBJECT else f"from 0 to {largest}"


def read_number(text: str) -> float:
    """A finite number with a point, or none, before its decimals."""
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if math.isfinite(number):
        return number
    raise ValueError("is not a number; decimals need a point, and marks like H or * a column of their own")


def time_column(texts: pa.Array) -> pa.Array:
    """Times without a zone, timestamp[us]; UTC counts as none, and any other zone is refused."""

    def without_zone(text: str) -> datetime:
        time = read_time(text)
        if time.utcoffset():
            raise ValueError("has a time zone; times of the clinical tables have none, so export them without")
        return time.replace(tzinfo=None)

    if _all(pc.equal(pc.binary_length(texts), _USUAL_LENGTH)):
        times = _cast(texts, pa.timestamp("us"))
        if times is not None and _all(pc.and_(pc.greater_equal(times, _EARLIEST), pc.less(times, _LATEST))):
            return times
    return _each(texts, without_zone, pa.timestamp("us"))


def whole_number_column(texts: pa.Array, type_: pa.DataType, largest: int) -> pa.Array:
    """Whole numbers from 0 to `largest` of an integer type."""
    numbers = _cast(texts, type_)
    if numbers is not None and _all(pc.and_(pc.greater_equal(numbers, 0), pc.less_equal(numbers, largest))):
        return numbers
    return _each(texts, lambda text: read_whole_number(text, largest), type_)


def number_column(texts: pa.Array) -> pa.Array:
    """Numbers, float64."""
    numbers = _cast(texts, pa.float64())
    if numbers is not None and _all(pc.is_finite(numbers)):
        return numbers
    return _each(texts, read_number, pa.float64())


def _cast(texts: pa.Array, type_: pa.DataType) -> pa.Array | None:
    """As arrow reads the texts; None where it cannot read one."""
    try:
        return texts.cast(type_)
    except pa.ArrowInvalid:
        return None


def _all(found: pa.BooleanArray) -> bool:
    """Whether all that is known is true."""
    return pc.all(found).as_py() is not False


def _each(texts: pa.Array, read: Callable[[str], object], type_: pa.DataType) -> pa.Array:
    """Every text as `read` reads it, each different one once."""
    encoded, values = texts.dictionary_encode(), []
    for text in encoded.dictionary.to_pylist():
        try:
            values.append(read(text.strip()))
        except ValueError as error:
            raise SpellingError(pc.index(texts, text).as_py(), text, str(error)) from None
    return pa.array(values, type_).take(encoded.indices)
