"""Files that must stay as they are while a job reads them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from kalemia.core.errors import UserError


@contextmanager
def unchanged_files(paths: Iterable[str]) -> Iterator[None]:
    """Raise `UserError` at the end if one of the files has another size, time or inode than at the beginning.

    Else a job would make one result of two versions of its source, and the result would be newer than both.
    """
    before = _states(paths)
    yield
    after = _states(before)
    for path, state in before.items():
        if after.get(path) != state:
            raise UserError(f"{path}: was changed while it was read; run again when nobody writes it")


def _states(paths: Iterable[str]) -> dict[str, tuple[int, ...]]:
    states = {}
    for path in paths:
        with suppress(FileNotFoundError):
            status = os.stat(path)
            states[str(path)] = status.st_mtime_ns, status.st_size, status.st_ino
    return states
