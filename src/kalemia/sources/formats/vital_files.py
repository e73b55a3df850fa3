"""Read a track of a `.vital` file of VitalDB: Vital Recorder's format, version 3, streaming or packed.

Format: github.com/snuhvitallab/vitaldb-docs, VitalRecorder/Vital_File_Format.md. The library vitaldb is not used: see
docs/dependencies.md.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
from isal import igzip, isal_zlib

from kalemia.sources import UnreadableRecordingError
from kalemia.sources.formats.file_signal import FileSignal, find_lead, is_lead, require_file

EPOCH = datetime(2100, 1, 1, tzinfo=UTC)  # the start of every case of VitalDB, which hides the date of surgery
_EPOCH_S = EPOCH.timestamp()
_MAX_S = 48 * 3600  # no case is as long
_BEFORE_S = 3600.0
_SAME_PLACE_S = 0.01  # a packet that begins so close to the end of the one before continues it
_MAX_PACKET_BYTES = 1 << 30
_VERSION, _WAVE, _TRACK, _RECORD, _DEVICE = 3, 1, 0, 1, 9
_HEADER = struct.pack("<4sIH10x", b"VITA", _VERSION, 10)  # of a file that is written here: ten bytes that say nothing
# format of samples -> type, and what stands for a missing sample (VitalRecorder/Vital_File_Format.md, packed mode)
_FORMATS = {
    1: ("<f4", None), 2: ("<f8", None), 3: ("<i1", -128), 4: ("<u1", 255), 5: ("<i2", -32768), 6: ("<u2", 65535),
    7: ("<i4", -(1 << 31)), 8: ("<u4", (1 << 32) - 1),
}  # fmt: skip
_FLOATS = (1, 2)


@dataclass
class _Track:
    """A wave; `pieces`: time in seconds and samples of each packet, kept of the wanted lead alone."""

    name: str
    unit: str
    format: int
    rate_hz: float
    gain: float  # units per ADC unit
    offset: float
    pieces: list[tuple[float, np.ndarray]] = field(default_factory=list)


def read_vital(path: Path, lead: str) -> FileSignal:
    """A wave by its device and name, as `SNUADC/ECG_II`; sample 0 is the start of the case, 2100-01-01.

    Raises `UnreadableRecordingError`, also for a file that is damaged anywhere, and `FileNotFoundError`.
    """
    tracks: dict[int, _Track] = {}
    for kind, content, track in _packets_and_tracks(path, lead, tracks):
        if kind == _RECORD and track:
            with _as_unreadable(path):
                n_info, time_s = struct.unpack_from("<Hd", content)
                track.pieces.append((time_s, _samples(content, 2 + n_info, track.format)))
    found = list(tracks.values())
    return _signal(found[find_lead(lead, [track.name for track in found], path)], path)


def extract_lead(path: Path, lead: str, target: Path) -> None:
    """Write a `.vital` file with the records of one lead alone, which `read_vital` reads as it does the whole file.

    The other tracks are named in it still. Raises as `read_vital`; a lead that is not there is no error yet.
    """
    with target.open("wb") as file, igzip.IGzipFile("", "wb", fileobj=file, mtime=0) as compressed:
        compressed.write(_HEADER)
        for kind, content, track in _packets_and_tracks(path, lead, {}):
            if track or kind in (_DEVICE, _TRACK):
                compressed.write(struct.pack("<BI", kind, len(content)) + content)


def _packets_and_tracks(path: Path, lead: str, tracks: dict[int, _Track]) -> Iterator[tuple[int, bytes, _Track | None]]:
    """Kind and content of each packet, with the track of a record of the lead; `tracks` gets the waves by number."""
    require_file(path)
    devices: dict[int, str] = {}
    for kind, content in _packets(path):
        track = None
        with _as_unreadable(path):
            if kind == _DEVICE:
                number, at = struct.unpack_from("<I", content)[0], 4
                type_, at = _text(content, at)
                devices[number] = _text(content, at)[0] or type_
            elif kind == _TRACK and content[2] == _WAVE:
                tracks[struct.unpack_from("<H", content)[0]] = _track(content, devices)
            elif kind == _RECORD:
                track = tracks.get(struct.unpack_from("<HdH", content)[2])
                track = track if track and is_lead(track.name, lead) else None
        yield kind, content, track


@contextmanager
def _as_unreadable(path: Path) -> Iterator[None]:
    """What a malformed packet raises, as `UnreadableRecordingError`."""
    try:
        yield
    except (struct.error, IndexError, KeyError, ValueError, UnicodeDecodeError):
        raise UnreadableRecordingError("unreadable file", f"{path}: has a packet that cannot be read") from None


def _packets(path: Path) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each packet; the checksum of the whole file has been compared after the last."""
    try:
        with igzip.open(path, "rb") as file:
            sign, version, n_header = struct.unpack("<4sIH", _read(file, 10, path))
            if sign != b"VITA" or version != _VERSION:
                raise UnreadableRecordingError("unreadable header", f"{path}: is not a .vital file of version 3")
            _read(file, n_header, path)
            while start := file.read(5):
                kind, length = struct.unpack("<BI", start + _read(file, 5 - len(start), path))
                if length > _MAX_PACKET_BYTES:
                    raise UnreadableRecordingError("unreadable file", f"{path}: has a packet of {length} bytes")
                yield kind, _read(file, length, path)
    except EOFError:
        raise UnreadableRecordingError("truncated file", f"{path}: ends before its last packet does") from None
    except (igzip.BadGzipFile, isal_zlib.error):
        raise UnreadableRecordingError("unreadable file", f"{path}: is damaged, or not a .vital file") from None


def _read(file: igzip.IGzipFile, n_bytes: int, path: Path) -> bytes:
    content = file.read(n_bytes)
    if len(content) < n_bytes:
        raise UnreadableRecordingError("truncated file", f"{path}: ends within a packet")
    return content


def _track(content: bytes, devices: dict[int, str]) -> _Track:
    name, at = _text(content, 4)
    unit, at = _text(content, at)
    rate_hz, gain, offset = struct.unpack_from("<fdd", content, at + 12)
    (device,) = struct.unpack_from("<I", content, at + 33)
    if device in devices:
        name = f"{devices[device]}/{name}"
    return _Track(name, unit, content[3], rate_hz, gain, offset)


def _text(content: bytes, at: int) -> tuple[str, int]:
    """A text, and where it ends."""
    begin = at + 4
    (n_bytes,) = struct.unpack_from("<I", content, at)
    if begin + n_bytes > len(content):
        raise ValueError("a text is longer than its packet")
    return content[begin : begin + n_bytes].decode(), begin + n_bytes


def _samples(content: bytes, at: int, format_: int) -> np.ndarray:
    """The samples (n,) of a packet as its file has them."""
    (n_samples,) = struct.unpack_from("<I", content, at)
    values = np.frombuffer(content, _FORMATS[format_][0], offset=at + 4)
    if len(values) != n_samples:
        raise ValueError("a packet holds another number of samples than it says")
    return values


def _signal(track: _Track, path: Path) -> FileSignal:
    is_float = track.format in _FLOATS
    gain, offset = (1.0, 0.0) if is_float else (track.gain, track.offset)
    if not (np.isfinite(track.rate_hz) and track.rate_hz > 0 and np.isfinite([gain, offset]).all() and gain):
        says = f"{path}: {track.name} has rate {track.rate_hz:g} Hz, gain {gain:g} and offset {offset:g}"
        raise UnreadableRecordingError("unreadable header", says)
    values = _put_in_place(track, path)
    extremes = values[[np.nanargmin(values), np.nanargmax(values)]] if np.isfinite(values).any() else None
    return FileSignal(
        rate_hz=Fraction(str(np.float32(track.rate_hz))),
        unit=track.unit,
        n_samples=len(values),
        gain=1 / gain,
        baseline=round(-offset / gain),
        read=lambda first, last: values[first:last].astype(np.float64) * gain + offset,
        # the converter's range is not in the file; what is clipped stays at the most extreme reading
        limits=None if is_float or extremes is None else tuple(sorted(extremes.astype(np.float64) * gain + offset)),
    )


def _put_in_place(track: _Track, path: Path) -> np.ndarray:
    """The samples (n,) from the start of the case on, in ADC units, NaN where there was no packet or a filler."""
    type_, filler = _FORMATS[track.format]
    places, end = [], 0
    for time_s, values in sorted(track.pieces, key=lambda piece: piece[0]):
        after_s = time_s - _EPOCH_S
        if not -_BEFORE_S <= after_s <= _MAX_S - len(values) / track.rate_hz:
            raise UnreadableRecordingError("unreadable header", f"{path}: {_says_when(time_s)}")
        by_time = round(after_s * track.rate_hz)
        place = end if abs(by_time - end) <= _SAME_PLACE_S * track.rate_hz else by_time
        places.append((place, values))
        end = place + len(values)
    n_samples = max([place + len(values) for place, values in places], default=0)
    is_small = np.dtype(type_).itemsize <= 2 or type_ == "<f4"
    ecg = np.full(max(0, n_samples), np.nan, np.float32 if is_small else np.float64)
    for place, values in places:
        inside = values[max(0, -place) :]
        inside = inside if filler is None else np.where(inside == filler, np.nan, inside)
        ecg[max(0, place) : max(0, place) + len(inside)] = inside
    return ecg


def _says_when(time_s: float) -> str:
    try:
        when = f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        when = "no possible time"
    return f"has samples of {when}; a case of VitalDB lies within two days of {EPOCH:%Y-%m-%d}"
