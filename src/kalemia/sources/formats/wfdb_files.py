"""Read a lead of a WFDB record, of one segment or of several."""

import re
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kalemia.sources import UnreadableRecordingError
from kalemia.sources.formats.file_signal import (
    MAX_HEADER_BYTES,
    FileSignal,
    find_lead,
    require_file,
    shortened,
)
from kalemia.sources.signal_faults import converter_range

if TYPE_CHECKING:  # the rules import this module, and wfdb takes long to import
    import wfdb

_MAX_BASELINE = 1 << 31
_CHECKED_FRAMES = 1 << 20  # read at a time
_UNSIGNED = r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
_RECORD_LINE = re.compile(
    rf"\S+\s+\d+(\s+{_UNSIGNED}(/{_UNSIGNED}(\([-+]?{_UNSIGNED}\))?)?(\s+\d+(\s+[\d:.]+(\s+[\d/]+)?)?)?)?"
)
_SIGNAL_LINE = re.compile(
    rf"\S+\s+\d+(x\d+)?(:\d+)?(\+\d+)?"
    rf"(\s+[-+]?{_UNSIGNED}(\([-+]?\d+\))?(/\S+)?(\s+\d+((\s+[-+]?\d+){{1,4}}(\s.*)?)?)?)?"
)
# bytes per sample; the others are compressed
_SAMPLE_BYTES = {
    "8": Fraction(1), "16": Fraction(2), "24": Fraction(3), "32": Fraction(4), "61": Fraction(2), "80": Fraction(1),
    "160": Fraction(2), "212": Fraction(3, 2), "310": Fraction(4, 3), "311": Fraction(4, 3),
}  # fmt: skip


def read_wfdb(path: Path, lead: str) -> FileSignal:
    """The lead of a record, whose path may end with ``.hea``.

    Raises `UnreadableRecordingError`, also for samples that do not add up to the header's checksum, and
    `FileNotFoundError`.
    """
    import wfdb

    record = str(path.with_suffix("") if path.suffix == ".hea" else path)
    header = read_header(record)
    if isinstance(header, wfdb.MultiRecord):
        return _segments(record, header, lead, path)
    _check_syntax(Path(f"{record}.hea"))
    channel = find_lead(lead, header.sig_name or [], path)
    n_a_frame, folder = header.samps_per_frame[channel], path.parent
    n_frames = _frames_in_file(folder, header, channel)
    n_promised = header.sig_len or None  # 0 means that it is not known, as in the WFDB header specification
    n_frames = n_frames if n_promised is None else min(n_frames, n_promised)
    gain, baseline = scale(header, channel, path)

    whole = record if n_promised else _with_length(record, header, n_frames)

    read = partial(_read_samples, whole, channel, n_a_frame)
    if n_frames == n_promised:
        _check_sum(record, header, channel, path)
    if not n_promised:
        weakref.finalize(read, shutil.rmtree, Path(whole).parent)
    limits = converter_range(header, channel)
    return FileSignal(
        rate_hz=_rate(header.fs) * n_a_frame if _rate(header.fs) else None,
        unit=wfdb_unit(Path(f"{record}.hea"), channel),
        n_samples=n_frames * n_a_frame,
        gain=gain,
        baseline=baseline,
        read=read,
        limits=limits and tuple(sorted((limit - baseline) / gain for limit in limits)),
        n_promised=n_promised * n_a_frame if n_promised is not None and n_frames < n_promised else None,
        started=header.base_datetime,
    )


def read_header(record: str) -> "wfdb.Record | wfdb.MultiRecord":
    """A header, by its path without ``.hea``; raises `FileNotFoundError` and `UnreadableRecordingError`."""
    import wfdb

    path = Path(f"{record}.hea")
    require_file(path, MAX_HEADER_BYTES)
    try:
        return wfdb.rdheader(record)
    except PermissionError:
        what = f"{shortened(path)}: you have no permission to read it"
        raise UnreadableRecordingError("unreadable header", what) from None
    except Exception:  # wfdb raises any exception for a malformed line
        raise UnreadableRecordingError("unreadable header", f"{shortened(path)}: is not a WFDB header") from None


def wfdb_unit(header: Path, channel: int) -> str:
    """The unit of a signal from its WFDB header.

    wfdb 4.3 drops non-ASCII characters from units and would read microvolts, written with a micro sign, as V.
    """
    lines = [line for line in header.read_bytes().splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    _, _, unit = (lines[1 + channel].split() + [b""] * 3)[2].partition(b"/")
    try:
        return unit.decode() or "mV"
    except UnicodeDecodeError:
        return unit.decode("latin-1")


@dataclass(frozen=True)
class _Piece:
    """A segment with the lead: its record and the frames of the whole that it holds, half open."""

    record: str
    channel: int
    start: int
    stop: int


def _segments(record: str, header: "wfdb.MultiRecord", lead: str, path: Path) -> FileSignal:
    """The lead of a record in segments; all must have it in one unit, and as often a frame."""
    header.segments = [None if name == "~" else read_header(str(path.parent / name)) for name in header.seg_name]
    names = header.get_sig_name() or []
    name = names[find_lead(lead, names, path)]
    units, samples_a_frame, pieces, stop = set(), set(), [], 0
    for segment, n_frames in zip(header.segments, header.seg_len, strict=True):
        start, stop = stop, stop + n_frames
        if segment is None:
            continue
        of_segment = path.with_name(segment.record_name)
        _check_syntax(of_segment.with_name(f"{segment.record_name}.hea"))
        if name not in (segment.sig_name or []):
            continue
        channel = find_lead(name, segment.sig_name, path)
        units.add(wfdb_unit(of_segment.with_name(f"{segment.record_name}.hea"), channel))
        scale(segment, channel, path)
        if n_frames:  # not the layout
            samples_a_frame.add(segment.samps_per_frame[channel])
            pieces.append(_Piece(str(of_segment), channel, start, stop))
        is_there = segment.sig_len and (path.parent / segment.file_name[channel]).exists()
        if is_there and segment.sig_len <= _frames_in_file(path.parent, segment, channel):
            _check_sum(str(of_segment), segment, channel, path)
    what = None
    if len(units) != 1 or not pieces:
        what = f"is in {' and in '.join(sorted(units)) if pieces else 'no segment'}; it must have one unit"
    elif len(samples_a_frame) != 1:
        what = f"has {' and '.join(map(str, sorted(samples_a_frame)))} samples a frame; one number is read"
    if what:
        raise UnreadableRecordingError("unreadable header", f"{path}: {name} {what}")
    if stop != header.sig_len:
        raise UnreadableRecordingError(
            "unreadable header", f"{path}: the lengths of its segments do not add up to its length"
        )
    (n_a_frame,) = samples_a_frame
    return FileSignal(
        rate_hz=_rate(header.fs) * n_a_frame if _rate(header.fs) else None,
        unit=units.pop(),
        n_samples=stop * n_a_frame,
        gain=1.0,
        baseline=0,
        read=partial(_read_pieces, pieces, n_a_frame),
        started=header.base_datetime,
    )


def _read_pieces(pieces: list[_Piece], n_a_frame: int, first: int, last: int) -> np.ndarray:
    """Samples [first, last) of the whole, NaN where no segment has the lead."""
    ecg = np.full(last - first, np.nan)
    for piece in pieces:
        start, stop = max(first, piece.start * n_a_frame), min(last, piece.stop * n_a_frame)
        if start < stop:
            origin = piece.start * n_a_frame
            ecg[start - first : stop - first] = _read_samples(
                piece.record, piece.channel, n_a_frame, start - origin, stop - origin
            )
    return ecg


def _read_samples(record: str, channel: int, n_a_frame: int, first: int, last: int) -> np.ndarray:
    """Samples [first, last) of a signal with several a frame; wfdb would give their mean without `smooth_frames`."""
    import wfdb

    frame, stop = first // n_a_frame, -(-last // n_a_frame)
    (samples,) = wfdb.rdrecord(record, frame, stop, channels=[channel], smooth_frames=False).e_p_signal
    return samples[first - frame * n_a_frame : last - frame * n_a_frame]


def _check_syntax(path: Path) -> None:
    """Raise `UnreadableRecordingError` for a line that wfdb would read in part, with defaults for the rest."""
    first, *others = _lines(path)
    for line, form in ((first, _RECORD_LINE), *((line, _SIGNAL_LINE) for line in others)):
        if not form.fullmatch(line):
            raise UnreadableRecordingError("unreadable header", f"{path}: cannot read the line {shortened(line)!r}")


def scale(header: "wfdb.Record", channel: int, path: Path) -> tuple[float, int]:
    """Gain and baseline of a signal; raises `UnreadableRecordingError` for what cannot be computed with."""
    gain, baseline = header.adc_gain[channel], header.baseline[channel]
    if not np.isfinite(gain) or gain == 0:
        raise UnreadableRecordingError("unreadable header", f"{path}: its gain is {gain}")
    if abs(baseline) > _MAX_BASELINE:
        raise UnreadableRecordingError("unreadable header", f"{path}: its baseline is beyond 32 bits")
    return float(gain), int(baseline)


def _with_length(record: str, header: "wfdb.Record", n_frames: int) -> str:
    """A copy of a record whose header lacks the number of frames, with it, in a folder of its own.

    wfdb reads no part of a record without it. The sample files are links.
    """
    folder = Path(tempfile.mkdtemp(prefix="kalemia-"))
    for name in set(header.file_name):  # wfdb takes no name with a slash
        (folder / name).symlink_to((Path(record).parent / name).resolve())
    first, *others = _lines(Path(f"{record}.hea"))
    name, n_signals, *rate_and_more = first.split()
    rate = rate_and_more[0] if rate_and_more else header.fs
    lines = [f"{name} {n_signals} {rate} {n_frames}", *others]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n", encoding="latin-1")
    return str(folder / name)


def _lines(header: Path) -> list[str]:
    """The lines of a header without comments."""
    lines = map(str.strip, header.read_text(encoding="latin-1").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _check_sum(record: str, header: "wfdb.Record", channel: int, path: Path) -> None:
    """Raise `UnreadableRecordingError` if the samples of a whole segment do not add up to its header's checksum."""
    import wfdb

    if not header.sig_len or header.skew[channel] or header.checksum[channel] is None:
        return
    total = 0
    for frame in range(0, header.sig_len, _CHECKED_FRAMES):
        end = min(frame + _CHECKED_FRAMES, header.sig_len)
        part = wfdb.rdrecord(record, frame, end, channels=[channel], smooth_frames=False, physical=False)
        total += int(part.e_d_signal[0].sum(dtype=np.int64))
    if (total - header.checksum[channel]) % 65536:
        what = f"the samples of {header.sig_name[channel]} do not add up to the header's checksum"
        raise UnreadableRecordingError("checksum", f"{path}: {what}; the file is damaged")


def _frames_in_file(folder: Path, header: "wfdb.Record", channel: int) -> int:
    """The number of frames in the sample file of a signal; raises `UnreadableRecordingError`."""
    name, format_ = header.file_name[channel], header.fmt[channel]
    path = folder / name
    try:
        require_file(path)
    except FileNotFoundError:
        raise UnreadableRecordingError("file missing", f"{shortened(path)} does not exist") from None
    if format_ in _SAMPLE_BYTES:
        n_a_frame = sum(n for n, other in zip(header.samps_per_frame, header.file_name, strict=True) if other == name)
        return int((path.stat().st_size - (header.byte_offset[channel] or 0)) / (_SAMPLE_BYTES[format_] * n_a_frame))
    with path.open("rb") as file:
        start = file.read(26)
    # FLAC (RFC 9639, section 8.2): the number of samples is in the last 36 bits of these eight bytes
    n_frames = (int.from_bytes(start[18:26], "big") & ((1 << 36) - 1)) // header.samps_per_frame[channel]
    return n_frames if start[:4] == b"fLaC" else 0


def _rate(rate_hz: float) -> Fraction | None:
    """As it is written in decimal, not in binary; None if it is no rate."""
    return Fraction(repr(rate_hz)) if np.isfinite(rate_hz) and rate_hz > 0 else None
