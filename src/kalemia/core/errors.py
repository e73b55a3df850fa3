"""The one exception whose message is meant for a person."""

import sys
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class UserError(Exception):
    """Something the user can fix: one line that says what is wrong, where, and what to do.

    Shown without a traceback by the command line, by the Snakefile and in the log of a job.
    """


def exit_on_user_error(function: Callable[..., _T], *arguments) -> _T:
    """The result of a function; its `UserError` ends the process with the message and exit status 1."""
    try:
        return function(*arguments)
    except UserError as error:
        # not handed to sys.exit: while jobs run, Snakemake takes an exit for Ctrl-C and does not show its message
        print(error, file=sys.stderr)
        sys.exit(1)
