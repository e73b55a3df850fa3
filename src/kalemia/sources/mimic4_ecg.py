"""MIMIC-IV: its tables, and the 12-lead ECGs of ten seconds of MIMIC-IV-ECG, local or by HTTP."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.control_analytes import CONTROL_ANALYTES
from kalemia.core.errors import UserError
from kalemia.core.schemas import RATE_HZ
from kalemia.sources import LeadExcerpt, Recording, Segment, Spans, UnreadableRecordingError
from kalemia.sources import mimic_tables as mimic
from kalemia.sources.csv_tables.spellings import MAX_SUBJECT
from kalemia.sources.csv_tables.typed_batches import Column, typed_batches
from kalemia.sources.formats.file_signal import find_lead
from kalemia.sources.formats.wfdb_files import read_header
from kalemia.sources.mimic_layout import RECORD_LIST
from kalemia.sources.sample_files import SampleFile, file_of_lead
from kalemia.sources.signal_files import open_signal, read_excerpt
from kalemia.sources.storage import Storage

SECONDS = 10
_PATH = re.compile(r"files/(?:p\d{4}/)?p(\d+)/s(\d+)/\2", re.ASCII)  # of the demo, and of the whole set
_COLUMNS = {
    "SUBJECT_ID": Column(pa.int32(), never_empty=True, largest=MAX_SUBJECT),
    "ECG_TIME": Column(pa.timestamp("us"), has_clock=True),
    "PATH": Column(pa.string()),
}
_USUAL_BYTES = 121_500  # of an ECG with its header
_MAX_SAMPLES = 10 * 60 * 5000  # of a header that is believed; ten seconds have 5,000


class Mimic4Ecg:
    """The ECGs of a ``record_list.csv``, each a recording of ten seconds, and the folder of MIMIC-IV's tables.

    No header is read before an ECG is: all have the same form.
    """

    def __init__(self, storage: Storage, tables: str | Path | None = None, connections: int = 1):
        self.storage, self.connections = storage, connections
        self._tables = tables

    @property
    def where(self) -> str:
        return self.storage.where

    @property
    def fetched_bytes(self) -> int:
        """Bytes received over the network so far, by this object."""
        return self.storage.fetched_bytes

    def recording_names(self) -> dict[int, list[str]]:
        """Every subject's ECGs as ``files/p10000032/s107143276/107143276``, in the order of the list."""
        names: dict[int, list[str]] = {}
        for name, (subject, _) in self._listed.items():
            names.setdefault(subject, []).append(name)
        return names

    def start_time(self, name: str) -> datetime:
        return self._listed[name][1]

    def recording(self, name: str) -> Recording:
        """Ten seconds at 125 Hz, whatever the rate of the file; nothing is read."""
        if name not in self._listed:
            raise UnreadableRecordingError("no header", f"{name} is not in {RECORD_LIST}")
        subject, start = self._listed[name]
        n_samples = int(SECONDS * RATE_HZ)
        segment = Segment(name.rsplit("/", 1)[-1], 0, n_samples)
        return Recording(subject, name, start, RATE_HZ, n_samples, (segment,))

    def lead_samples(self, recording: Recording, lead: str, start: int, stop: int) -> int:
        """All samples, because every ECG has twelve leads."""
        return recording.recorded_samples(start, stop)

    def read_lead(self, recording: Recording, lead: str, start: int, stop: int) -> LeadExcerpt:
        """Samples [start, stop) at 125 Hz of the lead with this name; NaN beyond the end of a shorter file."""
        try:
            signal = open_signal(self._local_record(recording.name, lead), lead)
            return read_excerpt(signal, recording.segments[0], start, stop, Path(recording.name))
        except FileNotFoundError:
            problem = UnreadableRecordingError("file missing", f"{recording.name}")
        except UnreadableRecordingError as error:
            problem = error
        return LeadExcerpt(np.full(stop - start, np.nan, np.float32), problems=[problem])

    def headers_to_fetch(self, names: Iterable[str]) -> list[str]:
        """None, because no header is read before an ECG is."""
        return []

    def bytes_to_fetch(self, recording: Recording, lead: str, spans: Spans, *, is_about: bool = False) -> int:
        """All of the twelve leads, whatever the spans."""
        name = recording.name
        if is_about and not self.storage.has_header(name):
            return _USUAL_BYTES
        try:
            return self.storage.bytes_to_fetch(name, *self._whole_file(name, lead))
        except (FileNotFoundError, UnreadableRecordingError):
            return 0

    def stay_offline(self) -> None:
        self.storage.stay_offline()

    def analyte_rows(self, items: Sequence[int]) -> pa.Table:
        return mimic.analyte_rows(self._tables, items)

    def control_rows(self, control: str) -> pa.Table:
        return mimic.analyte_rows(self._tables, CONTROL_ANALYTES[control].items)

    def excluded_by_code(self) -> dict[int, str]:
        return mimic.excluded_by_code(self._tables)

    def admissions(self) -> dict[int, list[tuple[datetime, datetime]]]:
        """None: many ECGs are of the emergency department and of visits, so that it is no error to be outside them."""
        return {}

    @cached_property
    def _listed(self) -> dict[str, tuple[int, datetime]]:
        """Path of each ECG -> its subject and time; raises `UserError`."""
        try:
            path = self.storage.local_copy(RECORD_LIST)
        except FileNotFoundError:
            raise UserError(
                f"source.waveforms: {self.storage.where} has no {RECORD_LIST}; is it the folder or URL of MIMIC-IV-ECG?"
            ) from None
        except UnreadableRecordingError as error:
            raise UserError(f"source.waveforms: {error}") from None
        listed = {}
        for batch in typed_batches(path, _COLUMNS, "MIMIC-IV-ECG"):
            for row in batch.to_pylist():
                match = _PATH.fullmatch(row["PATH"] or "")
                if not match or int(match[1]) != row["SUBJECT_ID"] or row["ECG_TIME"] is None:
                    raise UserError(
                        f"{path}: {row['PATH']!r} of subject {row['SUBJECT_ID']} is not an ECG with a time, such as"
                        " files/p10000032/s107143276/107143276"
                    )
                listed[row["PATH"]] = row["SUBJECT_ID"], row["ECG_TIME"]
        return listed

    def _local_record(self, name: str, lead: str) -> Path:
        """A local WFDB record with the whole ECG; raises `FileNotFoundError` and `UnreadableRecordingError`."""
        local, _ = self.storage.samples(name, *self._whole_file(name, lead))
        return Path(f"{local}.hea")

    def _whole_file(self, name: str, lead: str) -> tuple[SampleFile, int, int]:
        """The file with the lead, its first sample and the one after its last; raises as `_local_record` does."""
        path = self.storage.header(name)
        header = read_header(path)
        channel = find_lead(lead, getattr(header, "sig_name", None) or [], Path(name))
        if not 0 < (header.sig_len or 0) <= _MAX_SAMPLES:
            raise UnreadableRecordingError("unreadable header", f"{name}: has {header.sig_len} samples")
        return file_of_lead(header, channel, Path(f"{path}.hea").read_text(encoding="latin-1")), 0, header.sig_len
