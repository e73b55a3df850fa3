"""Assess windows with a model, many side by side in processes."""

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from kalemia.core.schemas import BEAT_SAMPLES, RATE_HZ
from kalemia.core.wording import RESEARCH_USE
from kalemia.models.model import Model, WindowResult, load_model, window_row
from kalemia.monitor.drift import drift_of
from kalemia.monitor.windows import WindowSamples

_PROCESSES = 2  # each holds the libraries and the network in memory
_WORTH_PROCESSES = 40  # windows; processes need seconds to start
_PENDING = 16  # windows that wait for the processes
_BAND = (0.1, 0.9)  # shares of the beats below the band around their mean, and below its upper edge

_model: Model | None = None  # of a process of the pool


def assess_windows(folder: Path, windows: Iterable[WindowSamples], n_windows: int, model: Model) -> Iterator[dict]:
    """A row of the table `monitor` for each window, in order, without its time; about `n_windows` will come.

    folder: of the model, which processes load for themselves. Many windows are assessed in two processes, with the same
    results. Only a few windows are in memory at a time.
    """
    if n_windows < _WORTH_PROCESSES:
        yield from (assess_window(model, samples) for samples in windows)
        return
    context = get_context("forkserver")  # its forks share the libraries, and no thread of this process is lost in them
    context.set_forkserver_preload([__name__])
    pending: deque[Future] = deque()
    with ProcessPoolExecutor(_PROCESSES, context, _start_process, (folder,)) as pool:
        try:
            for samples in windows:
                pending.append(pool.submit(_assess_in_process, samples))
                if len(pending) > _PENDING:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def assess_window(model: Model, samples: WindowSamples) -> dict:
    """The row of one window, without its time."""
    window = samples.window
    if samples.reason:
        place = {"start_s": window.start / RATE_HZ, "stop_s": window.stop_s}
        return place | {"n_beats": 0, "reason": samples.reason, "notice": RESEARCH_USE}
    result = model.assess_window(samples.ecg_mv)
    row = window_row(window.start, window.stop, result)
    return row if result.reason else row | _beat_columns(model, result)


def _beat_columns(model: Model, result: WindowResult) -> dict:
    beats_mv = result.beats["beat"].combine_chunks().flatten().to_numpy().reshape(-1, BEAT_SAMPLES)
    low_mv, high_mv = np.quantile(beats_mv, _BAND, axis=0)
    is_personal = model.config.subject_id is not None
    return {
        "drift": drift_of(result.mean_beat_mv, model.config.mean_beat_mv) if is_personal else None,
        "mean_beat": result.mean_beat_mv,
        "low_beat": low_mv,
        "high_beat": high_mv,
    }


def use_one_thread() -> None:
    """Compute with one thread from now on, as the jobs of a study do; a window is too small for more to be faster."""
    threadpool_limits(1)
    torch.set_num_threads(1)


def _start_process(folder: Path) -> None:
    global _model
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes
    use_one_thread()
    _model = load_model(folder)


def _assess_in_process(samples: WindowSamples) -> dict:
    return assess_window(_model, samples)
