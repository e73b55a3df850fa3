"""Sources of recordings: the protocol that every source follows, and the data classes that it returns."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
import pyarrow as pa

from kalemia.core.jobs import track_progress

# why the ledger names a recording that is read all the same
CORRECTED = "corrected by hand"
SHORTER = "shorter than its header says"


@dataclass(frozen=True)
class Segment:
    """A recorded stretch of a recording; samples of the recording, half open."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class Recording:
    """One recording of one subject, as its header describes it.

    layout: the header with the leads of all segments, if there is one; notes: (reason, detail) of what the ledger
    should say although the recording is read.
    """

    subject_id: int
    name: str
    start: datetime
    rate_hz: float
    n_samples: int
    segments: tuple[Segment, ...]
    layout: str | None = None
    notes: tuple[tuple[str, str], ...] = ()

    def sample_at(self, time: datetime) -> int:
        """The sample recorded at `time`; below 0 or beyond the end if the recording does not contain it."""
        return round((time - self.start).total_seconds() * self.rate_hz)

    def recorded_samples(self, start: int, stop: int) -> int:
        """The number of samples of [start, stop) in a segment."""
        return sum(max(0, min(stop, segment.stop) - max(start, segment.start)) for segment in self.segments)


@dataclass(frozen=True)
class LeadSegment:
    """Samples of an excerpt that came from one segment, and their scaling."""

    name: str
    start: int
    stop: int
    gain: float
    baseline: int


@dataclass(frozen=True)
class Fault:
    """A recorded stretch without a usable signal: missing, clipped or flat; samples of the recording, half open."""

    kind: str
    start: int
    stop: int


@dataclass
class LeadExcerpt:
    """One lead between two samples of a recording.

    ecg_mv: float32, NaN where nothing was recorded; segments: those with the lead; faults: by their start;
    problems: why parts of it could not be read, each with one of `kalemia.cohort.inclusion_flow.REASONS`.
    """

    ecg_mv: np.ndarray
    segments: list[LeadSegment] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    problems: list["UnreadableRecordingError"] = field(default_factory=list)


Spans = Sequence[tuple[int, int]]  # samples of a recording, half open


class Source(Protocol):
    """Draws of the analyte, recordings by subject, and one lead of a recording by sample."""

    connections: int
    """The number of headers that may be read at the same time."""
    where: str
    """The folder or the URL of the recordings."""

    def recording_names(self) -> dict[int, list[str]]:
        """The names of every subject's recordings."""

    def start_time(self, name: str) -> datetime:
        """The earliest possible start of a recording, without reading its header."""

    def recording(self, name: str) -> Recording:
        """The recording as its header describes it; raises `UnreadableRecordingError`."""

    def lead_samples(self, recording: Recording, lead: str, start: int, stop: int) -> int:
        """The number of samples of [start, stop) with the lead, according to the headers."""

    def read_lead(self, recording: Recording, lead: str, start: int, stop: int) -> LeadExcerpt:
        """Samples [start, stop) of a lead."""

    def headers_to_fetch(self, names: Iterable[str]) -> list[str]:
        """The recordings for whose header a server must be asked."""

    def bytes_to_fetch(self, recording: Recording, lead: str, spans: Spans, *, is_about: bool = False) -> int:
        """The bytes that `read_lead` would fetch for some spans; `is_about`: an estimate without any request."""

    def stay_offline(self) -> None:
        """Raise `kalemia.sources.storage.NotFetchedError` from now on for what would have to be fetched."""

    def analyte_rows(self, items: Sequence[int]) -> pa.Table:
        """The values of an analyte, in the columns of LABEVENTS."""

    def control_rows(self, control: str) -> pa.Table:
        """As `analyte_rows`, for one of `CONTROL_ANALYTES`."""

    def excluded_by_code(self) -> dict[int, str]:
        """The subjects that are excluded by codes of diagnoses or procedures, and why."""

    def admissions(self) -> dict[int, list[tuple[datetime, datetime]]]:
        """Admission and discharge times of every subject, as far as they are known."""


class UnreadableRecordingError(Exception):
    """A recording, or a part of one, that cannot be used.

    `reason` is one of `kalemia.cohort.inclusion_flow.REASONS`.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def recordings_named(source: Source, names: Iterable[str]) -> dict[str, Recording | UnreadableRecordingError]:
    """Each recording, or why it cannot be read; headers are read in parallel, as many as the source allows."""

    def one(name: str) -> Recording | UnreadableRecordingError:
        try:
            return source.recording(name)
        except UnreadableRecordingError as error:
            return error

    names = list(names)
    with ThreadPoolExecutor(source.connections) as pool:
        return dict(zip(names, track_progress("headers", pool.map(one, names), len(names)), strict=True))
