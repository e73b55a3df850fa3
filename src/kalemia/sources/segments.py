"""What a WFDB segment's header says about a sample file: where the bytes of its frames lie; and faults of a signal."""

import re
from dataclasses import dataclass

import numpy as np
import wfdb

from kalemia.sources import Fault, UnreadableRecordingError

# Bytes a sample, of the formats in which a sample can be found without those before it.
_SAMPLE_BYTES = {"16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0, "212": 1.5}
_BITS = {"16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12}
_FILE = re.compile(r"[\w-]+\.dat")
FLAT_S = 2.0  # longer than any pause between two beats that this ECG is read for
CLIPPED_SAMPLES = 3


@dataclass(frozen=True)
class SampleFile:
    """One file of a segment: its signals' lines in the header, its frame's size and where the first frame begins."""

    name: str
    rate: str
    lines: tuple[str, ...]
    frame_bytes: float
    offset_bytes: int
    channel: int  # of the lead, among this file's signals

    def first_frame(self, start: int) -> int:
        """The last frame up to `start` that begins with a byte of its own."""
        return start if (start * self.frame_bytes).is_integer() else start - 1

    def byte_span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes, half open, of the frames [start, stop)."""
        first, last = self.first_frame(start) * self.frame_bytes, -(-stop * self.frame_bytes // 1)
        return self.offset_bytes + int(first), self.offset_bytes + int(last)

    def header_of_piece(self, name: str, start: int, stop: int) -> str:
        """A header for a file that holds only the bytes of `byte_span`, from `first_frame` on."""
        first = f"{name} {len(self.lines)} {self.rate} {stop - self.first_frame(start)}"
        return "\n".join([first, *(f"{name}.dat {line}" for line in self.lines)]) + "\n"


def file_of_lead(header: wfdb.Record, channel: int, text: str) -> SampleFile:
    """The file that holds a channel, of a segment's header and its text.

    Raises `UnreadableRecordingError` for a name that leaves the folder and for a format without random access.
    """
    name = header.file_name[channel]
    mine = [i for i, other in enumerate(header.file_name) if other == name]
    format_ = header.fmt[channel]
    if not _FILE.fullmatch(name):
        raise UnreadableRecordingError("unreadable header", f"{header.record_name}: file {name!r}")
    if format_ not in _SAMPLE_BYTES or any(header.skew[i] for i in mine):
        raise UnreadableRecordingError("unreadable file", f"{name}: format {format_} or skew is not supported")
    samples = sum(header.samps_per_frame[i] or 1 for i in mine)
    lines = [line.split(maxsplit=1)[1] for line in text.splitlines() if line.split()[:1] == [name]]
    plain = tuple(re.sub(r"^(\d+(?:x\d+)?)\S*", r"\1", line) for line in lines)
    offset = header.byte_offset[channel] or 0
    return SampleFile(name, f"{header.fs:g}", plain, samples * _SAMPLE_BYTES[format_], offset, mine.index(channel))


def faults_of(digital: np.ndarray, is_missing: np.ndarray, record: wfdb.Record, origin: int) -> list[Fault]:
    """Stretches of one signal's ADC values that show no heart: missing (the format's own marker), clipped at the ends
    of the converter's range for 24 ms or more, flat for 2 s or more; `origin` is where the recording's sample 0 is.
    """
    bits = min(record.adc_res[0] or _BITS[record.fmt[0]], _BITS[record.fmt[0]])
    zero, half = record.adc_zero[0] or 0, 1 << (bits - 1)
    # the lowest value of the format is its marker, so that the lowest reading is the one above
    lowest = max(zero - half, 1 - (1 << (_BITS[record.fmt[0]] - 1)))
    is_clipped = ((digital <= lowest) | (digital >= zero + half - 1)) & ~is_missing
    is_same = np.append(False, (digital[1:] == digital[:-1]) & ~is_missing[1:])
    flat_samples = round(FLAT_S * record.fs)
    spans = [("missing", *span) for span in _runs(is_missing, 1)]
    spans += [("clipped", *span) for span in _runs(is_clipped, CLIPPED_SAMPLES)]
    spans += [("flat", start - 1, stop) for start, stop in _runs(is_same, flat_samples - 1)]
    return [Fault(kind, origin + start, origin + stop) for kind, start, stop in sorted(spans, key=lambda span: span[1])]


def _runs(mask: np.ndarray, shortest: int) -> list[tuple[int, int]]:
    """Half-open runs of True that are `shortest` or longer."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2) if stop - start >= shortest]
