"""A lock that processes hold one after the other while they make one file."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kalemia.core.files.atomic import make_folder


@contextmanager
def hold_file_lock(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock file `path`, and hold it; a file system without locks has none."""
    make_folder(path.parent)
    with path.open("w") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
