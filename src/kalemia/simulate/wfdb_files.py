"""One recording as files of WFDB, laid out as in the matched subset of the MIMIC-III Waveform Database.

A recording is a master header, a layout header of all its signals, and one header and one file of samples (format 80)
a segment; its numerics are a record of their own. The formats are those of the WFDB manual, header(5) and signal(5).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from kalemia.core.paths import subject_name
from kalemia.core.schemas import RATE_HZ

MISSING = -128  # of format 80; valid values are from -127 to 127
MISSING_NUMERIC = -(2**15)  # of format 16


@dataclass(frozen=True)
class Channel:
    """A signal of a segment, and the conversion of its samples to ADC units: ``value * gain + baseline``."""

    name: str
    units: str
    gain: float
    baseline: int = 0

    @property
    def scale(self) -> str:
        """Gain, baseline and units as a header writes them."""
        baseline = f"({self.baseline})" if self.baseline else ""
        return f"{self.gain:g}{baseline}/{self.units}"


@dataclass(frozen=True)
class Segment:
    """Samples of a recording from `start` on: `values`, shape (channels, n), in the channels' units, NaN missing."""

    start: int
    channels: tuple[Channel, ...]
    values: np.ndarray


def record_name(subject_id: int, start: datetime) -> str:
    """The name of a recording, for example ``p200001-2150-03-04-05-17``."""
    return f"{subject_name(subject_id)}-{start:%Y-%m-%d-%H-%M}"


def digital(values: np.ndarray, channels: tuple[Channel, ...]) -> np.ndarray:
    """ADC units of physical values, int8, both of shape (channels, n); they saturate at the converter's range."""
    gain = np.array([channel.gain for channel in channels])[:, None]
    baseline = np.array([channel.baseline for channel in channels])[:, None]
    units = np.clip(np.rint(values * gain + baseline), -127, 127)
    return np.where(np.isnan(units), MISSING, units).astype(np.int8)


def write_record(
    folder: Path,
    name: str,
    number: int,
    start: datetime,
    n_samples: int,
    layout: tuple[Channel, ...],
    segments: list[Segment],
) -> list[str]:
    """Write the recording `name` into `folder`, and return the names of its records in the order of a RECORDS file.

    The names of segments begin with `number`; segments are in order of time, with gaps between them.
    """
    parts, names, at = [f"{number:07d}_layout 0"], [], 0
    for segment in segments:
        names.append(f"{number:07d}_{len(names) + 1:04d}")
        if segment.start > at:
            parts.append(f"~ {segment.start - at}")
        parts.append(f"{names[-1]} {segment.values.shape[1]}")
        at = segment.start + segment.values.shape[1]
        _write_segment(folder, names[-1], start + timedelta(seconds=segment.start / RATE_HZ), segment)
    if n_samples > at:
        parts.append(f"~ {n_samples - at}")
    signals = [f"~ 0 {channel.scale} 8 0 {MISSING} 0 0 {channel.name}" for channel in layout]
    _write_header(folder, f"{number:07d}_layout", [f"{len(layout)} 125 0 {_time(start)}", *signals])
    first = f"/{len(parts)} {len(layout)} 125 {n_samples} {_time(start)} {start:%d/%m/%Y}"
    _write_header(folder, name, [first, *parts], separator="")
    return names


def write_numerics(folder: Path, name: str, number: int, start: datetime, heart_rate_bpm: np.ndarray) -> None:
    """Write the numerics record ``{name}n``: the heart rate once a minute, NaN missing."""
    tenths = np.rint(heart_rate_bpm * 10)
    samples = np.where(np.isnan(tenths), MISSING_NUMERIC, tenths).astype("<i2")
    (folder / f"{number:07d}n.dat").write_bytes(samples.tobytes())
    first = f"1 0.0166666666667/125 {len(samples)} {_time(start)} {start:%d/%m/%Y}"
    signal = f"{number:07d}n.dat 16 10/bpm 16 0 {samples[0]} {_checksum(samples)} 0 HR"
    _write_header(folder, f"{name}n", [first, signal])


def _write_segment(folder: Path, name: str, start: datetime, segment: Segment) -> None:
    samples = digital(segment.values, segment.channels)
    offset_binary = (samples.T.astype(np.int16) + 128).astype(np.uint8)
    (folder / f"{name}.dat").write_bytes(offset_binary.tobytes())
    signals = [
        f"{name}.dat 80 {channel.scale} 8 0 {values[0]} {_checksum(values)} 0 {channel.name}"
        for channel, values in zip(segment.channels, samples, strict=True)
    ]
    _write_header(folder, name, [f"{len(signals)} 125 {samples.shape[1]} {_time(start)}", *signals])


def _write_header(folder: Path, name: str, lines: list[str], separator: str = " ") -> None:
    """The text of a header, with line ends as in PhysioNet's."""
    text = f"{name}{separator}" + "".join(f"{line}\r\n" for line in lines)
    (folder / f"{name}.hea").write_bytes(text.encode("ascii"))


def _checksum(samples: np.ndarray) -> int:
    """The sum of the samples, in the 16 bits of a header."""
    return int((samples.sum(dtype=np.int64) + 2**15) % 2**16 - 2**15)


def _time(moment: datetime) -> str:
    """Time of day to the millisecond; the hour is padded with a space, as in the database."""
    return f"{moment.hour:2d}:{moment:%M:%S}.{moment.microsecond // 1000:03d}"
