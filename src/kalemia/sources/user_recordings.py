"""The user's recordings: a folder with recordings.csv and potassium.csv, in WFDB, EDF, BDF or CSV, at any rate."""

import csv
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.errors import UserError
from kalemia.core.paths import subject_id
from kalemia.core.schemas import RATE_HZ
from kalemia.sources import LeadExcerpt, LeadSegment, Recording, Segment, UnreadableRecordingError
from kalemia.sources.description import SourceDescription
from kalemia.sources.formats.file_signal import is_file
from kalemia.sources.resampling import resampled_samples, resampled_span
from kalemia.sources.signal_faults import check_amplitude
from kalemia.sources.signal_files import SUFFIXES, Signal, faults_of_span, open_signal, parse_rate

log = logging.getLogger(__name__)

RECORDINGS, POTASSIUM = "recordings.csv", "potassium.csv"
_MMOL_SAME_NUMBER = ("mEq/L", "mmol/L")  # for a singly charged ion


class UserRecordingsDescription(SourceDescription):
    """Recordings in a folder with ``recordings.csv``, draws in a folder with ``potassium.csv``."""

    description = "the user's own recordings"

    def input_files(self, subjects: Iterable[str] | None = None) -> list[str]:
        """recordings.csv, and the files that it names for the subjects."""
        files = self._files_by_subject
        chosen = files if subjects is None else map(subject_id, subjects)
        return [f"{self.waveforms}/{RECORDINGS}", *chain.from_iterable(files.get(number, ()) for number in chosen)]

    def cohort_tables(self) -> list[str]:
        return [f"{self.tables_folder}/{POTASSIUM}"]

    def open(self) -> "UserRecordings":
        return UserRecordings(self.waveforms, self.tables_folder)

    @cached_property
    def _files_by_subject(self) -> dict[int, list[str]]:
        """The existing files of every subject; of a WFDB record its header and its `.dat` file."""
        folder = Path(self.waveforms)
        files: dict[int, list[str]] = {}
        for where, line in _lines(folder / RECORDINGS, ("subject", "path")):
            path = folder / line["path"]
            record = str(path).removesuffix(".hea")
            paths = [str(path)] if path.suffix.lower() in SUFFIXES else [f"{record}.hea", f"{record}.dat"]
            files.setdefault(_subject(where, line), []).extend(file for file in paths if is_file(file))
        return files


@dataclass(frozen=True)
class _Row:
    """A line of recordings.csv."""

    subject_id: int
    start: datetime
    path: Path
    lead: str
    rate_hz: Fraction | None
    unit: str | None


class UserRecordings:
    """Recordings named in ``recordings.csv`` below one folder, draws in ``potassium.csv`` below another."""

    connections = 1

    def __init__(self, recordings: str | Path, potassium: str | Path):
        self._folder, self._potassium = Path(recordings), Path(potassium) / POTASSIUM
        lines = _lines(self._folder / RECORDINGS, ("subject", "start", "path", "lead"))
        draws = _lines(self._potassium, ("subject", "time", "potassium"))
        zones = {_zone_of(where, line, "start") for where, line in lines}
        zones |= {_zone_of(where, line, "time") for where, line in draws}
        if len(zones) > 1:
            raise UserError(
                f"{self._folder / RECORDINGS} and {self._potassium}: some times have a time zone and some do not;"
                " write all of them the same way"
            )
        if zones == {False}:
            log.info("times have no time zone: recordings and draws are compared as they are written")
        self._rows: dict[str, _Row] = {}
        for where, line in lines:
            if line["path"] in self._rows:
                raise UserError(f"{where}: {line['path']} is listed twice; list each recording once")
            self._rows[line["path"]] = self._row(where, line)
        self._draws = [_draw(where, line) for where, line in draws]
        self._open: tuple[str, Signal] | None = None

    def recording_names(self) -> dict[int, list[str]]:
        """The paths of every subject's recordings, as in recordings.csv."""
        names: dict[int, list[str]] = {}
        for name, row in self._rows.items():
            names.setdefault(row.subject_id, []).append(name)
        return names

    def start_time(self, name: str) -> datetime:
        return self._rows[name].start

    def recording(self, name: str) -> Recording:
        """One segment, in samples at 125 Hz whatever the rate of the file; raises `UnreadableRecordingError`."""
        row, signal = self._rows[name], self._signal(name)
        n_samples = resampled_samples(signal.n_samples, signal.rate_hz)
        segment = Segment(Path(name).stem, 0, n_samples)
        return Recording(row.subject_id, name, row.start, RATE_HZ, n_samples, (segment,), notes=signal.notes)

    def lead_samples(self, recording: Recording, lead: str, start: int, stop: int) -> int:
        """All recorded samples, because only one lead of a recording is listed."""
        return recording.recorded_samples(start, stop)

    def read_lead(self, recording: Recording, lead: str, start: int, stop: int) -> LeadExcerpt:
        """Samples [start, stop) at 125 Hz of the lead that recordings.csv lists; the configured `lead` is not used."""
        excerpt = LeadExcerpt(np.full(stop - start, np.nan, np.float32))
        try:
            signal = self._signal(recording.name)
            ecg_mv = resampled_span(signal.read_mv, signal.n_samples, signal.rate_hz, start, stop)
            check_amplitude(ecg_mv, RATE_HZ, self._folder / recording.name)
            excerpt.faults += faults_of_span(signal, start, stop)
        except UnreadableRecordingError as error:
            excerpt.problems.append(error)
            return excerpt
        excerpt.ecg_mv[:] = ecg_mv
        (segment,) = recording.segments
        excerpt.segments.append(LeadSegment(segment.name, start, stop, signal.gain_per_mv, signal.baseline))
        return excerpt

    def analyte_rows(self, items: Sequence[int]) -> pa.Table:
        """The draws of potassium.csv as rows of LABEVENTS, all of the first item."""
        columns = {
            "ROW_ID": pa.array(range(1, len(self._draws) + 1), pa.int64()),
            "SUBJECT_ID": pa.array([subject for subject, _, _ in self._draws], pa.int32()),
            "HADM_ID": pa.nulls(len(self._draws), pa.int32()),
            "ITEMID": pa.array([items[0]] * len(self._draws), pa.int32()),
            "CHARTTIME": pa.array([time for _, time, _ in self._draws], pa.timestamp("us")),
            "VALUE": pa.array([value for _, _, value in self._draws], pa.string()),
            "VALUENUM": pa.array([_number(value) for _, _, value in self._draws], pa.float64()),
            "VALUEUOM": pa.nulls(len(self._draws), pa.string()),  # checked when the file was read
        }
        return pa.table(columns)

    def excluded_by_code(self) -> dict[int, str]:
        """Nobody: there are no codes; leave subjects to be excluded out of the files."""
        return {}

    def admissions(self) -> dict[int, list[tuple[datetime, datetime]]]:
        """Unknown."""
        return {}

    def _row(self, where: str, line: dict[str, str]) -> _Row:
        try:
            rate_hz = parse_rate(line.get("rate", ""))
        except ValueError as error:
            raise UserError(f"{where}: {error}") from None
        path, unit = self._folder / line["path"], line.get("unit") or None
        return _Row(_subject(where, line), _time(where, line, "start"), path, line["lead"], rate_hz, unit)

    def _signal(self, name: str) -> Signal:
        """The signal of a recording; the last one stays open, because a subject's draws often share it."""
        if self._open is None or self._open[0] != name:
            row = self._rows[name]
            self._open = (name, open_signal(row.path, row.lead, row.rate_hz, row.unit))
        return self._open[1]


def _lines(path: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    """(where, {column: text}) of every line of a CSV file that must have some columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or [])]
            if missing:
                raise UserError(
                    f"{path}: has no column {missing[0]!r}; its first line must list {', '.join(columns)},"
                    " separated by commas"
                )
            return [(f"{path}, line {reader.line_num}", _cells(path, reader.line_num, line)) for line in reader]
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise UserError(
            f"{path} does not exist; docs/own-recordings.md describes the two files that are needed"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a text file in UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path}: is not separated by commas ({error})") from None


def _cells(path: Path, number: int, line: dict[str | None, str]) -> dict[str, str]:
    if None in line:
        raise UserError(f"{path}, line {number}: has more fields than the first line; decimals need a point")
    return {name: (cell or "").strip() for name, cell in line.items()}


def _subject(where: str, line: dict[str, str]) -> int:
    text = line["subject"]
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise UserError(f"{where}: subject {text!r} is not a whole number of up to six digits")
    return int(text)


def _parsed(where: str, line: dict[str, str], column: str) -> datetime:
    try:
        if len(line[column]) <= len("2024-05-17"):  # only a date, which would be read as midnight
            raise ValueError(line[column])
        return datetime.fromisoformat(line[column])
    except ValueError:
        raise UserError(f"{where}: {column} {line[column]!r} is not a time like 2024-05-17 08:30:00") from None


def _zone_of(where: str, line: dict[str, str], column: str) -> bool:
    return _parsed(where, line, column).tzinfo is not None


def _time(where: str, line: dict[str, str], column: str) -> datetime:
    """The time as written if it has no time zone, otherwise in UTC."""
    time = _parsed(where, line, column)
    try:
        return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise UserError(f"{where}: {column} {line[column]!r} is not a time of this calendar in UTC") from None


def _draw(where: str, line: dict[str, str]) -> tuple[int, datetime, str]:
    unit = line.get("unit") or _MMOL_SAME_NUMBER[0]
    if unit not in _MMOL_SAME_NUMBER:
        raise UserError(f"{where}: unit {unit!r}; potassium is expected in {' or '.join(_MMOL_SAME_NUMBER)}")
    return _subject(where, line), _time(where, line, "time"), line["potassium"]


def _number(text: str) -> float | None:
    try:
        return float(text) if math.isfinite(float(text)) and "_" not in text else None
    except ValueError:
        return None
