"""A small study in which nobody has a personal network, through Snakemake to its report."""

import pytest

from kalemia.core.tables import read_json, read_table
from run_workflow import run_snakemake

pytestmark = pytest.mark.workflow
OVERLAY = {
    "study": "generic",
    "simulation": {"generic_patients": 40, "personal_patients": 0, "single_episode_patients": 0},
    "populations": {"personal_min_draws": 2, "generic_split": {"train": 0.5, "validation": 0.25, "test": 0.25}},
}


def test_a_study_without_personal_patients_ends_in_its_report(tmp_path):
    run = run_snakemake(tmp_path, studies=("tests/studies/tiny.yaml",), config=OVERLAY)
    assert run.returncode == 0, run.stdout + run.stderr
    results = tmp_path / "results"
    assert read_table(results / "cohort/personal.parquet", "personal").num_rows == 0
    assert not (results / "personal/forward").exists()
    found = read_json(results / "evaluation/between_patients.json")
    assert len(found["claims"]["needs_network"]["comparisons"]) == 4
    tested = read_table(results / "generic/predictions.parquet", "predictions")["role"].to_pylist().count("test")
    assert found["draws"] == tested > 0
    page = (results / "report.html").read_text()
    assert "it takes 2 usable draws of each class" in page
    for claim in found["claims"].values():
        assert f"{claim['claim']}: {claim['state']}." in page
    assert '<section id="rounds"' not in page
