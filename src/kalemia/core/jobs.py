"""Job logging: a log file with times, and a user's mistake as one line instead of a traceback."""

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


def progress(what: str, items: Iterable[_T], total: int) -> Iterator[_T]:
    """The items as they come, while the log and the terminal are told how many are done and the time left."""
    began = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said >= PROGRESS_EVERY_S:
            said, left_s = now, (now - began) / done * (total - done)
            say(f"{what}: {done} of {total} done, about {left_s / 60:.0f} min left")


def say(line: str) -> None:
    """Tell both the log and the terminal."""
    _log.info(line)
    print(line, file=sys.stderr, flush=True)


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Let an unexpected error inside say whose work it came from."""
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


def hide_gpus_not_asked_for(n_asked: int) -> None:
    """With none asked for, this process sees none; to be called before torch looks for them.

    Not every cluster hides the GPUs that a job was not given, and a workstation hides none.
    """
    if not n_asked:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
