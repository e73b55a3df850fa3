"""A lock that a run of the workflow holds until its process ends, however it ends.

Snakemake's own lock stays after a kill, so that nobody can tell whether the run still goes on; and jobs go on after the
run that started them was killed, and may end while the next run, of other settings, makes the same files. The lock of
this module is one of the operating system: the kernel gives it up with the process.
"""

import atexit
import fcntl
import logging
import os
import platform
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import TextIOWrapper
from pathlib import Path

RUN = "KALEMIA_RUN"  # environment variable: the file that the run of a job has locked


@dataclass(frozen=True)
class EarlierRuns:
    """alive: one goes on, or it cannot be told. killed: one of this machine did not end by itself."""

    alive: bool = False
    killed: bool = False


_held: list[TextIOWrapper] = []  # open until this process ends


@cache  # a process that takes the workflow as a module twice is one run
def hold_run_lock(folder: Path, with_jobs: bool) -> EarlierRuns:
    """Hold a lock in `folder` until this process ends, and say what other runs that held one there have come to.

    with_jobs: jobs of this machine that this process starts end with it (`end_with_run`). On a file system without
    locks nothing is held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    alive = killed = False
    try:
        for path in list(folder.glob("*.run")):
            with path.open("r+") as file:
                if not _lock(file):
                    alive = True
                    continue
                killed |= not _names_of_machine().isdisjoint(file.read().splitlines())
                path.unlink()
        _hold(folder, with_jobs)
    except OSError:  # no locks on this file system, or another run starts at this moment and was faster
        return EarlierRuns(alive=True)
    return EarlierRuns(alive, killed)


def end_with_run() -> None:
    """Let this process, a job's, end as soon as the run that started it has: nobody waits for its files any more."""
    if path := os.environ.get(RUN):
        threading.Thread(target=_exit_when_free, args=(path,), daemon=True).start()


def _hold(folder: Path, with_jobs: bool) -> None:
    name = secrets.token_hex(4)
    new = folder / f"{name}.new"
    file = new.open("w")
    _lock(file)
    file.write("\n".join(sorted(_names_of_machine())))
    file.flush()
    path = new.rename(folder / f"{name}.run").absolute()  # locked before anybody can find it
    _held.append(file)
    atexit.register(path.unlink, missing_ok=True)
    if with_jobs:
        os.environ[RUN] = str(path)


def _lock(file: TextIOWrapper) -> bool:
    """Whether nobody else has locked the file; from now on this process has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exit_when_free(path: str) -> None:
    with suppress(FileNotFoundError), open(path) as file:  # it is not there if the run ended before this job began
        fcntl.flock(file, fcntl.LOCK_SH)
    logging.getLogger("kalemia").info("the run that started this job has ended; stopping")
    os._exit(1)


def _names_of_machine() -> set[str]:
    """Each container has a host name of its own, and a restarted machine a new boot id: one of them will do."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return {f"host {platform.node()}", *({f"boot {boot.read_text().strip()}"} if boot.exists() else ())}
