"""A run is known to go on or to be gone, and its jobs end with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kalemia.core.runs.run_lock import RUN

RUNNING = """
import sys, time
from pathlib import Path
from kalemia.core.runs.run_lock import hold_run_lock
print(hold_run_lock(Path(sys.argv[1]), with_jobs=True), flush=True)
{then}
"""
ALONE, KILLED = "EarlierRuns(alive=False, killed=False)", "EarlierRuns(alive=False, killed=True)"
ALIVE = "EarlierRuns(alive=True, killed=False)"
JOB = """
import sys, time
from kalemia.core.jobs import job_log
with job_log(sys.argv[1], "rule"):
    open(sys.argv[2], "w").close()
    time.sleep({seconds})
"""


def _start(folder: Path, then: str = "time.sleep(60)") -> tuple[subprocess.Popen, str]:
    """A run, and what it says of earlier ones."""
    command = [sys.executable, "-c", RUNNING.format(then=then), str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != RUN}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    return process, process.stdout.readline().strip()


def _kill(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()


def _said(folder: Path) -> str:
    process, said = _start(folder, "")
    process.communicate()
    assert process.returncode == 0
    return said


def test_a_run_that_goes_on_and_one_that_was_killed_are_told_apart(tmp_path):
    first, said = _start(tmp_path)
    assert said == ALONE
    assert _said(tmp_path) == ALIVE
    _kill(first)
    assert _said(tmp_path) == KILLED
    assert _said(tmp_path) == ALONE


@pytest.mark.parametrize("then", ["", "sys.exit(1)", "raise KeyboardInterrupt"])
def test_a_run_that_ends_by_itself_leaves_nothing(tmp_path, then):
    process, _ = _start(tmp_path, then)
    process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_on_another_machine_is_not_called_killed(tmp_path):
    _kill(_start(tmp_path)[0])
    (left,) = tmp_path.glob("*.run")
    left.write_text("host another\nboot another")
    assert _said(tmp_path) == ALONE


def test_one_name_of_the_machine_is_enough(tmp_path):
    """A new container has another host name; a restarted machine has another boot id."""
    _kill(_start(tmp_path)[0])
    (left,) = tmp_path.glob("*.run")
    left.write_text("host another\n" + left.read_text().splitlines()[0])
    assert _said(tmp_path) == KILLED


def _job(folder: Path, run: Path | str, seconds: float) -> subprocess.Popen:
    """A job of a run, which has begun when this function returns."""
    began = folder / f"began-{seconds}"
    command = [sys.executable, "-c", JOB.format(seconds=seconds), str(folder / "logs/job.log"), str(began)]
    process = subprocess.Popen(command, env=os.environ | {RUN: str(run), "KALEMIA_JOB_SERVER": "off"})
    while not began.exists() and process.poll() is None:
        time.sleep(0.01)
    return process


def test_a_job_ends_with_its_run(tmp_path):
    run, _ = _start(tmp_path / "runs")
    (lock,) = (tmp_path / "runs").glob("*.run")
    short, long = _job(tmp_path, lock, 0.1), _job(tmp_path, lock, 60)
    assert short.wait(20) == 0
    assert long.poll() is None
    _kill(run)
    assert long.wait(20) == 1
    assert "the run that started this job has ended; stopping" in (tmp_path / "logs/job.log").read_text()


def test_a_job_whose_run_has_ended_before_it_begins_ends_too(tmp_path):
    assert _job(tmp_path, tmp_path / "gone.run", 60).wait(20) == 1


def test_a_stopped_run_goes_on(tmp_path):
    process, _ = _start(tmp_path)
    process.send_signal(signal.SIGSTOP)
    assert _said(tmp_path) == ALIVE
    _kill(process)
