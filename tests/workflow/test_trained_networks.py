"""What is done with trained networks: enrollment, the examples of docs/python.md and the notebook, on a tiny study."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kalemia
from kalemia import load_model, read_study
from kalemia.cli import main
from kalemia.core.config_files import config_text
from kalemia.core.config_files import read_study as read_configuration
from kalemia.core.tables import read_json, read_table, write_text
from kalemia.models.registry import Registry
from notebook import code_cells, run_cells
from own_patient import write_own_patient
from run_workflow import ROOT, run_snakemake

pytestmark = pytest.mark.workflow
TINY = ("tests/studies/tiny.yaml",)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The networks of a tiny study, without its pages; its generic network as a model folder."""
    folder = tmp_path_factory.mktemp("trained")
    run = run_snakemake(folder, "personal_networks", studies=TINY)
    assert run.returncode == 0, run.stdout + run.stderr
    study = read_configuration(ROOT / "config.yaml", [ROOT / study for study in TINY])
    write_text(folder / "results/config.yaml", config_text(study))
    assert main(["export", str(folder / "results/generic"), "--to", str(folder / "models/generic")]) == 0
    return folder


@pytest.fixture(scope="module")
def subject(trained):
    """A patient who can be evaluated in the forward arm."""
    arms = read_table(trained / "results/personal/arms.parquet", "arms").to_pylist()
    return next(row["subject_id"] for row in arms if row["arm"] == "forward" and row["rounds"])


def _enroll(trained, own, work, registry):
    command = [
        Path(sys.executable).with_name("kalemia"),
        "enroll",
        "--model",
        trained / "models/generic",
        "--recordings",
        own,
    ]
    command += ["--work", work, "--registry", registry]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1200, check=False)


@pytest.fixture(scope="module")
def enrolled(trained, subject, tmp_path_factory):
    """A folder with a space in its name, in which the patient was enrolled."""
    folder = tmp_path_factory.mktemp("enrolled") / "on a ward"
    write_own_patient(trained / "results", subject, folder / "own")
    run = _enroll(trained, folder / "own", folder / "work", folder / "registry")
    assert run.returncode == 0, run.stdout + run.stderr
    (folder / "said.txt").write_text(run.stdout)
    return folder


def test_enrollment_ends_in_the_registry_with_a_model_a_round(enrolled, subject):
    names = Registry(enrolled / "registry").names()
    said = (enrolled / "said.txt").read_text()
    assert names == [f"p{subject}/forward/round-{k}" for k in range(1, len(names) + 1)]
    assert len(names) == 5
    assert list(Registry(enrolled / "registry").faults()) == []
    assert all(f"registered: {name}\n" in said for name in names)
    assert "generic network: accuracy" in said
    assert said.endswith("Research use only, not a medical device.\n")


def test_the_registered_model_predicts_as_the_workflow_did(enrolled, subject):
    model = load_model(enrolled / f"registry/p{subject}/forward/round-5")
    results = enrolled / "work/results"
    excerpts = read_study(results).table("excerpts", subject_id=subject).to_pylist()
    predictions = read_study(results).table("predictions", subject_id=subject).to_pylist()
    expected = {row["draw_id"]: row["probability"] for row in predictions if row["round"] == 5}
    tested = read_json(results / f"personal/forward/p{subject}/split.json")["test"]
    for excerpt in excerpts:
        if excerpt["draw_id"] in tested:
            assert model.assess_window(excerpt["ecg_mv"]).probability == expected[excerpt["draw_id"]]


def test_the_model_says_that_its_generic_network_comes_from_simulated_patients(enrolled, subject):
    model = load_model(enrolled / f"registry/p{subject}/forward/round-1")
    assert model.config.origin.is_simulated
    assert model.config.origin.study == "enrollment"


def test_a_second_enrollment_changes_nothing(trained, enrolled):
    before = {path: path.stat().st_mtime_ns for path in (enrolled / "work/results/personal").rglob("*")}
    run = _enroll(trained, enrolled / "own", enrolled / "work", enrolled / "registry")
    assert run.stdout == (enrolled / "said.txt").read_text()
    assert {path: path.stat().st_mtime_ns for path in (enrolled / "work/results/personal").rglob("*")} == before


def test_draws_lost_on_the_way_are_counted_in_one_line(trained, enrolled, tmp_path):
    """Only the first recording is there, so that most draws have no ECG."""
    own = tmp_path / "own"
    own.mkdir()
    head, first, *_ = (enrolled / "own/recordings.csv").read_text().splitlines()
    (own / "recordings.csv").write_text(f"{head}\n{first}\n")
    (own / "potassium.csv").write_text((enrolled / "own/potassium.csv").read_text())
    run = _enroll(trained, own, tmp_path / "work", tmp_path / "registry")
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "populations: nobody has 8 usable draws of each class" in run.stderr
    assert not (tmp_path / "registry").exists()


def test_the_whole_study_of_an_enrolled_patient_has_a_page(enrolled):
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", enrolled / "work"]
    command += ["--workflow-profile", ROOT / "profiles/default", "--cores", "2"]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1200, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    page = " ".join((enrolled / "work/results/report.html").read_text().split())
    assert "it was imported from a model folder" in page


def test_the_examples_of_the_python_page_run_as_they_are_printed(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    page = (ROOT / "docs/python.md").read_text()
    blocks, namespace = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL), {}
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), namespace)
    first, *rows = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ beats, \d+ of them good, \d+ a minute", first)
    assert len(rows) == 6
    assert 0 <= namespace["probability"] <= 1
    assert namespace["mine"].config.kind == "personal"


def test_the_python_page_names_every_function_of_the_package(trained):
    page = (ROOT / "docs/python.md").read_text()
    for name in set(kalemia.__all__) - {"__version__"}:
        assert f"{name}(" in page


def test_the_notebook_runs_and_draws_what_it_shows(trained, monkeypatch):
    monkeypatch.chdir(trained)
    notebook = json.loads((ROOT / "docs/notebooks/first-beats.ipynb").read_text())
    stored, made = [cell["outputs"] for cell in code_cells(notebook)], run_cells(notebook)
    assert _kinds(made) == _kinds(stored)
    assert any("image/png" in kinds for kinds in _kinds(made))
    assert "probability" in json.dumps(made)


def _kinds(outputs):
    return [[name for one in cell for name in one.get("data", [one["output_type"]])] for cell in outputs]
