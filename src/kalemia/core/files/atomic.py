"""Files and folders that appear whole or not at all, also after a kill or a power failure."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kalemia.core.errors import UserError, as_user_error


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A path part `path` to write to, renamed onto it at the end; on an error nothing is left.

    The file is on the disk before it has its name: after a power failure a renamed file would else be there, and empty.
    After a kill the part stays, and the next run of the workflow removes it. Raises `UserError` for errors of the
    machine, such as a full disk, and for a device or a pipe: the administrator would put a file in place of /dev/null.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{path}: is a device or a pipe, not a file; choose another place")
    part = _part(path)
    try:
        make_folder(path.parent)
        with writing(path):
            part.touch(exist_ok=False)
        mode = part.stat().st_mode  # as the umask says; safetensors makes a file that only its owner can read
        yield part
        part.chmod(mode)
        flush(part)
        os.replace(part, path)
        flush(path.parent)
    except Exception as error:
        mistake = as_user_error(error, path)
        if mistake is None or mistake is error:
            raise
        raise mistake from error
    finally:
        with suppress(OSError):  # where it could not even be made
            part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A folder part `path` to fill with `atomic_file`, renamed to `path` at the end; on an error nothing is left.

    After a kill the part folder stays, and the next writer of the same `path` removes it.
    """
    path = Path(path)
    for left_over in path.parent.glob(f".{path.name}.*.part"):
        shutil.rmtree(left_over)
    part = _part(path)
    with writing(path):
        part.mkdir(parents=True)
    try:
        yield part
        os.rename(part, path)
        flush(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder, with those it is in, if it is not there; raises `UserError` where that cannot be."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise errors of the machine as `UserError`, also that nothing can be made in a place such as /proc."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{path}: nothing can be written there; choose another place") from error
    except OSError as error:
        mistake = as_user_error(error, path)
        if mistake is None:
            raise
        raise mistake from error


def is_part(name: str) -> bool:
    """Whether a file or folder of this name is a part that a kill left behind, if nobody is writing it."""
    return name.startswith(".") and name.endswith(".part")


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot flush a folder
            raise
    finally:
        os.close(descriptor)


def _part(path: Path) -> Path:
    """A name that no other writer has, in another container neither, where process ids start again from 1."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
