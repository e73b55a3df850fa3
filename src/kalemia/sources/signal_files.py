"""One lead of one file in millivolts, whatever the format, with what the user states about the file."""

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from kalemia.core.schemas import RATE_HZ
from kalemia.core.wording import plural
from kalemia.sources import CORRECTED, SHORTER, Fault, LeadExcerpt, LeadSegment, Segment, UnreadableRecordingError
from kalemia.sources.formats.csv_files import read_csv
from kalemia.sources.formats.edf_files import read_edf
from kalemia.sources.formats.file_signal import FileSignal, is_file, millivolts, shortened
from kalemia.sources.formats.vital_files import read_vital
from kalemia.sources.formats.wfdb_files import read_wfdb
from kalemia.sources.resampling import MAX_RATE_HZ, MIN_RATE_HZ, resampled_samples, resampled_span
from kalemia.sources.signal_faults import faults_of, implausible_amplitude

log = logging.getLogger(__name__)

_READERS = {".edf": read_edf, ".bdf": read_edf, ".csv": read_csv, ".csv.gz": read_csv, ".vital": read_vital}
_MAX_SAMPLES = 1 << 33  # three weeks at 5,000 Hz
_SAME_RATE = 0.005  # relative difference between a stated rate and that of a column of times


@dataclass(frozen=True)
class Stated:
    """What the user states in the place of a file; None leaves it to the file.

    place: where it is stated, for messages, with {} for "rate" or "unit": ``--{}``; empty where nothing can be.
    """

    rate_hz: Fraction | None = None
    unit: str | None = None
    place: str = ""

    def where(self, name: str) -> str:
        """For example `` (--unit)``; nothing where it cannot be stated."""
        return f" ({self.place.format(name)})" if self.place else ""


NOTHING_STATED = Stated()


@dataclass(frozen=True)
class Signal:
    """`read_mv(first, last)` gives samples [first, last), float64, NaN where nothing was recorded.

    gain_per_mv, baseline: in ADC units; limits_mv: the lowest and highest reading of the converter, None if they are
    not known; notes: (reason, detail) of what the ledger should say about a file that is read; started: when the first
    sample was taken, None if the file does not say; unit: that of the file, or the one
    stated in its place, and `unit_from` where that is, for messages.
    """

    rate_hz: Fraction
    n_samples: int
    gain_per_mv: float
    baseline: int
    read_mv: Callable[[int, int], np.ndarray]
    limits_mv: tuple[float, float] | None = None
    notes: tuple[tuple[str, str], ...] = ()
    started: datetime | None = None
    unit: str = "mV"
    unit_from: str = ""

    def check_amplitude(self, ecg_mv: np.ndarray, rate_hz: float, path: Path) -> None:
        """Raise `UnreadableRecordingError` if hardly any of this signal's ECG (n,) is as high as QRS complexes are."""
        if what := implausible_amplitude(ecg_mv, rate_hz):
            says = (
                f"{path}: {what}: the lead was off, or its unit {shortened(self.unit)}{self.unit_from} or gain is wrong"
            )
            raise UnreadableRecordingError("implausible amplitude", says)


def parse_rate(text: str) -> Fraction | None:
    """A rate as people write it, None for an empty text; raises `ValueError` with a message for a person."""
    if not text:
        return None
    try:
        rate_hz = float(text)  # a fraction would take all memory for 1e999999999
    except ValueError:
        rate_hz = float("nan")
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise ValueError(f"rate {shortened(text)!r} is not a number of samples per second")
    return Fraction(repr(rate_hz))


def faults_of_span(signal: Signal, start: int, stop: int) -> list[Fault]:
    """Faults between two samples at 125 Hz, looked for in the signal's own samples."""
    step = signal.rate_hz / Fraction(RATE_HZ)
    first, last = int(start * step), min(int(stop * step), signal.n_samples)
    faults = faults_of(signal.read_mv(first, last), float(signal.rate_hz), first, signal.limits_mv)
    return [Fault(fault.kind, int(fault.start / step), min(stop, int(-(-fault.stop // step)))) for fault in faults]


def read_excerpt(signal: Signal, segment: Segment, start: int, stop: int, path: Path) -> LeadExcerpt:
    """Samples [start, stop) at 125 Hz of the signal of a segment that begins at 0; NaN beyond the signal's end.

    Raises `UnreadableRecordingError`, with `path` in its message.
    """
    excerpt = LeadExcerpt(np.full(stop - start, np.nan, np.float32))
    last = max(start, min(stop, resampled_samples(signal.n_samples, signal.rate_hz)))
    if last > start:
        ecg_mv = resampled_span(signal.read_mv, signal.n_samples, signal.rate_hz, start, last)
        signal.check_amplitude(ecg_mv, RATE_HZ, path)
        excerpt.faults += faults_of_span(signal, start, last)
        excerpt.ecg_mv[: last - start] = ecg_mv
    excerpt.segments.append(LeadSegment(segment.name, start, last, signal.gain_per_mv, signal.baseline))
    return excerpt


def open_signal(path: Path, lead: str, stated: Stated = NOTHING_STATED) -> Signal:
    """The lead of a file: EDF, BDF, CSV (gzipped or not), ``.vital``, or a WFDB record with or without ``.hea``.

    What the user states overrides what the file says. A CSV file without either is in mV at the rate of its column of
    times. Raises `UnreadableRecordingError`.
    """
    file = _open(path, lead)
    rate_hz, rate_notes = _settle_rate(file, stated, path)
    unit = stated.unit or (file.unit if file.unit is not None else "mV")
    mv_per_unit, unit_notes = _settle_unit(file, stated, unit, path)
    if not 0 < file.n_samples <= _MAX_SAMPLES:
        raise UnreadableRecordingError("unreadable header", f"{path}: {_says_length(file.n_samples)} {lead}")
    notes = [*rate_notes, *unit_notes]
    if file.n_promised is not None:
        notes.append(
            (SHORTER, f"{path}: has {plural(file.n_samples, 'sample')} of {lead}, its header says {file.n_promised:,}")
        )
    for _, detail in notes:
        log.warning(detail)

    def read_mv(first: int, last: int) -> np.ndarray:
        with _readable(path):
            ecg_mv = file.read(first, last) * mv_per_unit
        if len(ecg_mv) != last - first:
            raise UnreadableRecordingError("truncated file", f"{path}: ends before sample {last}")
        ecg_mv[~np.isfinite(ecg_mv)] = np.nan
        return ecg_mv

    read_mv(0, 1)  # raises now if there is nothing to read
    half_step = 0.5 / abs(file.gain)  # what is computed from a limit may differ from it in the last bits
    limits_mv = file.limits and (
        (file.limits[0] + half_step) * mv_per_unit,
        (file.limits[1] - half_step) * mv_per_unit,
    )
    gain_per_mv = file.gain / mv_per_unit
    return Signal(
        rate_hz,
        file.n_samples,
        gain_per_mv,
        file.baseline,
        read_mv,
        limits_mv,
        tuple(notes),
        file.started,
        unit,
        stated.where("unit") if stated.unit else "",
    )


def file_kind(path: Path) -> str | None:
    """How the name of a file ends, as ``.edf`` or ``.csv.gz``; None for the path of a WFDB record."""
    return next((kind for kind in _READERS if path.name.lower().endswith(kind)), None)


def _open(path: Path, lead: str) -> FileSignal:
    kind = file_kind(path)
    try:
        return _READERS.get(kind, read_wfdb)(path, lead)
    except UnreadableRecordingError:
        raise
    except FileNotFoundError:
        if kind is None and is_file(path):
            raise UnreadableRecordingError(
                "unreadable header",
                f"{path}: its format is not read; WFDB (the record's name without extension), EDF, BDF, CSV and .vital"
                " are",
            ) from None
        what = "is a folder; name a record in it" if os.path.isdir(path) else "does not exist"
        raise UnreadableRecordingError("no header", f"{shortened(path)} {what}") from None
    except PermissionError:
        raise UnreadableRecordingError("no header", f"{path}: you have no permission to read it") from None
    except Exception:  # readers raise any exception for a malformed file
        log.debug("%s", path, exc_info=True)
        format_ = kind[1:].upper() if kind else "WFDB"
        raise UnreadableRecordingError("unreadable header", f"{path}: is not a valid {format_} file") from None


def _says_length(n_samples: int) -> str:
    return f"has {plural(n_samples, 'sample')} of" if n_samples > 0 else "has no samples of"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What a reader raises for a damaged file, as `UnreadableRecordingError`."""
    try:
        yield
    except UnreadableRecordingError:
        raise
    except FileNotFoundError as error:
        raise UnreadableRecordingError("file missing", shortened(error.filename or path)) from None
    except Exception:  # readers raise any exception for a malformed file
        log.debug("%s", path, exc_info=True)
        raise UnreadableRecordingError("unreadable file", f"{path}: its samples cannot be read") from None


def _settle_rate(file: FileSignal, stated: Stated, path: Path) -> tuple[Fraction, list[tuple[str, str]]]:
    """The rate to use, and a note if it is not the file's."""
    rate_hz, where = stated.rate_hz or file.rate_hz, stated.where("rate")
    if rate_hz is None:
        says = f"has no rate of its own; state it{where}" if where else "has no rate"
        raise UnreadableRecordingError("unreadable header", f"{path}: {says}")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise UnreadableRecordingError(
            "unreadable header",
            f"{path}: has {float(rate_hz):g} samples a second{where if stated.rate_hz else ''};"
            f" {MIN_RATE_HZ} to {MAX_RATE_HZ} are read",
        )
    if file.is_table:
        if file.rate_hz is not None and abs(rate_hz / file.rate_hz - 1) > _SAME_RATE:
            stated_hz = f"{float(rate_hz):g} as stated{where}"
            says = f"its times are those of {float(file.rate_hz):g} samples a second, not {stated_hz}"
            raise UnreadableRecordingError("unreadable header", f"{path}: {says}")
        return rate_hz, []
    if rate_hz == file.rate_hz:
        return rate_hz, []
    in_file = "none" if file.rate_hz is None else f"{float(file.rate_hz):g} Hz"
    return rate_hz, [(CORRECTED, f"{path}: rate {float(rate_hz):g} Hz as stated, in the file {in_file}")]


def _settle_unit(file: FileSignal, stated: Stated, unit: str, path: Path) -> tuple[float, list[tuple[str, str]]]:
    """Millivolts per unit, and a note if the unit is not the file's."""
    mv_per_unit = millivolts(unit)
    if mv_per_unit is None:
        where, units = stated.where("unit"), "mV, uV, nV or V"
        says = f"its unit {shortened(unit)!r} is not a unit of voltage" + (f"; state {units}{where}" if where else "")
        if stated.unit:
            says = f"unit {shortened(unit)!r}{where} is not a unit of voltage; write {units}"
        raise UnreadableRecordingError("not in millivolts", f"{path}: {says}")
    if file.unit is None or millivolts(file.unit) == mv_per_unit:
        return mv_per_unit, []
    return mv_per_unit, [(CORRECTED, f"{path}: unit {unit} as stated, in the file {shortened(file.unit)!r}")]
