"""One case in a process of its own, with limits of time and memory, so that a crash or a hang is a result too."""

import logging
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable

MEMORY_BYTES = 2 << 30
HANG_S = 20


def outcome_of(case: Callable[[], str]) -> tuple[str, bool]:
    """What a case returns, and whether it broke a promise: by an exception, a crash, a hang, or more than 2 GB.

    A case returns a short text, which begins with "wrong" if it found something wrong.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        logging.disable()  # what readers log of a bad file is not the case's answer
        signal.alarm(HANG_S)
        try:
            said = case()
        except BaseException:  # whatever it is, it is the result
            said = "wrong: " + " | ".join(traceback.format_exc().splitlines()[-3:])
        with os.fdopen(writing, "w") as pipe:
            pipe.write(said)
        os._exit(0)
    os.close(writing)
    started = time.monotonic()
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status, used = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hangs = number == signal.SIGALRM
        return f"hangs for {time.monotonic() - started:.0f} s" if hangs else f"ended by signal {number}", True
    if used.ru_maxrss * 1024 > MEMORY_BYTES:
        return f"takes {used.ru_maxrss >> 20} GB", True
    return said, said.startswith("wrong")
