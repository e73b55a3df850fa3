"""One lead of one file in millivolts, whatever the format: WFDB, EDF, or CSV with a stated rate."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from kalemia.sources import UnreadableRecordingError

MILLIVOLTS_PER_UNIT = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3}  # both micro signs


@dataclass(frozen=True)
class Signal:
    """`read_mv(first, last)` gives samples [first, last), float64, NaN where nothing was recorded; gain in ADC units
    per mV."""

    rate_hz: Fraction
    n_samples: int
    gain_per_mv: float
    baseline: int
    read_mv: Callable[[int, int], np.ndarray]


def open_signal(path: Path, lead: str, rate_hz: Fraction | None, unit: str) -> Signal:
    """The lead of a file: ``.edf``, ``.csv``, or a WFDB header with or without ``.hea``.

    `rate_hz` and `unit` are used for CSV files, which do not contain them. Raises `UnreadableRecordingError`.
    """
    open_ = {".edf": _edf, ".csv": _csv}.get(path.suffix.lower(), _wfdb)
    try:
        return open_(path, lead, rate_hz, unit)
    except UnreadableRecordingError:
        raise
    except (FileNotFoundError, IsADirectoryError):
        raise UnreadableRecordingError("no header", f"{path} is not there") from None
    except Exception as error:  # readers raise any exception for a malformed file
        raise UnreadableRecordingError("unreadable header", f"{path}: {error}") from None


def _wfdb(path: Path, lead: str, rate_hz: Fraction | None, unit: str) -> Signal:
    import wfdb

    record = str(path.with_suffix("") if path.suffix == ".hea" else path)
    header = wfdb.rdheader(record, rd_segments=True)
    one_segment = isinstance(header, wfdb.Record)
    channel = _place(lead, (header.sig_name if one_segment else header.get_sig_name()) or [], path)
    if one_segment:
        in_mv, n_a_frame = _factor(wfdb_unit(Path(f"{record}.hea"), channel), path), header.samps_per_frame[channel]
        gain, baseline = header.adc_gain[channel] / in_mv, header.baseline[channel]
    else:
        in_mv, n_a_frame, gain, baseline = _factor(_unit_of_segments(header.segments, lead, path), path), 1, 1.0, 0
    wfdb.rdrecord(record, sampto=min(header.sig_len, 1), channel_names=[lead])  # raises now if a file is missing

    def read_mv(first: int, last: int) -> np.ndarray:
        frame, stop = first // n_a_frame, -(-last // n_a_frame)
        with _readable(path):
            part = wfdb.rdrecord(record, frame, stop, channel_names=[lead], smooth_frames=n_a_frame == 1)
        samples = part.p_signal[:, 0] if n_a_frame == 1 else part.e_p_signal[0]
        return samples[first - frame * n_a_frame : last - frame * n_a_frame] * in_mv

    return Signal(_rate(header.fs) * n_a_frame, header.sig_len * n_a_frame, gain, int(baseline), read_mv)


def _unit_of_segments(segments: list, lead: str, path: Path) -> str:
    """The unit that a lead has in every segment that has it; `segments` are their headers, None for a gap."""
    units = set()
    for segment in segments:
        if segment and lead in (segment.sig_name or []):
            channel = segment.sig_name.index(lead)
            units.add(wfdb_unit(path.with_name(f"{segment.record_name}.hea"), channel))
            if segment.samps_per_frame[channel] != 1:
                what = f"segment {segment.record_name} has several samples of {lead} a frame"
                raise UnreadableRecordingError(
                    "unreadable header", f"{path}: {what}, which is read of one segment only"
                )
    if len(units) != 1:
        what = f"{lead} is in {' and in '.join(sorted(units)) or 'no segment'}"
        raise UnreadableRecordingError("unreadable header", f"{path}: {what}; it must have one unit")
    return units.pop()


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


def _edf(path: Path, lead: str, rate_hz: Fraction | None, unit: str) -> Signal:
    import edfio

    edf = edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")
    if not edf.is_continuous:
        raise UnreadableRecordingError("unreadable header", f"{path}: an EDF+ file with interruptions is not supported")
    signal = edf.signals[_place(lead, list(edf.labels), path)]
    in_mv = _factor(signal.physical_dimension, path)
    rate = Fraction(signal.samples_per_data_record) / Fraction(str(edf.data_record_duration))
    n_samples = signal.samples_per_data_record * edf.num_data_records
    gain = (signal.digital_max - signal.digital_min) / (signal.physical_max - signal.physical_min)
    baseline = round(signal.digital_max - gain * signal.physical_max)

    def read_mv(first: int, last: int) -> np.ndarray:
        with _readable(path):
            return signal.get_data_slice(float(first / rate), float(last / rate)) * in_mv

    return Signal(rate, n_samples, gain / in_mv, baseline, read_mv)


def _csv(path: Path, lead: str, rate_hz: Fraction | None, unit: str) -> Signal:
    import pyarrow as pa
    import pyarrow.csv as csv

    if rate_hz is None:
        raise UnreadableRecordingError("unreadable header", f"{path}: recordings.csv must state the rate of a CSV file")
    with path.open(encoding="utf-8-sig") as file:
        names = [name.strip().strip('"') for name in file.readline().split(",")]
    place = _place(lead, names, path)
    options = csv.ConvertOptions(include_columns=[names[place]], column_types={names[place]: pa.float64()})
    read = csv.ReadOptions(column_names=names, skip_rows=1)
    parse = csv.ParseOptions(ignore_empty_lines=False)  # each is a sample that is missing
    lines = pa.BufferReader(path.read_bytes().rstrip(b"\r\n"))
    column = csv.read_csv(lines, convert_options=options, read_options=read, parse_options=parse)[names[place]]
    ecg_mv = column.to_numpy() * _factor(unit, path)
    return Signal(rate_hz, len(ecg_mv), 1.0, 0, lambda first, last: ecg_mv[first:last])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What a reader raises for a damaged file, as `UnreadableRecordingError`."""
    try:
        yield
    except UnreadableRecordingError:
        raise
    except FileNotFoundError:
        raise UnreadableRecordingError("file missing", str(path)) from None
    except Exception as error:  # readers raise any exception for a malformed file
        raise UnreadableRecordingError("unreadable file", f"{path}: {error}") from None


def _place(lead: str, names: list[str], path: Path) -> int:
    if lead not in names:
        raise UnreadableRecordingError("no lead", f"{path}: has {', '.join(names)}, not {lead}")
    return names.index(lead)


def _factor(unit: str, path: Path) -> float:
    if unit not in MILLIVOLTS_PER_UNIT:
        raise UnreadableRecordingError("not in millivolts", f"{path}: {unit}")
    return MILLIVOLTS_PER_UNIT[unit]


def _rate(rate_hz: float) -> Fraction:
    """As it is written in decimal, not in binary."""
    return Fraction(repr(rate_hz))
