"""Read a lead of a CSV file: a column of numbers below its name, and the rate from a column of times, if any."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from isal import igzip, isal_zlib

from kalemia.core.wording import plural
from kalemia.sources import UnreadableRecordingError
from kalemia.sources.csv_tables.records import open_gzipped_or_not
from kalemia.sources.formats.file_signal import FileSignal, find_lead, millivolts, require_file, shortened

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_LINE = 1 << 16
_MAX_BYTES, _MAX_LINES = 1 << 30, 1 << 26  # of a file, which is read as a whole; three days at 250 Hz
_PIECE = 1 << 24  # bytes
_COARSE = 0.002  # relative error of a rate that is of no use
_MAX_GAP_SHARE = 20  # samples and gaps together, in samples
_WORD = re.compile(r"[A-Z]?[a-zµμ]+|[A-Z]+")  # also of elapsedTime
_TIME_WORDS = {"time", "timestamp", "datetime", "elapsed", "utc", "clock"}
_TIME_UNITS = {
    "t", "s", "sec", "secs", "second", "seconds", "ms", "msec", "millis", "millisecond", "milliseconds", "us", "usec",
    "µs", "μs", "micros", "microsecond", "microseconds", "ns", "nsec", "nanos", "nanosecond", "nanoseconds",
}  # fmt: skip
_OTHER_LETTERS = ("T", "S", "s")  # a temperature, a name of a lead
_CLOCK = r"(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+(?:[.]\d+)?)"
_TICKS = (1.0, 1e3, 1e6, 1e9)  # seconds, milliseconds, ... by which of them the rate is sensible
_SENSIBLE_HZ = (50.0, 5000.0)


def read_csv(path: Path, lead: str) -> FileSignal:
    """The column of a lead; where its column of times jumps, samples are missing.

    Gzipped or not. Raises `UnreadableRecordingError` and `FileNotFoundError`.
    """
    require_file(path)
    try:
        return _read(path, lead)
    except (EOFError, isal_zlib.error, igzip.BadGzipFile):
        raise UnreadableRecordingError("unreadable file", f"{path}: is damaged, or its copy was interrupted") from None


def _read(path: Path, lead: str) -> FileSignal:
    names, second_line = _first_lines(path)
    place = find_lead(lead, names, path)
    unit = second_line[place] if len(second_line) == len(names) else None
    if millivolts(unit) is None:
        unit = None
    time_place = _time_place(names, place)
    ecg, times = _columns(path, len(names), place, time_place, n_heading=2 if unit else 1)
    rate_hz = None
    ticks = None if times is None else _ticks(times)
    if ticks is not None and len(ticks) > 2:
        rate_hz, sample = _rate_and_samples(ticks, path)
        spread = np.full(sample[-1] + 1, np.nan)
        spread[sample] = ecg
        ecg = spread
    return FileSignal(
        rate_hz=rate_hz,
        unit=unit,
        n_samples=len(ecg),
        gain=1.0,
        baseline=0,
        read=lambda first, last: ecg[first:last].copy(),
        is_table=True,
    )


def _first_lines(path: Path) -> tuple[list[str], list[str]]:
    """The names in the first line, and the cells of the second, which PhysioNet fills with units."""
    with open_gzipped_or_not(path) as file:
        line, second = file.readline(_MAX_LINE), file.readline(_MAX_LINE)
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UnreadableRecordingError("unreadable header", f"{path}: is not a text file in UTF-8, as CSV is") from None
    if len(line) == _MAX_LINE or "\0" in text:
        raise UnreadableRecordingError("unreadable header", f"{path}: its first line is not a list of column names")
    rows = csv.reader([text, second.decode("latin-1").rstrip("\r\n")])
    names, cells = ([cell.strip().strip("'") for cell in row] for row in (next(rows), next(rows, [])))
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and separator in text:
            raise UnreadableRecordingError(
                "unreadable header",
                f"{path}: looks separated by {called}; write commas between columns and points in decimals",
            )
    return names, cells


def _time_place(names: list[str], lead_place: int) -> int | None:
    """The column of times by its name; one named as a date only if there is no other."""
    words = {i: _WORD.findall(name) for i, name in enumerate(names) if i != lead_place}
    lower = {i: {word.lower() for word in found} for i, found in words.items()}
    times = [
        i
        for i in words
        if lower[i] & _TIME_WORDS or (words[i][:1] and lower[i] <= _TIME_UNITS and words[i][0] not in _OTHER_LETTERS)
    ]
    dates = [i for i in words if "date" in lower[i]]
    return next(iter(times + dates), None)


def _columns(
    path: Path, n_columns: int, place: int, time_place: int | None, n_heading: int
) -> tuple[np.ndarray, "pa.ChunkedArray | None"]:
    """The numbers of the lead's column, NaN where a cell is empty, and the column of times or None."""
    import pyarrow as pa
    import pyarrow.csv as csv_reader

    keys = [str(i) for i in range(n_columns)]  # names may be empty
    chosen = [keys[place]] + ([keys[time_place]] if time_place is not None else [])
    options = csv_reader.ConvertOptions(include_columns=chosen, column_types={keys[place]: pa.float64()})
    read = csv_reader.ReadOptions(column_names=keys, skip_rows=n_heading)
    parse = csv_reader.ParseOptions(
        ignore_empty_lines=n_columns > 1
    )  # with one column each is a sample that is missing
    try:
        with _contents(path) as content:
            lines = pa.BufferReader(content.slice(0, _length_without_last_newlines(content)))
            table = csv_reader.read_csv(lines, convert_options=options, read_options=read, parse_options=parse)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        raise UnreadableRecordingError("unreadable file", _first_mistake(path, n_columns, place)) from None
    times = table[keys[time_place]] if time_place is not None else None
    return table[keys[place]].to_numpy().astype(np.float64, copy=False), times


@contextmanager
def _contents(path: Path) -> Iterator["pa.Buffer"]:
    """The text of a file, in memory only if it is gzipped; raises `UnreadableRecordingError` if it is too long."""
    import pyarrow as pa

    with open_gzipped_or_not(path) as file:
        if isinstance(file, igzip.IGzipFile):
            content = pa.py_buffer(file.read(_MAX_BYTES + 1))
            _check_length(content, path)
            yield content
        else:
            with pa.memory_map(str(path)) as mapped:
                content = mapped.read_buffer()
                _check_length(content, path)
                yield content


def _check_length(content: "pa.Buffer", path: Path) -> None:
    """Refuse what would take gigabytes of memory: a few kilobytes of gzip can be as long."""
    pieces = (content.slice(at, min(_PIECE, len(content) - at)) for at in range(0, len(content), _PIECE))
    if len(content) > _MAX_BYTES or sum(piece.to_pybytes().count(b"\n") for piece in pieces) > _MAX_LINES:
        raise UnreadableRecordingError(
            "unreadable file",
            f"{path}: has more than {_MAX_BYTES >> 20:,} MB or {_MAX_LINES:,} lines of text; divide it, or convert it"
            " to EDF or WFDB",
        )


def _length_without_last_newlines(content: "pa.Buffer") -> int:
    length = len(content)
    while length:
        tail = content.slice(max(0, length - 4096), min(4096, length)).to_pybytes()
        kept = len(tail.rstrip(b"\r\n"))
        length -= len(tail) - kept
        if kept:
            break
    return length


def _first_mistake(path: Path, n_columns: int, place: int) -> str:
    """What is wrong with the first line that cannot be read, in words."""
    with open_gzipped_or_not(path) as file:
        file.readline(_MAX_LINE)
        number = 1
        while line := file.readline(_MAX_LINE):
            number += 1
            text = line.decode("utf-8", errors="replace").rstrip("\r\n")
            if len(line) == _MAX_LINE or "\0" in text:
                return f"{path}, line {number}: is no line of a CSV file"
            cells = next(csv.reader([text]), [])
            if cells and len(cells) != n_columns:
                what = f"has {plural(len(cells), 'field')}, the first line {n_columns}"
                return f"{path}, line {number}: {what}; separate columns by commas, decimals by a point"
            if cells and not _is_number(cells[place]):
                return f"{path}, line {number}: {shortened(cells[place])!r} is not a number"
    return f"{path}: has no numbers below its first line" if number == 1 else f"{path}: a line cannot be read"


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return cell.strip() in ("NA", "N/A", "null", "NULL", "#N/A")
    return True


def _rate_and_samples(ticks: np.ndarray, path: Path) -> tuple[Fraction | None, np.ndarray]:
    """The rate by a column of times (n,), and the number of the sample (n,) at each of them.

    Times are in seconds, milliseconds, microseconds or nanoseconds, whichever makes a sensible rate. The rate is the
    roundest within the resolution of the times, None if they are too coarse.
    """
    step = np.diff(ticks)
    if not np.isfinite(step).all() or (step < 0).any() or step.max() <= 0:
        line = 3 + int(np.argmax(~(step >= 0)))
        raise UnreadableRecordingError(
            "unreadable header", f"{path}, line {line}: its time does not follow that of the line before"
        )
    is_gap = step > 1.5 * np.quantile(step[step > 0], 0.9)  # times that are rounded coarsely repeat
    usual = float(step[~is_gap].mean())
    rates = [tick / usual for tick in _TICKS if _SENSIBLE_HZ[0] <= tick / usual <= _SENSIBLE_HZ[1]]
    if not rates:
        raise UnreadableRecordingError(
            "unreadable header",
            f"{path}: its times are {usual:g} apart, no sensible rate in seconds, milliseconds or microseconds",
        )
    lost = np.where(is_gap, np.rint(step / usual) - 1, 0)
    sample = np.cumsum(np.concatenate([[0.0], 1 + lost]))
    if sample[-1] > _MAX_GAP_SHARE * (len(sample) + 1000 * rates[0]):
        raise UnreadableRecordingError("unreadable header", f"{path}: most of it is missing, by its times")
    tolerance_hz = rates[0] * max(usual, step[~is_gap].max()) / step[~is_gap].sum()
    is_fine = tolerance_hz < _COARSE * rates[0]
    return _roundest(rates[0], tolerance_hz) if is_fine else None, sample.astype(np.int64)


def _ticks(times: "pa.ChunkedArray") -> np.ndarray | None:
    """Times as numbers (n,), float64; None if they are neither numbers nor contain a time of day like 8:30:00.004."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_date(times.type):
        return None
    if pa.types.is_temporal(times.type):
        wide = pa.time64("ns") if pa.types.is_time(times.type) else pa.timestamp("ns")
        nanoseconds = times.cast(wide).cast(pa.int64()).to_numpy()
        return (nanoseconds - nanoseconds[0]).astype(np.float64)
    if pa.types.is_integer(times.type) or pa.types.is_floating(times.type):
        return times.to_numpy().astype(np.float64)
    if not pa.types.is_string(times.type):
        return None
    parts = pc.extract_regex(times, _CLOCK).combine_chunks()
    if parts.null_count:
        return None
    hours, minutes, seconds = (
        pc.replace_substring_regex(part, "^$", "0").cast(pa.float64()) for part in parts.flatten()
    )
    ticks = 3600 * hours.to_numpy() + 60 * minutes.to_numpy() + seconds.to_numpy()
    return ticks + 86_400 * np.cumsum(np.diff(ticks, prepend=ticks[0]) < -43_200)  # beyond midnight


def _roundest(rate_hz: float, tolerance_hz: float) -> Fraction:
    """The number with the fewest decimals within the tolerance."""
    for decimals in range(6):
        rounded = round(rate_hz, decimals)
        if abs(rounded - rate_hz) <= tolerance_hz:
            return Fraction(repr(rounded))
    return Fraction(repr(rate_hz))
