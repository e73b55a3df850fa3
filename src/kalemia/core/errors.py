"""The one exception that is a message to a person."""


class UserError(Exception):
    """Something the user can mend: one line that says what is wrong, where, and what to do.

    Shown without a traceback, by the command line, by the Snakefile and in the log of a job.
    """
