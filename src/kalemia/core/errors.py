"""The one exception whose message is meant for a person, and errors of the machine as such messages."""

import errno
import os
import re
import resource
import sys
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

# what a person can do about an error of the operating system; others are faults of Kalemia
_ADVICE = {
    errno.ENOSPC: "free some space there, or choose another folder",
    errno.EDQUOT: "free some space there, or ask for a larger quota",
    errno.EROFS: "choose another folder",
    errno.EACCES: "give yourself permission, or choose another place",
    errno.EPERM: "give yourself permission, or choose another place",
    errno.EFBIG: "raise the limit on the size of a file (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs, or raise the limit on open files",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ENOTDIR: "a part of this path is a file; remove it, or choose another place",
    errno.EEXIST: "a file has the name of this folder; remove it, or choose another place",
    errno.EISDIR: "a folder has the name of this file; remove it, or choose another place",
    errno.EIO: "check the disk",
    errno.ESTALE: "check the network file system, and run again",
}
_MAX_SHOWN = 950  # characters of a message
# a library that could not be loaded, an array of torch, a thread: each has its own words for it
_NO_MEMORY = re.compile(r"failed to map segment|[Cc]annot allocate memory|can't allocate memory|can't start new thread")
_ALL_MEMORY = 0.9  # of what the process may have; libraries that get no more raise any error


class UserError(Exception):
    """Something the user can fix: one line that says what is wrong, where, and what to do.

    Shown without a traceback by the command line, by the Snakefile and in the log of a job. A message that quotes data
    may be of any length; its middle is left out then.

    >>> len(str(UserError("x" * 5000)))
    907
    """

    def __init__(self, message: str):
        line = " ".join(message.splitlines())
        super().__init__(line if len(line) <= _MAX_SHOWN else f"{line[:600]} [...] {line[-300:]}")


def as_user_error(error: Exception, place: str | os.PathLike | None = None) -> UserError | None:
    """An error as one line for a person: a `UserError`, or one of the machine such as a full disk; None for others.

    place: the file that was being worked on, for errors that do not name theirs.
    """
    if isinstance(error, UserError):
        return error
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)) or _is_memory_used_up():
        return UserError("out of memory; give the job more, or run fewer jobs at a time")
    number = _errno_of(error)
    if number in _ADVICE:
        named = getattr(error, "filename", None)
        if isinstance(named, (str, bytes)) and not os.fsdecode(named).endswith(".part"):  # a name that nobody knows
            place = os.fsdecode(named)
        place = place or named or "a file"
        return UserError(f"{place}: {os.strerror(number)}; {_ADVICE[number]}")
    return None


def _is_memory_used_up() -> bool:
    """Whether the process has nearly all the memory that `ulimit -v` allows; False where Linux does not say so."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return False
    try:
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[0])
    except OSError:
        return False
    return pages * resource.getpagesize() > _ALL_MEMORY * limit


def _errno_of(error: Exception) -> int | None:
    """The number of an error of the operating system, also if a library in Rust has only its text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def exit_on_user_error(function: Callable[..., _T], *arguments) -> _T:
    """The result of a function; an error for a person ends the process with its message and exit status 1."""
    try:
        return function(*arguments)
    except Exception as error:
        mistake = as_user_error(error)
        if mistake is None:
            raise
        # not handed to sys.exit: while jobs run, Snakemake takes an exit for Ctrl-C and does not show its message
        print(mistake, file=sys.stderr)
        sys.exit(1)
