"""The user's recordings: a folder with recordings.csv and potassium.csv, in any format of `signal_files`."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.config import is_url
from kalemia.core.control_analytes import CONTROL_ANALYTES
from kalemia.core.errors import UserError
from kalemia.core.paths import subject_id
from kalemia.core.schemas import RATE_HZ
from kalemia.sources import LeadExcerpt, Recording, Segment, Spans, UnreadableRecordingError
from kalemia.sources.csv_tables.lines import Line, says_no_file
from kalemia.sources.csv_tables.user_tables import (
    ABOUT,
    POTASSIUM,
    RECORDINGS,
    Draw,
    alike_subjects,
    name_subjects,
    read_control,
    read_draws,
    read_recordings,
    refuse_mixed_zones,
    table_file,
)
from kalemia.sources.description import LoneSubjects, RecordingRow, SourceDescription, says_no_folder
from kalemia.sources.formats.file_signal import is_file
from kalemia.sources.resampling import resampled_samples
from kalemia.sources.signal_files import Signal, Stated, file_kind, open_signal, parse_rate, read_excerpt

log = logging.getLogger(__name__)

_N_PIECES, _PIECE_S = 5, 10  # of a recording that `kalemia check` looks at


class UserRecordingsDescription(SourceDescription):
    """Recordings in a folder with ``recordings.csv``, draws in a folder with ``potassium.csv``."""

    description = "the user's own recordings"
    shares_draw_ids = False  # they are lines of a file

    def check(self) -> None:
        """As of every source; a folder that is not there is most often the one that the study file came with."""
        for key, place in (("waveforms", self.study.source.waveforms), ("tables", self.study.source.tables)):
            if place and not is_url(place) and not Path(place).is_dir():
                advice = "edit a copy of studies/own.yaml, or add --config 'source={waveforms: FOLDER, tables: FOLDER}'"
                raise UserError(f"config: source.{key}: {place} {says_no_folder(place)}; name your folder: {advice}")
        super().check()

    def input_files(self, subjects: Iterable[str] | None = None) -> list[str]:
        """recordings.csv, and the files that it names for the subjects."""
        files = self._files_by_subject
        chosen = files if subjects is None else map(subject_id, subjects)
        return [
            str(table_file(self.waveforms, RECORDINGS)),
            *chain.from_iterable(files.get(number, ()) for number in chosen),
        ]

    def missing_files(self) -> list[str]:
        """Of its two tables; a missing recording stops no study."""
        return [
            f"{path} {says_no_file(path)}; {ABOUT}"
            for path in (table_file(self.waveforms, RECORDINGS), table_file(self.tables_folder, POTASSIUM))
            if not path.is_file()
        ]

    def cohort_tables(self) -> list[str]:
        if missing := self.missing_files():
            raise UserError(missing[0])
        return [str(table_file(self.tables_folder, POTASSIUM))]

    def open(self) -> "UserRecordings":
        return self._source

    def recording_rows(self) -> Iterator[RecordingRow]:
        source = self.open()
        for name in chain.from_iterable(source.recording_names().values()):
            place, lead = source.place_of(name), source.lead_of(name)
            try:
                source.recording(name)
                signal = source.check_pieces(name)
            except UnreadableRecordingError as error:
                detail = error.detail.removeprefix(f"{Path(self.waveforms) / name}: ")
                yield RecordingRow(name, place, lead, notes=detail, reason=error.reason)
                continue
            minutes = f"{signal.n_samples / float(signal.rate_hz) / 60:.1f}"
            notes = "; ".join(reason for reason, _ in signal.notes)
            yield RecordingRow(name, place, lead, f"{float(signal.rate_hz):g} Hz", signal.unit, minutes, notes)

    def lone_subjects(self) -> LoneSubjects:
        source = self.open()
        recorded, drawn = set(source.recording_names()), source.drawn_subjects()
        without_recording, without_draw = (
            [name for number, name in source.subject_names.items() if number in lone]
            for lone in (drawn - recorded, recorded - drawn)
        )
        return LoneSubjects(without_recording, without_draw, alike_subjects(without_draw, without_recording))

    def subject_names(self) -> dict[int, str]:
        return self.open().subject_names

    @cached_property
    def _source(self) -> "UserRecordings":
        return UserRecordings(self.waveforms, self.tables_folder)

    @cached_property
    def _files_by_subject(self) -> dict[int, list[str]]:
        """The existing files of every subject; of a WFDB record its header and its `.dat` file."""
        folder = Path(self.waveforms)
        files: dict[int, list[str]] = {}
        for line in read_recordings(folder, ("subject", "path")):
            path = folder / line["path"]
            record = str(path).removesuffix(".hea")
            paths = [str(path)] if file_kind(path) else [f"{record}.hea", f"{record}.dat"]
            files.setdefault(line.subject(), []).extend(file for file in paths if is_file(file))
        return files


@dataclass(frozen=True)
class _Row:
    """A line of recordings.csv."""

    subject_id: int
    start: datetime
    path: Path
    lead: str
    stated: Stated
    place: str


class UserRecordings:
    """Recordings named in ``recordings.csv`` below one folder, draws in ``potassium.csv`` below another.

    subject_names: what these files call each subject.
    """

    connections = 1

    def __init__(self, recordings: str | Path, potassium: str | Path):
        self.where = str(recordings)
        self._folder, self._tables = Path(recordings), Path(potassium)
        lines = read_recordings(self._folder, ("subject", "start", "path", "lead"))
        self._draws = read_draws(self._tables)
        starts = [line.time("start") for line in lines]
        times = [draw.time for draw in self._draws if draw.time]
        if not refuse_mixed_zones({str(self._folder / RECORDINGS): starts, str(self._tables / POTASSIUM): times}):
            log.info("times have no time zone: recordings and draws are compared as they are written")
        self._rows: dict[str, _Row] = {}
        for line, start in zip(lines, starts, strict=True):
            if line["path"] in self._rows:
                raise UserError(f"{line.where}: {line['path']} is listed twice; list each recording once")
            self._rows[line["path"]] = self._row(line, start)
        called = [(line.subject(), line["subject"]) for line in lines]
        self.subject_names = name_subjects([*called, *((draw.subject_id, draw.subject) for draw in self._draws)])
        self._open: tuple[str, Signal] | None = None
        self._recordings: dict[str, Recording] = {}

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
        if name not in self._recordings:  # opening a file takes long: all of it is compared with its checksum
            row, signal = self._rows[name], self.signal(name)
            n_samples = resampled_samples(signal.n_samples, signal.rate_hz)
            segment = Segment(Path(name).stem, 0, n_samples)
            about = row.subject_id, name, row.start, RATE_HZ, n_samples, (segment,)
            self._recordings[name] = Recording(*about, notes=signal.notes)
        return self._recordings[name]

    def drawn_subjects(self) -> set[int]:
        """The subjects of potassium.csv."""
        return {draw.subject_id for draw in self._draws}

    def check_pieces(self, name: str) -> Signal:
        """A recording's signal, whose ECG is looked at in five short pieces; raises `UnreadableRecordingError`."""
        signal = self.signal(name)
        length = _PIECE_S // 2 * int(2 * signal.rate_hz)  # whole stretches, as the amplitude is judged by
        starts = np.linspace(0, max(0, signal.n_samples - length), _N_PIECES).astype(int).tolist()
        pieces_mv = [signal.read_mv(start, min(start + length, signal.n_samples)) for start in starts]
        signal.check_amplitude(np.concatenate(pieces_mv), float(signal.rate_hz), self._rows[name].path)
        return signal

    def place_of(self, name: str) -> str:
        """The line of recordings.csv that names a recording."""
        return self._rows[name].place

    def lead_of(self, name: str) -> str:
        """The lead that recordings.csv lists for a recording."""
        return self._rows[name].lead

    def lead_samples(self, recording: Recording, lead: str, start: int, stop: int) -> int:
        """All recorded samples, because only one lead of a recording is listed."""
        return recording.recorded_samples(start, stop)

    def read_lead(self, recording: Recording, lead: str, start: int, stop: int) -> LeadExcerpt:
        """Samples [start, stop) at 125 Hz of the lead that recordings.csv lists; the configured `lead` is not used."""
        try:
            signal = self.signal(recording.name)
            return read_excerpt(signal, recording.segments[0], start, stop, self._folder / recording.name)
        except UnreadableRecordingError as error:
            return LeadExcerpt(np.full(stop - start, np.nan, np.float32), problems=[error])

    def headers_to_fetch(self, names: Iterable[str]) -> list[str]:
        return []

    def bytes_to_fetch(self, recording: Recording, lead: str, spans: Spans, *, is_about: bool = False) -> int:
        return 0

    def stay_offline(self) -> None:
        pass

    def analyte_rows(self, items: Sequence[int]) -> pa.Table:
        """The draws of potassium.csv as rows of LABEVENTS, all of the first item."""
        return _lab_rows(self._draws, items[0])

    def control_rows(self, control: str) -> pa.Table:
        """The column of this name in potassium.csv."""
        return _lab_rows(read_control(self._tables, control), CONTROL_ANALYTES[control].items[0])

    def excluded_by_code(self) -> dict[int, str]:
        """Nobody: there are no codes; leave subjects to be excluded out of the files."""
        return {}

    def admissions(self) -> dict[int, list[tuple[datetime, datetime]]]:
        """Unknown."""
        return {}

    def _row(self, line: Line, start: datetime) -> _Row:
        try:
            rate_hz = parse_rate(line["rate"])
        except ValueError as error:
            raise UserError(f"{line.where}: {error}") from None
        stated = Stated(rate_hz, line["unit"] or None, f"column {{}} of {line.place}")
        path = self._folder / line["path"]
        return _Row(line.subject(), _without_zone(start), path, line["lead"], stated, line.place)

    def signal(self, name: str) -> Signal:
        """The signal of a recording; the last one stays open, because a subject's draws often share it.

        Raises `UnreadableRecordingError`.
        """
        if self._open is None or self._open[0] != name:
            row = self._rows[name]
            try:
                self._open = (name, open_signal(row.path, row.lead, row.stated))
            except UnreadableRecordingError as error:
                if error.reason != "no lead":
                    raise
                advice = f"; name one of them in column lead of {row.place}"
                raise UnreadableRecordingError(error.reason, error.detail + advice) from None
        return self._open[1]


def _without_zone(time: datetime | None) -> datetime | None:
    """The time as written if it has no zone, otherwise in UTC."""
    return time and time.replace(tzinfo=None)


def _lab_rows(draws: Sequence[Draw], item: int) -> pa.Table:
    """Blood samples as rows of LABEVENTS."""
    columns = {
        "ROW_ID": pa.array(range(1, len(draws) + 1), pa.int64()),
        "SUBJECT_ID": pa.array([draw.subject_id for draw in draws], pa.int32()),
        "HADM_ID": pa.nulls(len(draws), pa.int32()),
        "ITEMID": pa.array([item] * len(draws), pa.int32()),
        "CHARTTIME": pa.array([_without_zone(draw.time) for draw in draws], pa.timestamp("us")),
        "VALUE": pa.array([draw.value for draw in draws], pa.string()),
        "VALUENUM": pa.array([draw.number for draw in draws], pa.float64()),
        "VALUEUOM": pa.array([draw.unit for draw in draws], pa.string()),
        "COMMENTS": pa.array([draw.comments for draw in draws], pa.string()),
        "PLACE": pa.array([draw.place for draw in draws], pa.string()),
    }
    return pa.table(columns)
