"""The sample file of a WFDB segment, as its header describes it: the byte positions of frames."""

import re
from dataclasses import dataclass

import wfdb

from kalemia.sources import UnreadableRecordingError

# Bytes per sample, of the formats in which a sample can be found without reading those before it.
_SAMPLE_BYTES = {"16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0, "212": 1.5}
_FILE = re.compile(r"[\w-]+\.dat")


@dataclass(frozen=True)
class SampleFile:
    """One file of a segment: the header lines of its signals, the size of a frame and the offset of the first one."""

    name: str
    rate: str
    lines: tuple[str, ...]
    frame_bytes: float
    offset_bytes: int
    channel: int  # of the lead, among this file's signals

    def first_frame(self, start: int) -> int:
        """The last frame up to `start` that begins at a byte."""
        return start if (start * self.frame_bytes).is_integer() else start - 1

    def byte_span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes, half open, of the frames [start, stop)."""
        first, last = self.first_frame(start) * self.frame_bytes, -(-stop * self.frame_bytes // 1)
        return self.offset_bytes + int(first), self.offset_bytes + int(last)

    def header_of_piece(self, name: str, start: int, stop: int) -> str:
        """A header for a file with only the bytes of `byte_span`, which begin at `first_frame`."""
        first = f"{name} {len(self.lines)} {self.rate} {stop - self.first_frame(start)}"
        return "\n".join([first, *(f"{name}.dat {line}" for line in self.lines)]) + "\n"


def file_of_lead(header: wfdb.Record, channel: int, text: str) -> SampleFile:
    """The file of a channel, from a segment's header and its text.

    Raises `UnreadableRecordingError` for a name that leaves the folder and for a format without random access.
    """
    name = header.file_name[channel]
    in_file = [i for i, other in enumerate(header.file_name) if other == name]
    format_ = header.fmt[channel]
    if not _FILE.fullmatch(name):
        raise UnreadableRecordingError("unreadable header", f"{header.record_name}: file {name!r}")
    if format_ not in _SAMPLE_BYTES or any(header.skew[i] for i in in_file):
        raise UnreadableRecordingError("unreadable file", f"{name}: format {format_} or skew is not supported")
    samples = sum(header.samps_per_frame[i] or 1 for i in in_file)
    lines = [line.split(maxsplit=1)[1] for line in text.splitlines() if line.split()[:1] == [name]]
    plain = tuple(re.sub(r"^(\d+(?:x\d+)?)\S*", r"\1", line) for line in lines)
    offset = header.byte_offset[channel] or 0
    return SampleFile(name, f"{header.fs:g}", plain, samples * _SAMPLE_BYTES[format_], offset, in_file.index(channel))
