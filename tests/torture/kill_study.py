"""Kill the smallest study again and again, and compare what it ends with to the bytes of an undisturbed run.

The whole process group is killed with SIGKILL, or Snakemake alone, or one process of a job as the out-of-memory killer
would do it. A moment is a number of files in the results, drawn by the seed, so that it does not depend on the speed
of the machine. A run that loses single jobs may be killed more than once. When it has ended, the same command is
started again, and its last run goes on to the end.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from campaign import Tally

from run_workflow import contents_of, run_snakemake, snakemake_command

TINY = ("tests/studies/tiny.yaml",)
POPULATIONS = "results/cohort/populations.parquet"
KILLS_OF_A_STUDY = 10
SETTLE_S = 120  # jobs end with their run though nobody kills them


def run(folder: Path, seed: int, is_short: bool) -> list[Tally]:
    """Twenty kills of the whole group and ten of single jobs; the short form goes no further than the populations."""
    shutil.rmtree(folder, ignore_errors=True)
    targets = (POPULATIONS,) if is_short else ()
    undisturbed = folder / "undisturbed"
    expected = finish(undisturbed, *targets)
    if not expected:
        raise RuntimeError(f"the undisturbed study in {undisturbed} did not end")
    n_moments = len(expected)
    groups = Tally("kills of a run", "started again by the same command, a killed study ends with the same bytes")
    jobs = Tally("kills of single jobs", "as an out-of-memory killer would: the run fails, the next ends the same")
    for tally, victim, n_studies in (
        (groups, kill_group, 1 if is_short else 2),
        (jobs, kill_one_job, 0 if is_short else 1),
    ):
        for number in range(n_studies):
            generator = random.Random(f"{seed} {tally.name} {number}")
            _kill_one_study(
                folder / f"{victim.__name__}-{number}", targets, n_moments, victim, generator, expected, tally
            )
    return [groups, jobs]


def _kill_one_study(
    folder: Path,
    targets: tuple[str, ...],
    n_moments: int,
    victim: Callable[[int, random.Random], bool],
    generator: random.Random,
    expected: dict[str, bytes],
    tally: Tally,
) -> None:
    """Kill one study at ascending moments, let it end, and count all of its kills as they end."""
    n_kills = KILLS_OF_A_STUDY // 2 if targets else KILLS_OF_A_STUDY
    moments = sorted(generator.randrange(n_moments) for _ in range(n_kills))
    killed = []
    while now := kill_in_one_run(folder, targets, moments[len(killed) :], victim, generator):
        killed += now
    found = finish(folder, *targets)
    unlike = [name for name in found if found[name] != expected.get(name)]
    fails = bool(unlike) or not found
    outcome = f"{len(unlike)} of {len(found)} files differ: {unlike[:3]}" if fails else "the same bytes"
    for moment in killed:
        tally.count(f"{folder.name}, with {moment} files", outcome, fails=fails)


def kill_in_one_run(
    folder: Path, targets: tuple[str, ...], moments: list[int], victim: Callable, generator: random.Random
) -> list[int]:
    """Start the study and kill a victim each time that there are so many files; the moments at which it was killed."""
    if not moments:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "said.txt").open("a") as said:
        process = subprocess.Popen(
            snakemake_command(folder, *targets, studies=TINY), stdout=said, stderr=said, start_new_session=True
        )
    killed = []
    while process.poll() is None:
        time.sleep(0.02)
        if len(killed) < len(moments) and _count_files(folder / "results") >= moments[len(killed)]:
            time.sleep(generator.uniform(0, 1))
            if process.poll() is None and victim(process.pid, generator):
                killed.append(moments[len(killed)])
    wait_for_group(process.pid)
    return killed


def kill_group(group: int, _: random.Random) -> bool:
    os.killpg(group, signal.SIGKILL)
    return True


def kill_one_job(group: int, generator: random.Random) -> bool:
    """Kill one process of a job; False while there is none. The server that forks jobs is none: it can be missed."""
    jobs = [pid for pid, parent in _processes_of(group).items() if pid != group and not _is_server(pid, parent, group)]
    if jobs:
        os.kill(generator.choice(jobs), signal.SIGKILL)
    return bool(jobs)


def _is_server(pid: int, parent: int, group: int) -> bool:
    """Whether a process is the job server itself, a child of the run; its forks have the same command line."""
    try:
        return parent == group and b"job_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False


def _processes_of(group: int) -> dict[int, int]:
    """Process -> its parent, of those of a group that have not ended."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):  # it has ended
            continue
        if int(after_name[2]) == group and after_name[0] != "Z":
            found[int(folder.name)] = int(after_name[1])
    return dict(sorted(found.items()))


def wait_for_group(group: int) -> None:
    """Wait until the jobs that the kill left behind have ended, by themselves or with their run."""
    until = time.monotonic() + SETTLE_S
    while _processes_of(group):
        if time.monotonic() > until:
            raise TimeoutError(f"jobs go on {SETTLE_S} s after their run was killed")
        time.sleep(0.05)


def finish(folder: Path, *targets: str) -> dict[str, bytes]:
    """Let the study run to its end; its files, less folders of batches, which stay after an interruption, as links."""
    folder.mkdir(parents=True, exist_ok=True)
    ended = run_snakemake(folder, *targets, studies=TINY)
    if ended.returncode:
        print(ended.stdout + ended.stderr, file=sys.stderr)
        return {}
    return {name: content for name, content in contents_of(folder / "results").items() if "/batch-" not in name}


def _count_files(folder: Path) -> int:
    """Finished files; parts and logs are none."""
    return sum(
        not name.startswith(".") for parent, _, names in os.walk(folder) if "/logs" not in parent for name in names
    )
