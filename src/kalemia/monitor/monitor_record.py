"""Monitor a recording: windows that move by a minute, alerts and a page, also while the recording grows."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
from tqdm import tqdm

from kalemia.core.errors import UserError
from kalemia.core.files.atomic import make_folder
from kalemia.core.tables import empty_table, table_from_rows, write_table
from kalemia.models.model import Model
from kalemia.monitor.alerts import find_alerts
from kalemia.monitor.assess_windows import assess_windows
from kalemia.monitor.page import sum_up, write_monitor_page
from kalemia.monitor.potassium import KnownValue
from kalemia.monitor.windows import MINUTE, Record, Window, moving_windows
from kalemia.sources import signal_files

WINDOWS, ALERTS, PAGE = "windows.parquet", "alerts.parquet", "monitor.html"
LOOK_EVERY_S = 5.0  # at a recording that grows
_ROWS_AT_ONCE = 60


class RecordMonitor:
    """The windows of a recording that have been assessed so far, and the files that say so.

    folder: of the model. out: where the files are written, each whole at any time.
    """

    def __init__(self, folder: Path, model: Model, record: Record, known: list[KnownValue], out: Path):
        self._folder, self._model, self._record, self._known, self._out = folder, model, record, known, out
        self._windows = empty_table("monitor")

    def run(self) -> str:
        """Assess a whole recording and write the files; returns a summary. Raises `UserError` if it is too short."""
        windows = self._new_windows()
        if not windows:
            minutes, least = self._record.n_samples / MINUTE, self._model.config.min_recorded_minutes
            raise UserError(f"{self._record.path}: has {minutes:.1f} minutes; a window needs at least {least:g}")
        make_folder(self._out)
        self._add(windows, threading.Event())
        return self._write()

    def follow(self) -> str:
        """As `run`, and add each new minute of a recording that grows, until SIGINT or SIGTERM."""
        logging.getLogger(signal_files.__name__).setLevel(logging.ERROR)  # it is shorter than its header says each time
        make_folder(self._out)
        with _stop_event() as stopped:
            summary = self._write()
            while not stopped.is_set():
                if windows := self._new_windows():
                    self._add(windows, stopped)
                    summary = self._write()
                elif not stopped.wait(LOOK_EVERY_S):
                    self._record.look_again()
            return summary

    def _new_windows(self) -> list[Window]:
        config, n_done = self._model.config, len(self._windows)
        first = round(self._windows["stop_s"][n_done - 1].as_py() / 60) + 1 if n_done else 0
        return list(moving_windows(first, self._record.n_samples, config.window_minutes, config.min_recorded_minutes))

    def _add(self, windows: list[Window], stopped: threading.Event) -> None:
        """Assess windows, and stop early if somebody wants it."""
        samples = map(self._record.read_window, windows)
        tables, some = [self._windows], []
        with closing(assess_windows(self._folder, samples, len(windows), self._model)) as rows:
            for row in tqdm(rows, "minutes", len(windows), disable=None):
                some.append(row | {"time": self._record.time_at(row["stop_s"])})
                if len(some) == _ROWS_AT_ONCE:  # a table takes a tenth of the memory of its rows
                    tables.append(table_from_rows("monitor", some))
                    some = []
                if stopped.is_set():
                    break
        self._windows = pa.concat_tables([*tables, table_from_rows("monitor", some)]).combine_chunks()

    def _write(self) -> str:
        alerts = find_alerts(self._windows, self._model.config, self._record)
        write_table(self._out / WINDOWS, "monitor", self._windows)
        write_table(self._out / ALERTS, "monitor_alerts", alerts)
        write_monitor_page(self._out / PAGE, self._windows, alerts, self._known, self._model, self._record)
        return f"{sum_up(self._windows, alerts)}; see {self._out / PAGE}"


@contextmanager
def _stop_event() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, in place of what they do elsewhere."""
    stopped = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
