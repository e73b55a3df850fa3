"""VitalDB: every case a recording that begins with the case, and laboratory values in seconds from its beginning."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.control_analytes import CONTROL_ANALYTES
from kalemia.core.schemas import RATE_HZ
from kalemia.sources import LeadExcerpt, Recording, Segment, Spans, UnreadableRecordingError
from kalemia.sources.signal_files import Signal, open_signal, read_excerpt
from kalemia.sources.vitaldb.case_files import CaseFiles
from kalemia.sources.vitaldb.case_tables import Case, lab_rows

# The ECG has ten bits: -4.96 to 4.88 mV in steps of 0.00987 mV, measured on four cases. Waves are cut off at the ends.
_LIMITS_MV = (-4.95, 4.87)
_USUAL_BYTES = 15_000_000  # of a case's file: all 6,388 have 95.4 GB


class Vitaldb:
    """Some cases, their files, and the table of laboratory values; no file is opened before its ECG is read."""

    connections = 1

    def __init__(self, cases: Sequence[Case], files: CaseFiles, labs: str | Path):
        self._cases = {case.name: case for case in cases}
        self._files, self._labs = files, labs
        self._open: tuple[str, Signal | UnreadableRecordingError] | None = None

    @property
    def where(self) -> str:
        return self._files.where

    @property
    def fetched_bytes(self) -> int:
        """Bytes received over the network so far, by this object."""
        return self._files.fetched_bytes

    def recording_names(self) -> dict[int, list[str]]:
        """Every subject's cases as ``0003.vital``."""
        names: dict[int, list[str]] = {}
        for name, case in self._cases.items():
            names.setdefault(case.subject_id, []).append(name)
        return names

    def start_time(self, name: str) -> datetime:
        return self._cases[name].start

    def recording(self, name: str) -> Recording:
        """From the start of the case to its end at 125 Hz, as the table says; raises `UnreadableRecordingError`."""
        if name not in self._cases:
            raise UnreadableRecordingError("no header", f"{name} is not among the study's cases")
        case = self._cases[name]
        n_samples = int(case.seconds * RATE_HZ)
        return Recording(case.subject_id, name, case.start, RATE_HZ, n_samples, (Segment(name, 0, n_samples),))

    def lead_samples(self, recording: Recording, lead: str, start: int, stop: int) -> int:
        """All samples, because a person's cases do not overlap."""
        return recording.recorded_samples(start, stop)

    def read_lead(self, recording: Recording, lead: str, start: int, stop: int) -> LeadExcerpt:
        """Samples [start, stop) at 125 Hz of the lead, such as ``SNUADC/ECG_II``; NaN beyond the end of the file."""
        try:
            signal = self._signal(recording.name, lead)
            return read_excerpt(signal, recording.segments[0], start, stop, Path(recording.name))
        except UnreadableRecordingError as error:
            return LeadExcerpt(np.full(stop - start, np.nan, np.float32), problems=[error])

    def headers_to_fetch(self, names: Iterable[str]) -> list[str]:
        """None: the table of cases says when each begins and ends."""
        return []

    def bytes_to_fetch(self, recording: Recording, lead: str, spans: Spans, *, is_about: bool = False) -> int:
        """The whole file of the case, whatever the spans."""
        number = self._cases[recording.name].number
        if self._files.has(number, lead):
            return 0
        size = None if is_about else self._files.size(number)
        return _USUAL_BYTES if size is None else size

    def stay_offline(self) -> None:
        """Nothing is fetched before an ECG is read."""

    def analyte_rows(self, items: Sequence[int]) -> pa.Table:
        return pa.concat_tables(lab_rows(self._labs, self._cases.values(), item) for item in items)

    def control_rows(self, control: str) -> pa.Table:
        return self.analyte_rows(CONTROL_ANALYTES[control].items)

    def excluded_by_code(self) -> dict[int, str]:
        """The people with fibrillation, flutter or a pacemaker in the ECG before any of their operations."""
        return {case.subject_id: case.excluded for case in self._cases.values() if case.excluded}

    def admissions(self) -> dict[int, list[tuple[datetime, datetime]]]:
        """Not needed: every recording is within its admission."""
        return {}

    def _signal(self, name: str, lead: str) -> Signal:
        """The signal of a case; the last one stays open, because a subject's draws often share it."""
        if self._open is None or self._open[0] != f"{name} {lead}":
            try:
                path = self._files.path(self._cases[name].number, lead)
                found = replace(open_signal(path, lead), limits_mv=_LIMITS_MV)
            except FileNotFoundError:
                found = UnreadableRecordingError("file missing", name)
            except UnreadableRecordingError as error:
                found = error
            self._open = f"{name} {lead}", found
        if isinstance(self._open[1], UnreadableRecordingError):
            raise self._open[1]
        return self._open[1]
