"""Tiny studies through Snakemake that ask for something else: another analyte, or what cannot be."""

import re
from pathlib import Path

import pytest

from kalemia.core.tables import read_table
from run_workflow import one_line, run_snakemake

pytestmark = pytest.mark.workflow
TINY = "tests/studies/tiny.yaml"


def _run(folder: Path, config: dict):
    return run_snakemake(folder, studies=(TINY,), config=config)


def test_another_analyte_is_a_change_of_the_configuration(tmp_path):
    run = run_snakemake(tmp_path, studies=("studies/hypokalemia.yaml", TINY), config={"results": "results"})
    assert run.returncode == 0, run.stdout + run.stderr
    draws = read_table(tmp_path / "results/cohort/draws.parquet", "draws").to_pylist()
    labels = {row["label"]: row["value"] for row in draws}
    assert labels[1] < 3.5 <= labels[0]
    subjects = [path.name for path in (tmp_path / "results/patients").iterdir()]
    assert len(subjects) == 2
    for page in (tmp_path / "results").glob("**/report.html"):
        text = page.read_text()
        assert "ypokalemia" in text
        ours = re.sub(r"Chiu|[^.>]*for hyperkalemia[^.]*|[^.>]*studied hyperkalemia", "", text)
        assert "yperkalemia" not in ours


def test_an_unknown_key_stops_before_any_work(tmp_path):
    line = one_line(_run(tmp_path, {"generic": {"epoch": 3}}), "generic.epoch")
    assert line.endswith("did you mean epochs?")
    assert not (tmp_path / "results").exists()


def test_a_threshold_out_of_order_stops_before_any_work(tmp_path):
    one_line(_run(tmp_path, {"analyte": {"positive": {"above": 4.0}}}), "analyte.positive")
    assert not (tmp_path / "results").exists()


def test_a_missing_table_stops_before_any_work(tmp_path):
    (tmp_path / "tables").mkdir()
    source = {"kind": "physionet", "waveforms": str(tmp_path), "tables": str(tmp_path / "tables")}
    run = _run(tmp_path, {"source": source})
    assert run.returncode != 0
    said = [line for line in (run.stdout + run.stderr).splitlines() if "has no PATIENTS.csv.gz" in line]
    assert len(said) == 1
    assert "Traceback" not in run.stdout + run.stderr
    assert not (tmp_path / "results").exists()


def test_an_empty_cohort_is_one_line_and_leaves_nothing_half_written(tmp_path):
    run = _run(tmp_path, {"analyte": {"plausible": {"from": 1.5, "to": 1.6}}})
    one_line(run, "cohort: no draw can be used")
    written = {path.name for path in (tmp_path / "results").glob("cohort/*")}
    assert written <= {"height_weight.parquet", "claims.json"}  # which need no cohort
