"""The README's commands, as they are printed."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

pytestmark = pytest.mark.workflow
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with the environment of this test, in which the default study knows who its patients are."""
    folder = tmp_path_factory.mktemp("checkout") / "kalemia"
    left_out = shutil.ignore_patterns(".git", ".venv", ".snakemake", "results", "tests")
    shutil.copytree(ROOT, folder, ignore=left_out)
    (folder / ".venv").symlink_to(sys.prefix)
    run = _run(".venv/bin/snakemake --cores 2 results/cohort/populations.parquet", folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def _run(command: str, folder: Path):
    return subprocess.run(shlex.split(command), cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def test_the_readme_prints_commands_that_this_test_knows():
    assert {command.split()[0] for command in COMMANDS} == {"make", ".venv/bin/snakemake"}


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_make_has_every_target_of_the_readme(command):
    run = _run(f"{command} --dry-run", ROOT)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("command", [command for command in COMMANDS if "/snakemake " in command])
def test_snakemake_plans_every_command_of_the_readme(checkout, command):
    run = _run(f"{command} --dry-run", checkout)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^total +\d+$", run.stdout + run.stderr, flags=re.MULTILINE)


def test_the_patient_of_the_readme_has_the_rounds_that_it_names(checkout):
    (target,) = (word for command in COMMANDS for word in command.split() if "/round-" in word)
    (k,) = re.findall(r"/round-(\d+)/", target)
    run = _run(f".venv/bin/snakemake --cores 2 --dry-run {target}", checkout)
    assert re.search(rf"^finetune +{k}$", run.stdout + run.stderr, flags=re.MULTILINE)
