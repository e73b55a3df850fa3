"""Job logging: a log file with times, and a user's mistake as one line instead of a traceback; visible GPUs."""

import logging
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from kalemia.core.errors import as_user_error
from kalemia.core.job_server import run_in_server
from kalemia.core.runs.run_lock import end_with_run

PROGRESS_EVERY_S = 10.0

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


_is_job = False


def is_job() -> bool:
    """Whether this process is a job of the workflow."""
    return _is_job


def shows_bars() -> bool:
    """Whether progress is a bar: on a terminal, but not in a job, beside which others print."""
    return sys.stderr.isatty() and not _is_job


def track_progress(description: str, items: Iterable[_T], total: int) -> Iterator[_T]:
    """Yield the items, and show how many are done and how long the rest takes: a bar, or a line from time to time."""
    if shows_bars():
        from tqdm import tqdm  # here, because jobs never need it

        yield from tqdm(items, description, total, leave=False)
        return
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
def job_log(path: str, rule: str) -> Iterator[logging.Logger]:
    """Log the job to `path` below a folder "logs", and write the time it took below the folder "times" beside that.

    An error for a person (`core.errors.as_user_error`) becomes the last line of the log, and exit status 1. Where a job
    server runs (`core.job_server`), the job is handed over to it. On the machine of the run, the job ends with the run.
    """
    global _is_job
    run_in_server()
    end_with_run()
    _is_job = True
    began_s = time.monotonic()
    log = logging.getLogger("kalemia")
    log.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, must not hide why the job failed
    try:
        with _log_file(log, path):
            try:
                yield log
                _write_usage(Path(path), rule, time.monotonic() - began_s)
            except Exception as error:
                mistake = as_user_error(error)
                if mistake is None:
                    log.exception("unexpected error, please report it")
                else:
                    log.error("error: %s", mistake)
                raise
    except Exception as error:
        mistake = as_user_error(error)
        if mistake is None:
            raise
        sys.stderr.write(f"kalemia: {mistake}\n")  # at once, so that lines of two jobs do not mix
        raise SystemExit(1) from None


@contextmanager
def _log_file(log: logging.Logger, path: str) -> Iterator[None]:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        with suppress(OSError):  # the last lines of a log on a full disk
            handler.close()


def _write_usage(log_path: Path, rule: str, seconds: float) -> None:
    """Write times/{rule}/{log_path below logs/}.tsv: seconds, processor time, and the largest memory in MB.

    Snakemake's own benchmarks look at a job every few seconds: they miss short jobs, and forks of the job server.
    """
    logs = next(folder for folder in log_path.parents if folder.name == "logs")
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(one.ru_utime + one.ru_stime for one in usage)
    memory_mb = max(one.ru_maxrss for one in usage) / (1024**2 if sys.platform == "darwin" else 1024)
    path = logs.with_name("times") / rule / log_path.relative_to(logs).with_suffix(".tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\tcpu_s\tmax_rss_mb\n{seconds:.2f}\t{cpu_s:.2f}\t{memory_mb:.1f}\n")


def set_visible_gpus(n_requested: int) -> None:
    """Hide all GPUs from this process if it requested none; call it before torch looks for them.

    Some clusters, and every workstation, show a job GPUs that it did not request.
    """
    if not n_requested:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
