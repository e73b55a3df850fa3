"""Recordings of MIMIC-III's matched subset and its clinical tables, in PhysioNet's layout, local or by HTTP."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import wfdb

from kalemia.core.control_analytes import CONTROL_ANALYTES
from kalemia.core.errors import UserError
from kalemia.core.schemas import RATE_HZ
from kalemia.sources import LeadExcerpt, LeadSegment, Recording, Segment, Spans, UnreadableRecordingError
from kalemia.sources import mimic_tables as mimic
from kalemia.sources.formats.file_signal import find_lead, millivolts
from kalemia.sources.formats.wfdb_files import read_header, scale, wfdb_unit
from kalemia.sources.mimic_layout import DATABASE, RECORDINGS
from kalemia.sources.sample_files import SampleFile, file_of_lead
from kalemia.sources.signal_faults import converter_range, faults_of, implausible_amplitude
from kalemia.sources.storage import LocalStorage, Storage

GAP = "~"
_NAME = re.compile(r"p\d\d/p(\d{6})/p\1-(\d{4}(?:-\d\d){4})", re.ASCII)
_MAX_SHOWN = 80  # characters of a wrong line
_USUAL_LEADS = 4  # of a byte a sample, in one file
_SEGMENT = re.compile(r"\d+_(?:\d{4}|layout)")


class PhysioNet:
    """The matched subset, ``mimic3wdb-matched/1.0``, and the folder of the clinical tables."""

    def __init__(self, storage: Storage | str | Path, tables: str | Path | None = None, connections: int = 1):
        self.storage = LocalStorage(Path(storage) / DATABASE) if isinstance(storage, (str, Path)) else storage
        self.connections = connections
        self._tables = tables

    @property
    def where(self) -> str:
        return self.storage.where

    @property
    def fetched_bytes(self) -> int:
        """Bytes received over the network so far, by this object."""
        return self.storage.fetched_bytes

    def recording_names(self) -> dict[int, list[str]]:
        """Every subject's recordings as ``p00/p000020/p000020-2183-04-28-17-47``, each once, in the order of
        RECORDS-waveforms.
        """
        try:
            return self.storage.parse(RECORDINGS, self._names_by_subject)
        except FileNotFoundError:
            why = f"{self.storage.where} has no {RECORDINGS}; is it a mirror of {DATABASE}?"
        except UnreadableRecordingError as error:
            why = str(error)
        raise UserError(f"source.waveforms: {why}")

    def start_time(self, name: str) -> datetime:
        """The minute in which the recording started, from its name."""
        return _start_time(_NAME.fullmatch(name))

    def recording(self, name: str) -> Recording:
        """The master header of a recording; raises `UnreadableRecordingError`."""
        try:
            header = read_header(self.storage.header(name))
            if not isinstance(header, wfdb.MultiRecord):
                raise UnreadableRecordingError("unreadable header", f"{name}: has no segments")
            lengths = [int(length) for length in header.seg_len]
        except FileNotFoundError:
            raise UnreadableRecordingError("no header", name) from None
        except UnreadableRecordingError as error:
            reason = "header not fetched" if error.reason == "HTTP error" else error.reason
            raise UnreadableRecordingError(reason, error.detail) from None
        if header.base_datetime is None:
            raise UnreadableRecordingError("unreadable header", f"{name}: has no start time")
        if header.fs != RATE_HZ:
            raise UnreadableRecordingError("unreadable header", f"{name}: {header.fs} Hz, not {RATE_HZ:g}")
        for segment in header.seg_name:
            if segment != GAP and not _SEGMENT.fullmatch(segment):
                raise UnreadableRecordingError("unreadable header", f"{name}: {segment!r} is not a segment's name")
        stops = np.cumsum(lengths).tolist()
        if (len(stops), stops[-1:]) != (header.n_seg, [header.sig_len]):
            raise UnreadableRecordingError(
                "unreadable header", f"{name}: the lengths of its segments do not add up to its length"
            )
        segments = tuple(
            Segment(segment, stop - length, stop)
            for segment, length, stop in zip(header.seg_name, lengths, stops, strict=True)
            if segment != GAP and length > 0
        )
        layout = header.seg_name[0] if header.seg_name and lengths[0] == 0 else None
        subject_id = int(_NAME.fullmatch(name)[1])
        return Recording(subject_id, name, header.base_datetime, float(header.fs), stops[-1], segments, layout)

    def lead_samples(self, recording: Recording, lead: str, start: int, stop: int) -> int:
        """The samples of [start, stop) in segments whose header lists the lead; none if the layout does not list it.

        A segment with an unreadable header counts as one without the lead.
        """
        folder = recording.name.rsplit("/", 1)[0]
        if not self._may_have(recording, folder, lead):
            return 0
        return sum(
            min(stop, segment.stop) - max(start, segment.start)
            for segment in recording.segments
            if segment.start < stop and segment.stop > start and self._has(f"{folder}/{segment.name}", lead)
        )

    def read_lead(self, recording: Recording, lead: str, start: int, stop: int) -> LeadExcerpt:
        """Samples [start, stop) of a lead, each segment scaled by its own header's gain and baseline.

        Segment by segment, because a variable-layout record with one missing file cannot be read as a whole; no
        segment is read if the layout does not list the lead. Nothing is left of an implausible amplitude.
        """
        excerpt = LeadExcerpt(np.full(stop - start, np.nan, np.float32))
        folder = recording.name.rsplit("/", 1)[0]
        if not self._may_have(recording, folder, lead):
            return excerpt
        for segment in recording.segments:
            first, last = max(start, segment.start), min(stop, segment.stop)
            if first < last:
                read = partial(self._read_segment, excerpt, f"{folder}/{segment.name}", segment, lead, first, last)
                try:
                    read(origin=start)
                except UnreadableRecordingError as error:
                    excerpt.problems.append(error)
                except FileNotFoundError:
                    excerpt.problems.append(UnreadableRecordingError("file missing", f"{folder}/{segment.name}"))
        if what := implausible_amplitude(excerpt.ecg_mv, RATE_HZ):
            # whatever else there is, nothing of this can be used
            excerpt.problems = [UnreadableRecordingError("implausible amplitude", f"{recording.name}: {what}")]
            excerpt.ecg_mv[:] = np.nan
        return excerpt

    def headers_to_fetch(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if not self.storage.has_header(name)]

    def bytes_to_fetch(self, recording: Recording, lead: str, spans: Spans, *, is_about: bool = False) -> int:
        """By the headers of the segments; about that, a byte for each of four leads and sample."""
        folder = recording.name.rsplit("/", 1)[0]
        if isinstance(self.storage, LocalStorage) or not (is_about or self._may_have(recording, folder, lead)):
            return 0
        total = 0
        for (start, stop), segment in product(spans, recording.segments):
            first, last = max(start, segment.start), min(stop, segment.stop)
            if first >= last:
                continue
            record = f"{folder}/{segment.name}"
            if is_about and not self.storage.has_header(record):
                total += _USUAL_LEADS * (last - first)
            elif file := self._file_with(record, lead):
                total += self.storage.bytes_to_fetch(record, file, first - segment.start, last - segment.start)
        return total

    def stay_offline(self) -> None:
        self.storage.stay_offline()

    def analyte_rows(self, items: Sequence[int]) -> pa.Table:
        return mimic.analyte_rows(self._tables, items)

    def control_rows(self, control: str) -> pa.Table:
        return mimic.analyte_rows(self._tables, CONTROL_ANALYTES[control].items)

    def excluded_by_code(self) -> dict[int, str]:
        return mimic.excluded_by_code(self._tables)

    def admissions(self) -> dict[int, list[tuple[datetime, datetime]]]:
        stays: dict[int, list[tuple[datetime, datetime]]] = {}
        for row in mimic.admissions(self._tables).to_pylist():
            if row["ADMITTIME"] and row["DISCHTIME"]:
                stays.setdefault(row["SUBJECT_ID"], []).append((row["ADMITTIME"], row["DISCHTIME"]))
        return stays

    def _names_by_subject(self, records: str) -> dict[int, list[str]]:
        names: dict[int, list[str]] = {}
        for number, line in enumerate(records.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                match = _NAME.fullmatch(line.strip())
                _start_time(match)
            except (TypeError, ValueError):
                shown = line if len(line) <= _MAX_SHOWN else f"{line[:_MAX_SHOWN]}..."
                raise UserError(
                    f"{self.storage.where}/{RECORDINGS}, line {number}: {shown!r} is not the name of a recording,"
                    " such as p00/p000020/p000020-2183-04-28-17-47"
                ) from None
            names.setdefault(int(match[1]), []).append(line.strip())
        return {subject: list(dict.fromkeys(of_subject)) for subject, of_subject in names.items()}

    def _may_have(self, recording: Recording, folder: str, lead: str) -> bool:
        """Whether the layout lists the lead; True if there is no readable layout."""
        try:
            return (
                recording.layout is None
                or lead in _header(self.storage.header(f"{folder}/{recording.layout}")).sig_name
            )
        except (FileNotFoundError, UnreadableRecordingError):
            return True

    def _has(self, record: str, lead: str) -> bool:
        try:
            return lead in _header(self.storage.header(record)).sig_name
        except (FileNotFoundError, UnreadableRecordingError):
            return False

    def _file_with(self, record: str, lead: str) -> SampleFile | None:
        """The file of a segment with the lead; None without one, which `read_lead` reports."""
        try:
            path = self.storage.header(record)
            header = _header(path)
            if lead not in header.sig_name:
                return None
            channel = find_lead(lead, header.sig_name, Path(record))
            return file_of_lead(header, channel, Path(f"{path}.hea").read_text(encoding="latin-1"))
        except (FileNotFoundError, UnreadableRecordingError):
            return None

    def _read_segment(
        self, excerpt: LeadExcerpt, record: str, segment: Segment, lead: str, first: int, last: int, origin: int
    ) -> None:
        path = self.storage.header(record)
        header = _header(path)
        if lead not in header.sig_name:
            return
        if header.fs != RATE_HZ or header.sig_len != segment.stop - segment.start:
            raise UnreadableRecordingError(
                "header disagrees",
                f"{record}: {header.fs:g} Hz and {header.sig_len} samples, not {RATE_HZ:g} and"
                f" {segment.stop - segment.start} as in the recording's header",
            )
        channel = find_lead(lead, header.sig_name, Path(record))
        gain, baseline = scale(header, channel, Path(record))
        unit = wfdb_unit(Path(f"{path}.hea"), channel)
        in_mv = millivolts(unit)
        if in_mv is None:
            raise UnreadableRecordingError("not in millivolts", f"{record}: {unit}")
        file = file_of_lead(header, channel, Path(f"{path}.hea").read_text(encoding="latin-1"))
        n = last - first
        local, offset = self.storage.samples(record, file, first - segment.start, last - segment.start)
        near = file.channel if local != path else channel
        signal = _decoded(local, near, offset, offset + n)
        if n == segment.stop - segment.start and not _sums_up(
            signal, header.checksum[channel] if header.samps_per_frame[channel] == 1 else None
        ):
            raise UnreadableRecordingError("checksum", f"{record}: its samples do not add up to the header's checksum")
        ecg = signal.dac()[:, 0]
        excerpt.ecg_mv[first - origin : last - origin] = ecg * in_mv
        units = np.where(np.isnan(ecg), np.nan, signal.d_signal[:, 0])
        excerpt.faults += faults_of(units, RATE_HZ, first, converter_range(signal))
        excerpt.segments.append(LeadSegment(segment.name, first, last, gain / in_mv, baseline))


def _start_time(name: re.Match | None) -> datetime:
    """The minute in a recording's name; raises `TypeError` if it is no such name, `ValueError` for a wrong date."""
    return datetime(*map(int, name[2].split("-")))


def _header(path: str) -> wfdb.Record:
    """A segment's or a layout's header; raises `FileNotFoundError` and `UnreadableRecordingError`."""
    try:
        header = read_header(path)
    except UnreadableRecordingError as error:
        raise UnreadableRecordingError("unreadable file", error.detail) from None
    header.sig_name = header.sig_name or []
    return header


def _decoded(path: str, channel: int, start: int, stop: int) -> wfdb.Record:
    """ADC values of one channel; raises `FileNotFoundError` and `UnreadableRecordingError`."""
    try:
        return wfdb.rdrecord(path, sampfrom=start, sampto=stop, channels=[channel], physical=False)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise UnreadableRecordingError("unreadable file", f"{path}: {error}") from None


def _sums_up(signal: wfdb.Record, checksum: int | None) -> bool:
    return checksum is None or (int(signal.d_signal.astype(np.int64).sum()) - checksum) % 65536 == 0
