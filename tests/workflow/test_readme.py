"""The README's commands, as they are printed."""

import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import ROOT
from kalemia.core.tables import read_json

pytestmark = pytest.mark.workflow
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
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
    assert {command.split()[0] for command in COMMANDS} == {"make", ".venv/bin/kalemia", ".venv/bin/snakemake"}


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
    (target,) = (
        word for command in COMMANDS for word in command.split() if "/round-" in word and "/snakemake" in command
    )
    (k,) = re.findall(r"/round-(\d+)/", target)
    run = _run(f".venv/bin/snakemake --cores 2 --dry-run {target}", checkout)
    assert re.search(rf"^finetune +{k}$", run.stdout + run.stderr, flags=re.MULTILINE)


def test_the_readme_predicts_with_a_network_and_a_recording_of_the_demo(checkout):
    export, predict = ([*command.split(), ""] for command in COMMANDS if "/kalemia " in command)
    option = {name: value for words in (export, predict) for name, value in pairwise(words) if name.startswith("--")}
    assert option["--to"] == option["--model"]
    assert (checkout / option["--record"]).with_suffix(".hea").is_file()
    assert f"]({option['--plot']})" in README
    target = f"{export[2]}/model.safetensors"
    run = _run(f".venv/bin/snakemake --cores 2 --dry-run {target}", checkout)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(rf"^finetune +{target.rsplit('-', 1)[1][0]}$", run.stdout + run.stderr, flags=re.MULTILINE)


def test_the_recording_of_the_readme_is_later_than_all_draws_that_the_network_learned_from(checkout):
    export, predict = (command.split() for command in COMMANDS if "/kalemia " in command)
    _, arm, subject, _ = export[2].rsplit("/", 3)
    run = _run(f".venv/bin/snakemake --cores 2 results/personal/{arm}/{subject}/split.json", checkout)
    assert run.returncode == 0, run.stdout + run.stderr
    split = read_json(checkout / f"results/personal/{arm}/{subject}/split.json")
    recording = predict[predict.index("--record") + 1]
    learned = {draw for pair in split["rounds"] for draw in pair}
    of_recording = {draw["draw_id"] for draw in split["draws"] if recording.endswith(draw["recording"])}
    assert of_recording <= set(split["test"])
    assert not of_recording & learned
