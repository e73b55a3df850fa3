"""The README's commands, as they are printed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import ROOT
from kalemia.core.config_files import read_study
from kalemia.core.paths import subject_name
from kalemia.core.tables import read_json
from kalemia.simulate.patients import cohort
from kalemia.simulate.recordings import recording_name, stretch_start

pytestmark = pytest.mark.workflow
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with the environment of this test."""
    folder = tmp_path_factory.mktemp("checkout") / "kalemia"
    left_out = shutil.ignore_patterns(".git", ".venv", ".snakemake", "results", "tests")
    shutil.copytree(ROOT, folder, ignore=left_out)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture(scope="module")
def demo():
    """The study that `make demo` runs, and its patients."""
    study = read_study(ROOT / "config.yaml", [ROOT / "studies/demo.yaml"])
    return study, cohort(study.simulation, study.analyte, study.seed)


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
    run = _run(command.replace("/snakemake ", "/snakemake --dry-run "), checkout)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^total +\d+$", run.stdout + run.stderr, flags=re.MULTILINE)


def _options(command: str) -> dict[str, str]:
    return {name: value for name, value in pairwise([*command.split(), ""]) if name.startswith("--")}


def test_the_readme_predicts_from_the_recording_of_the_demo_that_is_whole(demo):
    export, predict = (command for command in COMMANDS if "/kalemia " in command)
    assert _options(export)["--to"] == _options(predict)["--model"]
    assert f"]({_options(predict)['--plot']})" in README
    (person,) = [person for person in demo[1] if person.whole_stretch is not None]
    recording = Path(_options(predict)["--record"])
    assert recording.name == recording_name(person, person.whole_stretch)
    assert recording.parent.name == Path(export.split()[2]).parent.name == subject_name(person.subject_id)


def test_the_readme_says_what_comes_out_in_at_most_six_hundred_words_before_it_leads_on():
    before, _ = README.split("## Read on")
    assert len(before.split()) <= 600
    assert "docs/report.png" in before
    assert {"make test", "make demo", "make demo-no"} <= set(COMMANDS)


@pytest.fixture
def finished():
    if "KALEMIA_PLANTED" not in os.environ:
        pytest.skip("KALEMIA_PLANTED names no folder with the finished study demo")
    return Path(os.environ["KALEMIA_PLANTED"]) / "demo"


@pytest.mark.planted
def test_the_network_of_the_readme_learned_from_draws_before_the_recording(demo, finished):
    export, predict = (command for command in COMMANDS if "/kalemia " in command)
    _, arm, subject, round_ = export.split()[2].rsplit("/", 3)
    split = read_json(finished / f"personal/{arm}/{subject}/split.json")
    learned = {draw for pair in split["rounds"][: int(round_.removeprefix("round-"))] for draw in pair}
    recording = _options(predict)["--record"]
    (person,) = [person for person in demo[1] if person.whole_stretch is not None]
    start = stretch_start(person, person.whole_stretch)
    assert recording.endswith(recording_name(person, person.whole_stretch))
    times = [datetime.fromisoformat(draw["time"]) for draw in split["draws"] if draw["draw_id"] in learned]
    assert len(times) == len(learned) > 0
    assert max(times) < start


@pytest.mark.planted
def test_the_readme_s_network_says_of_the_recording_of_the_demo_what_is_printed(finished, tmp_path):
    export, predict = (shlex.split(command)[1:] for command in COMMANDS if "/kalemia " in command)
    cli = [sys.executable, "-c", "from kalemia.cli import main; main()"]
    in_finished = [word.replace("results/demo", str(finished.resolve())) for word in (*export, "\n", *predict)]
    at = in_finished.index("\n")
    subprocess.run([*cli, *in_finished[:at]], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "docs").mkdir()
    said = subprocess.run([*cli, *in_finished[at + 1 :]], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert said.stdout.splitlines()[0] in README.splitlines()
