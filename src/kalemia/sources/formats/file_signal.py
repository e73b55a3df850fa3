"""What the reader of each format returns, and how files, leads and units are recognized."""

import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from kalemia.sources import UnreadableRecordingError

MAX_HEADER_BYTES = 1 << 20  # a WFDB header of 20,000 segments
_PREFIXES = {"": 1e3, "m": 1.0, "milli": 1.0, "u": 1e-3, "μ": 1e-3, "micro": 1e-3, "n": 1e-6, "nano": 1e-6}
_MILLIVOLTS = {prefix + volt: mv for prefix, mv in _PREFIXES.items() for volt in ("v", "volt", "volts")}


@dataclass(frozen=True)
class FileSignal:
    """One lead as its file has it.

    rate_hz, unit: None if the file does not say. gain: ADC units per unit; baseline: ADC units at 0. read(first, last):
    samples [first, last) in the file's unit, float64, NaN where nothing was recorded. limits: the lowest and highest
    reading of the converter in the file's unit, None if they are not known. n_promised: the number of samples that the
    header states, if the file has fewer. is_table: whether the file is a table, whose rate is that of its times.
    started: when the first sample was taken, by the recorder's clock; None if the file does not say.
    """

    rate_hz: Fraction | None
    unit: str | None
    n_samples: int
    gain: float
    baseline: int
    read: Callable[[int, int], np.ndarray]
    limits: tuple[float, float] | None = None
    n_promised: int | None = None
    is_table: bool = False
    started: datetime | None = None


def is_file(path: str | Path) -> bool:
    """Whether a path is a regular file; False for a name that the file system does not take."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def require_file(path: Path, max_bytes: int | None = None) -> None:
    """Raise `FileNotFoundError`, or `UnreadableRecordingError` for what is no file, empty, or above `max_bytes`.

    A named pipe or a device would be read for ever.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):  # also a name that is too long, or has a null byte
        raise FileNotFoundError(path) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise UnreadableRecordingError("unreadable header", f"{shortened(path)}: is {kind}; a file is expected")
    if not status.st_size:
        raise UnreadableRecordingError("unreadable header", f"{shortened(path)}: is empty")
    if max_bytes is not None and status.st_size > max_bytes:
        size = f"{status.st_size / 1e6:.1f} MB"
        raise UnreadableRecordingError("unreadable header", f"{shortened(path)}: {size} are too many for a header")


def find_lead(lead: str, names: Sequence[str], path: Path) -> int:
    """The place of a lead among the names of a file, if need be without regard to case and spaces.

    `lead` may be several names, as `II | MLII`: the first that is there. Raises `UnreadableRecordingError` if there is
    none, or one occurs twice.
    """
    for one in lead.split("|"):
        exact = [i for i, name in enumerate(names) if name == one.strip()]
        places = exact or [i for i, name in enumerate(names) if is_lead(name, one)]
        if places:
            break
    else:
        has = f"{shortened(', '.join(names))}, not {shortened(lead)}" if names else "no signal"
        raise UnreadableRecordingError("no lead", f"{path}: has {has}")
    if len(places) > 1:
        raise UnreadableRecordingError(
            "lead occurs twice", f"{path}: has {len(places)} signals called {shortened(lead)}; rename all but one"
        )
    return places[0]


def is_lead(name: str, lead: str) -> bool:
    """Whether a signal's name is one of those of a lead, without regard to case and spaces."""
    return _plain(name) in map(_plain, lead.split("|"))


def millivolts(unit: str | None) -> float | None:
    """How many millivolts a unit is, in any common spelling, also in brackets; None if it is no unit of voltage.

    >>> millivolts("µV"), millivolts("MV"), millivolts("mmHg")
    (0.001, 1.0, None)
    """
    text = (unit or "").strip(" \t()[]")
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")  # it was read as Latin-1
    return _MILLIVOLTS.get(text.casefold())  # which makes one of both micro signs


def shortened(text: object) -> str:
    """At most 200 characters, for a message of one line."""
    text = "".join(c if c.isprintable() else "?" for c in str(text))
    return text if len(text) <= 200 else f"{text[:197]}..."


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()
