"""Job logging: a log file with times, and a user's mistake as one line instead of a traceback; visible GPUs."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from kalemia.core.errors import UserError

PROGRESS_EVERY_S = 10.0

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


def track_progress(description: str, items: Iterable[_T], total: int) -> Iterator[_T]:
    """Yield the items, and log and print from time to time how many are done and how long the rest will take."""
    started = last_printed = time.monotonic()
    for n_done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last_printed >= PROGRESS_EVERY_S:
            last_printed, left_s = now, (now - started) / n_done * (total - n_done)
            log_and_print(f"{description}: {n_done} of {total} done, about {left_s / 60:.0f} min left")


def log_and_print(line: str) -> None:
    """Write a line to the log and to the terminal."""
    _log.info(line)
    print(line, file=sys.stderr, flush=True)


@contextmanager
def error_context(subject: str) -> Iterator[None]:
    """Add the subject's name to an unexpected error that is raised inside."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in the work on {subject}")
        raise


@contextmanager
def job_log(path: str) -> Iterator[logging.Logger]:
    """Log the job to `path`; a `UserError` inside becomes its last line, and exit status 1."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
    log = logging.getLogger("kalemia")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield log
    except UserError as error:
        log.error("error: %s", error)
        print(f"kalemia: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception:
        log.exception("unexpected error, please report it")
        raise
    finally:
        log.removeHandler(handler)
        handler.close()


def set_visible_gpus(n_requested: int) -> None:
    """Hide all GPUs from this process if it requested none; call it before torch looks for them.

    Some clusters, and every workstation, show a job GPUs that it did not request.
    """
    if not n_requested:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
