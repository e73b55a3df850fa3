"""Where recordings come from: the protocol that every source follows, and what it hands over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording that was really recorded; samples of the recording, half open."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class Recording:
    """One WFDB record of one subject, as its master header describes it."""

    subject_id: int
    name: str
    start: datetime
    rate_hz: float
    n_samples: int
    segments: tuple[Segment, ...]

    def sample_at(self, time: datetime) -> int:
        """The sample recorded at `time`; below 0 or beyond the end where the recording does not reach."""
        return round((time - self.start).total_seconds() * self.rate_hz)

    def recorded_samples(self, start: int, stop: int) -> int:
        """How many samples of [start, stop) lie in a segment."""
        return sum(max(0, min(stop, segment.stop) - max(start, segment.start)) for segment in self.segments)


@dataclass(frozen=True)
class LeadSegment:
    """Which samples of an excerpt came from which segment, and how they were scaled."""

    name: str
    start: int
    stop: int
    gain: float
    baseline: int


@dataclass
class LeadExcerpt:
    """One lead between two samples of a recording.

    ecg_mv: float32, NaN where nothing was recorded; segments: those that hold the lead;
    problems: reasons (of `kalemia.flow.REASONS`) why part of it could not be read.
    """

    ecg_mv: np.ndarray
    segments: list[LeadSegment] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Source(Protocol):
    """Recordings by subject, and one lead of them by sample."""

    def names(self) -> dict[int, list[str]]:
        """The names of every subject's recordings."""

    def recording(self, name: str) -> Recording:
        """What the recording's header says; raises `UnreadableRecordingError`."""

    def read_lead(self, recording: Recording, lead: str, start: int, stop: int) -> LeadExcerpt:
        """Samples [start, stop) of a lead."""


class UnreadableRecordingError(Exception):
    """A recording that cannot be used; `reason` is one of `kalemia.flow.REASONS`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def recordings_of(source: Source, names: Sequence[str]) -> tuple[list[Recording], list[str]]:
    """The recordings that can be read, and the reasons of those that cannot."""
    readable, reasons = [], []
    for name in names:
        try:
            readable.append(source.recording(name))
        except UnreadableRecordingError as error:
            reasons.append(error.reason)
    return readable, reasons
