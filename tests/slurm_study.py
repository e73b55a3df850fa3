"""A study run on SLURM through the project's profile, as a site would set it, and SLURM's own records of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from run_workflow import ROOT

ACCOUNT, PARTITION, GPU_PARTITION = "hyperkalemia", "short", "accelerated"  # those of tests/slurm/up.sh
FIELDS = "JobIDRaw,Comment,State,ReqMem,TimelimitRaw,Partition,Account,ReqTRES"
_GROUPS = ("excerpts-", "beats-", "rounds_", "page_")


def slurm(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def wait_until(holds, seconds: float = 300.0) -> None:
    """Until the function says true; an error if it does not within the time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.2)


def _is_of(comment: str, name: str) -> bool:
    """Whether a submission's comment is of this rule, or of a group whose name begins so."""
    of = comment.removeprefix("rule_").split("_wildcards_")[0]
    return of == name or (name.startswith(_GROUPS) and of.startswith(name))


class SlurmStudy:
    """A folder with a profile of its own, whose jobs SLURM knows by the folder."""

    def __init__(self, folder: Path, study: str):
        self.folder, self.study = folder, study
        self.runs = 0
        (folder / "profile").mkdir(parents=True)

    def configure(self, **changes) -> None:
        """Write the profile: the project's, with the lines that a site edits, shorter waits, and the changes."""
        profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
        profile["default-resources"] |= {"slurm_account": ACCOUNT, "slurm_partition": PARTITION}
        profile["set-resources"]["generic"] = {"gpu": 1, "slurm_partition": GPU_PARTITION}
        profile |= {"latency-wait": 10, "slurm-init-seconds-before-status-checks": 5}
        for key, change in changes.items():
            profile[key] = profile[key] | change
        (self.folder / "profile/config.yaml").write_text(yaml.safe_dump(profile))

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake, and return its process."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", self.folder]
        command += ["--workflow-profile", self.folder / "profile", "--configfile", ROOT / "config.yaml", self.study]
        self.runs += 1
        with open(self.folder / f"run-{self.runs}.log", "w") as log:
            return subprocess.Popen(
                list(map(str, (*command, *arguments))),
                stdout=log,
                stderr=subprocess.STDOUT,
                # a process started in the background may have been told to ignore Ctrl-C
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run Snakemake to its end; returns its exit status and what it said."""
        process = self.start(*arguments)
        try:
            process.wait(timeout=900)
        finally:
            process.kill()
        return process.returncode, (self.folder / f"run-{self.runs}.log").read_text()

    def records(self) -> list[dict[str, str]]:
        """What the accounting knows of the folder's submissions, in their order."""
        wanted = f"{FIELDS},WorkDir"
        lines = slurm("sacct", "-X", "-n", "-P", "-S", "now-2hours", "-o", wanted).splitlines()
        rows = [dict(zip(wanted.split(","), line.split("|"), strict=True)) for line in lines]
        mine = [row for row in rows if row["WorkDir"] == os.fspath(self.folder)]
        return sorted(mine, key=lambda row: int(row["JobIDRaw"]))

    def records_of(self, name: str) -> list[dict[str, str]]:
        """Of a rule's or a group's submissions."""
        return [row for row in self.records() if _is_of(row["Comment"], name)]

    def queue(self, name: str = "", states: str = "PENDING,RUNNING,COMPLETING") -> list[str]:
        """The numbers of a rule's or a group's submissions (of all, without a name) that have not ended."""
        # the accounting learns a comment, which says what a submission is, no sooner than the submission ends
        lines = slurm("squeue", "-h", "-t", states, "-o", "%A|%k|%Z").splitlines()
        rows = [line.split("|") for line in lines]
        mine = [(job, comment) for job, comment, folder in rows if folder == os.fspath(self.folder)]
        return [job for job, comment in mine if not name or _is_of(comment, name)]

    def cancel(self) -> None:
        """End every job from outside of Snakemake, and wait until none is left."""
        if jobs := self.queue():
            slurm("scancel", *jobs)
        wait_until(lambda: not self.queue())
