"""Run a study whose process group is killed, by SIGKILL, while certain files are made, and then to its end."""

import os
import signal
import subprocess
import time
from pathlib import Path

from run_workflow import run_snakemake, snakemake_command


def run_killed(folder: Path, moments: tuple[str, ...], **run) -> None:
    """Kill a study when files of each pattern below `folder` appear, one after the other; then let it finish."""
    for pattern in moments:
        with (folder / "said.txt").open("a") as said:
            command = snakemake_command(folder, **run)
            process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        while not any(folder.glob(pattern)):
            assert process.poll() is None, (folder / "said.txt").read_text()
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        wait_for_the_end_of(process.pid)
    finished = run_snakemake(folder, **run)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def wait_for_the_end_of(group: int) -> None:
    """Jobs end with their run though nobody kills them; a job server that was still loading ends when it has loaded."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("processes of a run go on after it was killed")
