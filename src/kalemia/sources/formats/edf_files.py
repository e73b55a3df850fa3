"""Read a lead of an EDF, EDF+, BDF or BDF+ file (Kemp 1992, Kemp and Olivan 2003; BioSemi)."""

import warnings
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from kalemia.sources import UnreadableRecordingError
from kalemia.sources.formats.file_signal import FileSignal, find_lead, require_file, shortened

_BDF = b"\xffBIOSEMI"  # begins a BDF file, whatever its name ends with
_MAX_SIGNALS = 4096
# of the header of each signal: field -> bytes, in their order
_FIELDS = {
    "label": 16, "transducer": 80, "unit": 8, "physical minimum": 8, "physical maximum": 8, "digital minimum": 8,
    "digital maximum": 8, "prefilter": 80, "samples per record": 8, "reserved": 32,
}  # fmt: skip


def read_edf(path: Path, lead: str) -> FileSignal:
    """The lead of a file without interruptions; raises `UnreadableRecordingError` and `FileNotFoundError`."""
    require_file(path)
    with path.open("rb") as file:
        start = file.read(256)
        if not (start.startswith((b"0", _BDF)) or start[252:256].strip().isdigit()):
            raise UnreadableRecordingError("unreadable header", f"{path}: is not an EDF or BDF file")
        if len(start) < 256:
            raise UnreadableRecordingError("truncated file", f"{path}: ends within its header")
        n_signals = _number(path, "number of signals", start[252:256], whole=True)
        if not 1 <= n_signals <= _MAX_SIGNALS:
            raise UnreadableRecordingError("unreadable header", f"{path}: has {n_signals} signals")
        signals = _fields(file.read(256 * n_signals), n_signals)
    if len(signals["reserved"][-1]) < _FIELDS["reserved"]:
        raise UnreadableRecordingError("truncated file", f"{path}: ends within its header")
    labels = [_text(label) for label in signals["label"]]
    ecg = find_lead(lead, labels, path)
    n_a_record = [_number(path, "samples per record", field, whole=True) for field in signals["samples per record"]]
    if min(n_a_record) < 0 or not n_a_record[ecg]:
        raise UnreadableRecordingError("unreadable header", f"{path}: has {n_a_record[ecg]} samples of {lead} a record")
    limits, digital = (
        [_number(path, f"{kind} {end}", signals[f"{kind} {end}"][ecg]) for end in ("minimum", "maximum")]
        for kind in ("physical", "digital")
    )
    if limits[0] == limits[1] or digital[0] >= digital[1]:
        raise UnreadableRecordingError("unreadable header", f"{path}: the range of {lead} is empty")
    _check_continuity(path, start[192:236])
    width, before = 3 if start.startswith(_BDF) else 2, sum(n_a_record[:ecg])
    n_bytes, record_bytes = path.stat().st_size - 256 * (1 + n_signals), width * sum(n_a_record)
    n_records, n_promised = n_bytes // record_bytes, _number(path, "number of data records", start[236:244], whole=True)
    n_here, duration_s = n_a_record[ecg], _number(path, "duration of a data record", start[244:252])
    gain = (digital[1] - digital[0]) / (limits[1] - limits[0])

    def read(first: int, last: int) -> np.ndarray:
        record, stop = first // n_here, -(-last // n_here)
        shape = (stop - record, record_bytes)
        records = np.memmap(path, np.uint8, "r", 256 * (1 + n_signals) + record * record_bytes, shape)
        samples = records[:, width * before : width * (before + n_here)].reshape(-1, width)
        values = _integers(samples)[first - record * n_here : last - record * n_here]
        return limits[0] + (values - digital[0]) / gain

    return FileSignal(
        rate_hz=n_here / Fraction(repr(duration_s)) if duration_s > 0 else None,
        unit=_text(signals["unit"][ecg]),
        n_samples=n_records * n_here,
        gain=gain,
        baseline=round(digital[0] - gain * limits[0]),
        read=read,
        limits=(min(limits), max(limits)),
        n_promised=n_promised * n_here if n_promised > n_records else None,
        started=_started(start),
    )


def _fields(header: bytes, n_signals: int) -> dict[str, list[bytes]]:
    """Field -> its text for each signal."""
    fields, at = {}, 0
    for name, n in _FIELDS.items():
        fields[name] = [header[at + i * n : at + (i + 1) * n] for i in range(n_signals)]
        at += n * n_signals
    return fields


def _started(header: bytes) -> datetime | None:
    """The date and time of a header; None if they are no date and time. Two digits of a year are 1985 to 2084."""
    try:
        started = datetime.strptime(_text(header[168:184]), "%d.%m.%y%H.%M.%S")
    except ValueError:
        return None
    return started.replace(year=started.year % 100 + (1900 if started.year % 100 >= 85 else 2000))


def _integers(samples: np.ndarray) -> np.ndarray:
    """Signed little-endian integers (n,) from their bytes (n, 2 or 3), as float64."""
    wide = np.zeros((len(samples), 4), np.uint8)
    wide[:, 4 - samples.shape[1] :] = samples
    return (wide.view("<i4")[:, 0] >> (8 * (4 - samples.shape[1]))).astype(np.float64)


def _text(field: bytes) -> str:
    return field.decode("latin-1").strip().strip("\0")


def _number(path: Path, name: str, field: bytes, whole: bool = False) -> float:
    try:
        value = int(field) if whole else float(field.replace(b",", b"."))  # some writers use a decimal comma
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise UnreadableRecordingError(
            "unreadable header", f"{path}: its {name} is {shortened(_text(field))!r}, which is not a number"
        )
    return value


def _check_continuity(path: Path, reserved: bytes) -> None:
    """Raise `UnreadableRecordingError` for a file with interruptions."""
    if not reserved.startswith((b"EDF+", b"BDF+")):
        return
    if reserved.startswith(b"EDF+"):
        import edfio

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            is_continuous = edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1").is_continuous
    else:
        is_continuous = not reserved.startswith(b"BDF+D")
    if not is_continuous:
        raise UnreadableRecordingError(
            "unreadable header", f"{path}: has interruptions, which are not read; export each part as a file"
        )
