"""The windows of a recording: where they begin and end, and their samples at 125 Hz, read in pieces."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from kalemia.beats.beats_of_record import window_edges
from kalemia.core.errors import UserError
from kalemia.core.schemas import RATE_HZ
from kalemia.sources import SHORTER, UnreadableRecordingError
from kalemia.sources.resampling import resampled_samples, resampled_span
from kalemia.sources.signal_files import NOTHING_STATED, Signal, Stated, open_signal

log = logging.getLogger(__name__)

MINUTE = round(60 * RATE_HZ)
_PIECE_S = 1800  # of a recording that is read at a time
_MOST_FAILURES = 5  # in a row to read a recording that is being written


@dataclass(frozen=True)
class Window:
    """Samples [start, stop) of a recording at 125 Hz."""

    start: int
    stop: int

    @property
    def stop_s(self) -> float:
        """The end of the window, in seconds since the start of the recording."""
        return self.stop / RATE_HZ


@dataclass(frozen=True)
class WindowSamples:
    """A window with its samples, (n,) float32 in mV and NaN in gaps; none where a `reason` says why not."""

    window: Window
    ecg_mv: np.ndarray
    reason: str | None


class Record:
    """One lead of a recording, opened again as it grows; the last half hour that was read is kept.

    lead, stated: as for `signal_files.open_signal`. Raises `UserError` if the recording cannot be read, lacks
    the lead, or, unless `is_growing`, is shorter than its header says.
    """

    def __init__(self, path: Path, lead: str, stated: Stated = NOTHING_STATED, is_growing: bool = False):
        self.path, self.lead = path, lead
        self._stated, self._is_growing = stated, is_growing
        self._piece_start, self._piece_mv, self._n_failed = 0, np.empty(0), 0
        self._warned: set[str] = set()
        self.reopen()

    def reopen(self) -> None:
        """Look again how long the recording is."""
        try:
            self.signal: Signal = open_signal(self.path, self.lead, self._stated)
        except UnreadableRecordingError as error:
            advice = "; name one of them with --lead" if error.reason == "no lead" else ""
            raise UserError(f"{error.reason}: {error.detail}{advice}") from None
        shorter = [detail for reason, detail in self.signal.notes if reason == SHORTER]
        if shorter and not self._is_growing:
            raise UserError(f"{shorter[0]}; copy the whole file")

    def look_again(self) -> None:
        """Reopen a growing recording; raises only if it cannot be read several times in a row, as mid-write."""
        try:
            self.reopen()
            self._n_failed = 0
        except UserError:
            self._n_failed += 1
            if self._n_failed == _MOST_FAILURES:
                raise

    @property
    def n_samples(self) -> int:
        """Samples at 125 Hz; of a growing recording those that are final, so without the last second."""
        n_samples = resampled_samples(self.signal.n_samples, self.signal.rate_hz)
        return max(0, n_samples - round(RATE_HZ)) if self._is_growing else n_samples

    def read_window(self, window: Window) -> WindowSamples:
        """The samples of a window, as a study reads the excerpt before a draw."""
        try:
            ecg_mv = self._read_window(window)
            self.signal.check_amplitude(ecg_mv, RATE_HZ, self.path)
        except UnreadableRecordingError as error:
            self._warn(window, error)
            return WindowSamples(window, np.empty(0, np.float32), error.reason)
        return WindowSamples(window, ecg_mv, None)

    def time_at(self, since_start_s: float) -> datetime | None:
        """By the recorder's clock; None if the file does not say when it began."""
        return self.signal.started and self.signal.started + timedelta(seconds=since_start_s)

    def _warn(self, window: Window, error: UnreadableRecordingError) -> None:
        """Say why a window cannot be read, once for each reason: a file that is missing may take a thousand windows."""
        if error.reason not in self._warned:
            self._warned.add(error.reason)
            told = "%s until minute %g: %s (told once; the table has the reason of each window)"
            log.warning(told, error.reason, window.stop_s / 60, error.detail)

    def _read_window(self, window: Window) -> np.ndarray:
        signal = self.signal
        return resampled_span(self._read_mv, signal.n_samples, signal.rate_hz, window.start, window.stop)

    def _read_mv(self, first: int, last: int) -> np.ndarray:
        """As `Signal.read_mv`, from a piece of the recording that many windows share."""
        if not self._piece_start <= first <= last <= self._piece_start + len(self._piece_mv):
            stop = min(max(last, first + round(_PIECE_S * self.signal.rate_hz)), self.signal.n_samples)
            try:
                self._piece_start, self._piece_mv = first, self.signal.read_mv(first, stop)
            except UnreadableRecordingError:  # perhaps not in this window
                return self.signal.read_mv(first, last)
        return self._piece_mv[first - self._piece_start : last - self._piece_start]


def consecutive_windows(n_samples: int, window_minutes: float) -> list[Window]:
    """Windows one after another; a remainder shorter than half a window is added to the last."""
    return [Window(start, stop) for start, stop in pairwise(window_edges(n_samples, window_minutes))]


def moving_windows(first: int, n_samples: int, window_minutes: float, min_minutes: float) -> Iterator[Window]:
    """A window that ends at each whole minute from `first` on, at most so long, and at least `min_minutes`.

    Near the start of a recording a window is shorter, as is the excerpt of a blood draw there.

    >>> [window.start for window in moving_windows(9, 12 * 60 * 125, window_minutes=10, min_minutes=5)]
    [0, 0, 7500, 15000]
    """
    length = round(window_minutes * MINUTE)
    for minute in range(max(first, -int(-min_minutes // 1)), n_samples // MINUTE + 1):
        yield Window(max(0, minute * MINUTE - length), minute * MINUTE)
