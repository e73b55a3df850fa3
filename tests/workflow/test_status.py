from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kalemia.cli import main
from kalemia.cohort.subject_names import write_subject_names
from kalemia.core.tables import table_from_rows, write_table
from kalemia.status import status_lines


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _touch(*paths):
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def _write_cohort():
    rows = [{"subject_id": 7, "candidate_population": "personal"}, {"subject_id": 9, "candidate_population": "generic"}]
    write_table("results/cohort/subjects.parquet", "subjects", table_from_rows("subjects", rows))
    write_subject_names("results/cohort/subject_names.parquet", {}, "")


def _write_populations():
    rows = [{"subject_id": 7, "population": "personal"}, {"subject_id": 9, "population": None}]
    write_table("results/cohort/populations.parquet", "populations", table_from_rows("populations", rows))
    draws = [
        {
            "subject_id": 7,
            "draw_id": n,
            "draw_time": datetime(2100, 1, 1) + n * timedelta(days=3),
            "label": n % 2,
            "recording": f"r{n}",
        }
        for n in range(12)
    ]
    write_table("results/cohort/personal.parquet", "personal", table_from_rows("personal", draws))


def _row_of(study, name):
    (line,) = (line for line in status_lines(study) if line.startswith(name))
    return line.removeprefix(name).split()


def test_status_before_the_cohort_names_no_subject(study):
    lines = list(status_lines(study))
    assert "Subjects are known after the stage cohort." in lines
    assert "snakemake -n" in lines[-1]
    assert _row_of(study, "cohort") == ["0", "1"]


def test_candidates_are_listed_before_the_populations(study):
    _write_cohort()
    _touch("results/excerpts/p000007.parquet", "results/beats/p000009.parquet")
    lines = list(status_lines(study))
    assert "p000007  yes       no     not known yet    not known yet  no    2" in lines
    assert "1 generic: excerpts of 0, beats of 1" in lines
    assert (_row_of(study, "excerpts"), _row_of(study, "report")) == (["1", "1"], ["0", "1"])


def test_rounds_are_counted_per_patient_and_arm(study):
    _write_cohort()
    _write_populations()
    arms = list(study.arms)
    before = _row_of(study, "p000007")
    _touch(f"results/personal/{arms[0]}/p000007/round-1/model.safetensors", "results/patients/p000007/report.html")
    after = _row_of(study, "p000007")
    assert (before[2:5], after[2:5]) == (["0", "of", "4"], ["1", "of", "4"])
    assert (before[-2], after[-2], int(before[-1]) - int(after[-1])) == ("no", "yes", 1)
    assert "1 in neither population: excerpts of 0, beats of 0" in list(status_lines(study))
    assert _row_of(study, "rounds") == ["0", "10"]


def test_the_command_names_each_patient_and_starts_nothing(study, tmp_path, capsys):
    _write_cohort()
    before = sorted(tmp_path.rglob("*"))
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("study small, in results\n")
    assert "p000007" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_status_reads_overlays_and_another_folder(study, tmp_path, capsys):
    _write_cohort()
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    (tmp_path / "overlay.yaml").write_text("study: mine\narms: {paper: null}\n")
    assert main(["status", "--configfile", "overlay.yaml", "--results", "elsewhere/"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("study mine, in elsewhere\n")
    assert "forward, rounds" in said
    assert "paper, rounds" not in said


def test_status_reads_settings_of_the_command_line(study, tmp_path, capsys):
    _write_cohort()
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    assert main(["status", "--config", "study=mine", "results=elsewhere", 'source={"max_attempts": 2}']) == 0
    assert capsys.readouterr().out.startswith("study mine, in elsewhere\n")
    for wrong in ("study", "study={"):
        assert main(["status", "--config", wrong]) == 1
        assert capsys.readouterr().err == f"kalemia: --config {wrong}: is not KEY=VALUE\n"


@pytest.mark.parametrize("text", ["cohort: {window_minutes: ten}\n", b"\xff"])
def test_a_wrong_value_and_a_binary_file_are_reported_in_one_line(tmp_path, capsys, text):
    (tmp_path / "overlay.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["status", "--configfile", "overlay.yaml"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_wrong_configuration_is_reported_in_one_line(tmp_path, capsys):
    (tmp_path / "overlay.yaml").write_text("cohort: 3\n")
    assert main(["status", "--configfile", "overlay.yaml"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["status", "--configfile", "none.yaml"]) == 1
    assert "none.yaml: does not exist" in capsys.readouterr().err
