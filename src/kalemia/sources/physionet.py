"""Recordings of MIMIC-III's matched subset, from a local mirror in PhysioNet's own layout."""

import re
from pathlib import Path

import numpy as np
import wfdb

from kalemia.errors import UserError
from kalemia.sources import LeadExcerpt, LeadSegment, Recording, Segment, UnreadableRecordingError
from kalemia.tables import RATE_HZ

DATABASE = "mimic3wdb-matched/1.0"
GAP = "~"
_NAME = re.compile(r"p\d\d/p(\d{6})/p\1-\d{4}(?:-\d\d){4}")
_MILLIVOLTS = {"mV": 1.0, "uV": 1e-3, "µV": 1e-3}


class PhysioNet:
    """The matched subset below `waveforms`, the folder that holds ``mimic3wdb-matched/1.0``."""

    def __init__(self, waveforms: str | Path):
        self.root = Path(waveforms) / DATABASE
        if not (self.root / "RECORDS-waveforms").is_file():
            raise UserError(f"source.waveforms: {self.root} holds no RECORDS-waveforms; is it a mirror of {DATABASE}?")

    def names(self) -> dict[int, list[str]]:
        """Every subject's recordings as ``p00/p000020/p000020-2183-04-28-17-47``, in the order of RECORDS-waveforms."""
        names: dict[int, list[str]] = {}
        for number, line in enumerate((self.root / "RECORDS-waveforms").read_text().split("\n"), start=1):
            if not line.strip():
                continue
            match = _NAME.fullmatch(line.strip())
            if not match:
                raise UserError(f"{self.root / 'RECORDS-waveforms'}, line {number}: {line!r} is not a recording's name")
            names.setdefault(int(match[1]), []).append(line.strip())
        return names

    def recording(self, name: str) -> Recording:
        """The master header of a recording; raises `UnreadableRecordingError`."""
        try:
            header = wfdb.rdheader(str(self.root / name))
            lengths = [int(length) for length in header.seg_len]
        except FileNotFoundError:
            raise UnreadableRecordingError("no header", name) from None
        except Exception as error:  # wfdb raises whatever a malformed line leads to
            raise UnreadableRecordingError("unreadable header", f"{name}: {error}") from None
        if header.base_datetime is None:
            raise UnreadableRecordingError("unreadable header", f"{name}: has no start time")
        if header.fs != RATE_HZ:
            raise UnreadableRecordingError("unreadable header", f"{name}: {header.fs} Hz, not {RATE_HZ:g}")
        stops = np.cumsum(lengths).tolist()
        segments = tuple(
            Segment(segment, stop - length, stop)
            for segment, length, stop in zip(header.seg_name, lengths, stops, strict=True)
            if segment != GAP and length > 0
        )
        subject_id = int(_NAME.fullmatch(name)[1])
        return Recording(subject_id, name, header.base_datetime, float(header.fs), stops[-1], segments)

    def read_lead(self, recording: Recording, lead: str, start: int, stop: int) -> LeadExcerpt:
        """Samples [start, stop) of a lead, each segment scaled by its own header's gain and baseline.

        Segment by segment, because a variable-layout record with one missing file cannot be read as a whole.
        """
        excerpt = LeadExcerpt(np.full(stop - start, np.nan, np.float32))
        folder = (self.root / recording.name).parent
        for segment in recording.segments:
            first, last = max(start, segment.start), min(stop, segment.stop)
            if first < last:
                try:
                    self._read_segment(excerpt, folder, segment, lead, first, last, start)
                except UnreadableRecordingError as error:
                    excerpt.problems.append(error.reason)
        return excerpt

    def _read_segment(
        self, excerpt: LeadExcerpt, folder: Path, segment: Segment, lead: str, first: int, last: int, origin: int
    ) -> None:
        path = str(folder / segment.name)
        try:
            header = wfdb.rdheader(path)
            if lead not in (header.sig_name or []):
                return
            channel = header.sig_name.index(lead)
            record = wfdb.rdrecord(
                path, sampfrom=first - segment.start, sampto=last - segment.start, channels=[channel]
            )
        except FileNotFoundError:
            raise UnreadableRecordingError("file missing", path) from None
        except Exception as error:  # wfdb raises whatever a malformed or truncated file leads to
            raise UnreadableRecordingError("unreadable file", f"{path}: {error}") from None
        if record.units[0] not in _MILLIVOLTS:
            raise UnreadableRecordingError("not in millivolts", f"{path}: {record.units[0]}")
        in_mv = _MILLIVOLTS[record.units[0]]
        excerpt.ecg_mv[first - origin : last - origin] = record.p_signal[:, 0] * in_mv
        gain_per_mv = record.adc_gain[0] / in_mv
        excerpt.segments.append(LeadSegment(segment.name, first, last, gain_per_mv, int(record.baseline[0])))
