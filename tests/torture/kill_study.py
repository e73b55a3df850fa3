"""Kill the tiny study again and again, and compare what it ends with to the bytes of undisturbed runs.

    python tests/torture/kill_study.py FOLDER --batches 2 --random 2    # 12 kills in batches, 12 at random moments
    python tests/torture/kill_study.py FOLDER --changes

A study is killed six times with SIGKILL, either Snakemake alone or the whole process group, while batches of excerpts
and of beats are written or at random moments, and is started again each time; then it runs to its end. With --changes
it is killed while the beats, the rounds and the negative controls are made, and goes on with other settings. One line a
kill and a study; the exit status is the number of studies that ended with other bytes. FOLDER keeps what was made, and
the undisturbed study is made once.
"""

import argparse
import base64
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from run_workflow import contents_of, run_snakemake, snakemake_command

TINY = ("tests/studies/tiny.yaml",)
BATCHES_END = ("results/cohort/populations.parquet",)
MEAN_S, MOST_S = 12.0, 45.0  # a random moment after the start
# what is made when the kill comes -> its outputs, the settings of the killed run, and those of the next one
PAPER_EPOCHS = {"arms": {"paper": {"epochs": 2}}}, {"arms": {"paper": {"epochs": 3}}}
CHANGES = {
    "beats": ("results/beats/batch-*", {"beats": {"max_per_draw": 39}}, {"beats": {"max_per_draw": 38}}),
    "rounds": ("results/personal/paper/*/round-1/model.safetensors", *PAPER_EPOCHS),
    "nulls": ("results/personal/paper/*/nulls/*", *PAPER_EPOCHS),
}


def kill(folder: Path, is_moment: Callable[[], bool], whole_group: bool, **run) -> bool:
    """Start the study and kill it at the moment; False if it ended before."""
    command = snakemake_command(folder, *run.pop("targets", ()), studies=TINY, **run)
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


def finish(folder: Path, *targets: str, config: dict | None = None) -> dict[str, bytes]:
    """Let the study run to its end; its files, less folders of batches, which stay after an interruption, as links."""
    run = run_snakemake(folder, *targets, studies=TINY, config=config)
    if run.returncode:
        print(run.stdout + run.stderr, file=sys.stderr)
        return {}
    return {name: content for name, content in contents_of(folder / "results").items() if "/batch-" not in name}


def killed_in_batches(folder: Path, generator: random.Random) -> dict[str, bytes]:
    """A study until the populations, killed three times in batches of excerpts and three times in those of beats."""
    for stage in ("excerpts",) * 3 + ("beats",) * 3:
        n_done, whole_group = generator.randrange(4), bool(generator.getrandbits(1))
        pattern = f"results/{stage}/.batch-*.part/*.parquet"
        done = kill(folder, lambda p=pattern, n=n_done: _count(folder, p) > n, whole_group, targets=BATCHES_END)
        print(*_line(whole_group, done, f"in a batch of {stage}, {n_done + 1} files written"), flush=True)
    return finish(folder, *BATCHES_END)


def killed_at_random(folder: Path, generator: random.Random) -> dict[str, bytes]:
    """A whole study, killed six times."""
    for _ in range(6):
        seconds, whole_group = min(MOST_S, 3 + generator.expovariate(1 / MEAN_S)), bool(generator.getrandbits(1))
        until = time.monotonic() + seconds
        done = kill(folder, lambda until=until: time.monotonic() > until, whole_group)
        print(*_line(whole_group, done, f"after {seconds:.1f} s"), flush=True)
    return finish(folder)


def _line(whole_group: bool, done: bool, moment: str) -> tuple[str, ...]:
    if not done:
        return ("ended before the kill",)
    return "killed", "the group" if whole_group else "Snakemake alone", moment


def _count(folder: Path, pattern: str) -> int:
    return sum(1 for _ in folder.glob(pattern))


def _is_marked(folder: Path, pattern: str) -> bool:
    """Whether Snakemake has marked an output as being made; the name of the mark is that of the output in base64."""
    marks = (folder / ".snakemake/incomplete").glob("*")
    return any(fnmatch(base64.urlsafe_b64decode(mark.name).decode(), pattern) for mark in marks)


def killed_and_changed(folder: Path, undisturbed: Path, made: str) -> dict[str, bytes]:
    """The undisturbed study with other settings, killed while some files are made, and finished with yet other ones."""
    shutil.copytree(undisturbed, folder)
    pattern, before, after = CHANGES[made]
    done = kill(folder, lambda: _is_marked(folder, pattern), whole_group=False, config=before)
    print(*_line(False, done, f"while {made} are made"), flush=True)
    return finish(folder, config=after)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    for name, default in (("batches", 0), ("random", 0), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--changes", action="store_true")
    given, wrong = parser.parse_args(), 0
    undisturbed = _undisturbed(given.folder / "undisturbed")
    for killed, n_studies in ((killed_in_batches, given.batches), (killed_at_random, given.random)):
        for number in range(given.seed, given.seed + n_studies):
            folder = given.folder / f"{killed.__name__}-{number}"
            folder.mkdir()
            wrong += _report(folder.name, undisturbed, killed(folder, random.Random(number)))
    for made, (_, _, after) in CHANGES.items() if given.changes else ():
        expected = _undisturbed(given.folder / f"expected-{'beats' if made == 'beats' else 'paper'}", after)
        found = killed_and_changed(given.folder / made, given.folder / "undisturbed", made)
        wrong += _report(f"settings changed while {made} are made", expected, found)
    return wrong


def _undisturbed(folder: Path, config: dict | None = None) -> dict[str, bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    return finish(folder, config=config)


def _report(name: str, expected: dict[str, bytes], found: dict[str, bytes]) -> bool:
    """Whether the files of a study differ from those expected, as far as it went."""
    unlike = sorted(name for name in found if found[name] != expected.get(name))
    said = (
        f"{len(unlike)} of {len(found)} files differ: {unlike[:5]}" if unlike else f"{len(found)} files, the same bytes"
    )
    print(f"{name}: {said}", flush=True)
    return bool(unlike) or not found


if __name__ == "__main__":
    sys.exit(main())
