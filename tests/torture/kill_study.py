"""Kill the tiny study again and again, and compare what it ends with to the bytes of undisturbed runs.

    python tests/torture/kill_study.py FOLDER --chains 6 --kills 4 --seed 1    # 12 kills in batches, 12 at random
    python tests/torture/kill_study.py FOLDER --changes

Each chain is one study. It is killed with SIGKILL, either Snakemake alone or the whole process group, first while
excerpts and beats are written and then at random moments, and started again each time; then it runs to its end. With
--changes the study is killed while the beats, the rounds and the negative controls are made, and goes on with other
settings. One line a kill and a study; the exit status is the number of studies that ended with other bytes. FOLDER
keeps what was made, and the undisturbed study is made once.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from run_workflow import contents_of, run_snakemake, snakemake_command

TINY = ("tests/studies/tiny.yaml",)
BATCHES = ("excerpts", "beats")
MEAN_S, MOST_S = 12.0, 45.0  # a random moment after the start
# stage -> a file that is there while it is made, the settings of the killed run, and those of the next one
CHANGES = {
    "beats": (".batch-*.part/*.parquet", {"beats": {"max_per_draw": 39}}, {"beats": {"max_per_draw": 38}}),
    "personal/*/*/round-1": (".*.part", {"personal": {"max_rounds": 1}}, {"seed": 7}),
    "personal/*/*/nulls": (".*.part", {"arms": {"paper": {"epochs": 2}}}, {"arms": {"paper": {"epochs": 3}}}),
}


def kill(folder: Path, is_moment: Callable[[], bool], whole_group: bool, config: dict | None = None) -> bool:
    """Start the study and kill it at the moment; False if it ended before."""
    command = snakemake_command(folder, studies=TINY, config=config)
    with (folder / "said.txt").open("a") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    while not is_moment() and process.poll() is None:
        time.sleep(0.003)
    killed = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL) if whole_group and killed else process.kill()
    process.wait()
    _wait_for_group(process.pid)
    return killed


def _wait_for_group(group: int) -> None:
    """Wait until the jobs that the kill left behind have ended, by themselves or with their run."""
    started = time.monotonic()
    while time.monotonic() - started < 120:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise TimeoutError("jobs go on two minutes after their run was killed")


def finish(folder: Path, config: dict | None = None) -> dict[str, bytes]:
    run = run_snakemake(folder, studies=TINY, config=config)
    if run.returncode:
        print(run.stdout + run.stderr, file=sys.stderr)
        return {}
    # folders of batches stay after an interruption, as links (docs/running.md)
    return {name: content for name, content in contents_of(folder / "results").items() if "/batch-" not in name}


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def chain(folder: Path, number: int, kills: int, generator: random.Random) -> dict[str, bytes]:
    """A study that is killed `kills` times, and then runs to its end."""
    folder.mkdir()
    for i in range(kills):
        whole_group = bool(generator.getrandbits(1))
        if i < 2:  # the two kinds of batches come first
            stage, n_done = BATCHES[i], generator.randrange(4)
            pattern = f"results/{stage}/.batch-*.part/*.parquet"
            done = kill(folder, lambda pattern=pattern, n=n_done: _count(folder, pattern) > n, whole_group)
            moment = f"in a batch of {stage}"
        else:
            until = time.monotonic() + min(MOST_S, 3 + generator.expovariate(1 / MEAN_S))
            done = kill(folder, lambda until=until: time.monotonic() > until, whole_group)
            moment = "at random"
        who = "the group" if whole_group else "Snakemake alone"
        print(
            f"chain {number}: killed {who} {moment}" if done else f"chain {number}: ended before the kill", flush=True
        )
    return finish(folder)


def _count(folder: Path, pattern: str) -> int:
    return sum(1 for _ in folder.glob(pattern))


def changed(folder: Path, start_from: Path | None, stage: str) -> dict[str, bytes]:
    """A study that is killed in a stage, and then finished with other settings."""
    shutil.copytree(start_from, folder) if start_from else folder.mkdir()
    part, before, after = CHANGES[stage]
    if not kill(folder, lambda: _count(folder, f"results/{stage}/{part}") > 0, whole_group=False, config=before):
        print(f"{stage}: ended before the kill", flush=True)
    return finish(folder, after)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    for name, default in (("chains", 0), ("kills", 4), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--changes", action="store_true")
    given, wrong = parser.parse_args(), 0
    undisturbed = _undisturbed(given.folder / "undisturbed")
    for number in range(given.seed, given.seed + given.chains):
        found = chain(given.folder / f"chain-{number}", number, given.kills, random.Random(number))
        wrong += _report(f"chain {number}", undisturbed, found)
    for stage, (_, _, after) in CHANGES.items() if given.changes else ():
        name = stage.replace("/", "-").replace("*", "")
        expected = _undisturbed(given.folder / f"expected-{name}", after)
        start_from = None if stage == "beats" else given.folder / "undisturbed"
        wrong += _report(f"settings changed in {stage}", expected, changed(given.folder / name, start_from, stage))
    return wrong


def _undisturbed(folder: Path, config: dict | None = None) -> dict[str, bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    return finish(folder, config)


def _report(name: str, expected: dict[str, bytes], found: dict[str, bytes]) -> bool:
    unlike = differences(expected, found)
    said = f"{len(unlike)} of {len(expected)} files differ: {unlike[:5]}" if unlike else "the same bytes"
    print(f"{name}: {said}", flush=True)
    return bool(unlike)


if __name__ == "__main__":
    sys.exit(main())
