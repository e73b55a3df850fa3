"""Results that were moved without Snakemake's records, and then asked for with other settings."""

import shutil

import pytest

from run_workflow import run_snakemake

pytestmark = pytest.mark.workflow
DRAWS = "results/cohort/draws.parquet"


def _run(folder, *arguments, config=None):
    return run_snakemake(folder, *arguments, studies=("tests/studies/tiny.yaml",), config=config)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    run = _run(folder, DRAWS)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_moved_results_of_other_settings_are_refused_in_one_line(original, tmp_path):
    shutil.copytree(original / "results", tmp_path / "results")
    before = (tmp_path / DRAWS).read_bytes()
    for arguments in (["--dry-run"], [DRAWS]):
        said = _run(tmp_path, *arguments, config={"seed": 99})
        assert said.returncode != 0
        (line,) = [line for line in (said.stdout + said.stderr).splitlines() if DRAWS in line]
        assert line.startswith(f"{DRAWS}: was made with other settings")
    assert (tmp_path / DRAWS).read_bytes() == before


def test_moved_results_of_the_same_settings_are_used(original, tmp_path):
    shutil.copytree(original / "results", tmp_path / "results")
    run = _run(tmp_path, DRAWS)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Nothing to be done" in run.stdout + run.stderr


def test_results_moved_with_their_records_are_remade(original, tmp_path):
    shutil.copytree(original, tmp_path / "study")
    assert _run(tmp_path / "study", "--unlock", config={"seed": 99}).returncode == 0
    before = (tmp_path / "study" / DRAWS).read_bytes()
    run = _run(tmp_path / "study", DRAWS, config={"seed": 99})
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "study" / DRAWS).read_bytes() != before
