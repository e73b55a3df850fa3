"""Real files through the whole workflow. The ECG and the potassium are of different people: plumbing, and a null."""

import dataclasses
import json

import pytest

from kalemia.core.tables import read_table
from real_mirror import PERSONAL, write_real_mirror
from run_workflow import run_snakemake

pytestmark = [pytest.mark.realdata, pytest.mark.workflow]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, real_data, study):
    folder = tmp_path_factory.mktemp("realdata")
    analyte = dataclasses.replace(study.analyte, items=(50971, 50822))
    carriers = write_real_mirror(folder / "mirror", real_data, analyte)
    source = {"waveforms": str(folder / "mirror"), "tables": str(real_data / "mimiciii-demo")}
    studies = ("studies/mimic3.yaml", "tests/studies/realdata.yaml")
    run = run_snakemake(folder, studies=studies, config={"source": source})
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "results/mimic3", carriers


def test_the_real_files_reach_the_report(finished):
    results, _ = finished
    page = (results / "report.html").read_text()
    assert "Simulated patients" not in page
    assert (results / f"patients/p{PERSONAL:06d}/report.html").exists()


def test_the_personal_patient_has_the_draws_that_the_tables_hold(finished):
    results, _ = finished
    rows = read_table(results / "cohort/draws.parquet", "draws").to_pylist()
    mine = [row for row in rows if row["subject_id"] == PERSONAL]
    assert [sum(row["label"] == label for row in mine) for label in (1, 0)] == [8, 12]
    populations = read_table(results / "cohort/populations.parquet", "populations").to_pylist()
    assert [row["subject_id"] for row in populations if row["population"] == "personal"] == [PERSONAL]


def test_most_draws_of_the_personal_patient_have_real_values_of_other_analytes(finished):
    results, _ = finished
    for control in ("sodium", "hemoglobin"):
        values = read_table(results / f"cohort/control-{control}.parquet", "control_values")
        assert values["subject_id"].to_pylist().count(PERSONAL) > 5
    assert set(json.loads((results / "evaluation/controls.json").read_text())["controls"]) == {"sodium", "hemoglobin"}


def test_the_complete_multi_segment_record_is_read_and_the_incomplete_one_is_counted(finished):
    results, carriers = finished
    for kind, reason in (("complete", None), ("incomplete", "file missing")):
        rows = read_table(results / f"excerpts/p{carriers[kind]:06d}.parquet", "excerpts").to_pylist()
        assert reason in {row["reason"] for row in rows}
    steps = json.loads((results / "cohort/flow.json").read_text())["steps"]
    reasons = {reason: count for step in steps for reason, count in step["reasons"].items()}
    assert reasons["file missing"]["subjects"] == 1
    assert reasons["atrial fibrillation coded"]["subjects"] > 20
