"""What a job says: a log file with times, and a user's mistake as one line instead of a traceback."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kalemia.errors import UserError


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
