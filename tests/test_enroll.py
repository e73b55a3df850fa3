"""Enrollment up to the start of the workflow; tests/workflow/test_enroll.py runs it."""

import dataclasses

import pytest

from kalemia.cli import main
from kalemia.core.config import Network, Range, Study
from kalemia.core.config_files import config_text, read_config
from kalemia.enroll import ARM, enrollment_study
from model_folders import model_config, write_model

GENERIC = {"kind": "generic", "subject_id": None, "arm": None, "round": None}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The working directory, with a generic model folder and the recordings of a patient with few draws."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "generic", **GENERIC)
    _write_own(tmp_path / "own", [(7, value) for value in (6.1, 4.2, 4.3, 5.2, 4.4)])
    return tmp_path


def _write_own(folder, draws, subjects=(7,)):
    folder.mkdir()
    lines = [f"{subject},2024-05-17 08:00,ward-{subject}.csv,II" for subject in subjects]
    (folder / "recordings.csv").write_text("\n".join(["subject,start,path,lead", *lines]))
    lines = [f"{subject},2024-05-17 09:{i:02d},{value}" for i, (subject, value) in enumerate(draws)]
    (folder / "potassium.csv").write_text("\n".join(["subject,time,potassium", *lines]))


def _enroll(model="generic", recordings="own", *more):
    options = ["--model", model, "--recordings", recordings, "--work", "work", "--registry", "registry", *more]
    return main(["enroll", *options])


@pytest.mark.parametrize(
    ("draws", "more", "said"),
    [
        ([], (), "has 1 positive draw and 3 negative; 8 of each are needed (--min-draws)"),
        ([(7, "9.9")] * 2, ("--min-draws", "4"), "has 3 positive draws and 3 negative; 4 of each are needed"),
        ([(8, 6.0)], (), "has 2 subjects, and one is enrolled at a time"),
        ([(7, 6.0)], ("--min-draws", "0"), "config: populations.personal_min_draws: 0 is less than the minimum of 1"),
    ],
)
def test_who_cannot_be_enrolled_is_told_so_in_one_line_and_nothing_is_written(place, draws, more, said, capsys):
    with (place / "own/potassium.csv").open("a") as file:
        for i, (subject, value) in enumerate(draws):
            file.write(f"\n{subject},2024-05-18 09:{i:02d},{value}")
    assert _enroll("generic", "own", *more) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err
    assert output.err.count("\n") == 1
    assert {path.name for path in place.iterdir()} == {"generic", "own"}


@pytest.mark.parametrize(
    ("model", "recordings", "said"),
    [
        ("personal", "own", "has a network of one patient"),
        ("own", "own", "config.json: does not exist"),
        ("generic", "nowhere", "nowhere: does not exist"),
        ("generic", "generic", "recordings.csv"),
    ],
)
def test_a_folder_that_does_not_do_is_refused_in_one_line(place, model, recordings, said, capsys):
    write_model(place / "personal")
    assert _enroll(model, recordings) == 1
    output = capsys.readouterr()
    assert said in output.err
    assert output.err.count("\n") == 1
    assert not (place / "work").exists()
    assert not (place / "registry").exists()


def test_settings_that_the_network_depends_on_are_those_of_the_folder(place, tmp_path):
    made = model_config()
    changes = {
        "network": Network(depth=18, width=2),
        "lead": "V5",
        "ecg": dataclasses.replace(made.ecg, notch_hz=50),
        "analyte": dataclasses.replace(made.analyte, positive=Range(from_=6.0)),
        "decision": "mean_logit",
    }
    study = enrollment_study(write_model(tmp_path / "other", **GENERIC, **changes), place / "own")
    assert study.network == changes["network"]
    assert study.cohort.lead == "V5"
    assert study.ecg.notch_hz == 50
    assert study.analyte.positive == Range(from_=6.0)
    assert study.evaluation.decision == "mean_logit"
    assert list(study.arms) == [ARM]
    assert study.arms[ARM].null_chunks == {}


def test_the_workflow_reads_the_configuration_as_it_is_meant(place, tmp_path):
    analyte = dataclasses.replace(model_config().analyte, positive=Range(from_=6.0))
    study = enrollment_study(write_model(tmp_path / "other", **GENERIC, analyte=analyte), place / "own")
    (tmp_path / "config.yaml").write_text(config_text(study))
    assert Study.from_config(read_config(tmp_path / "config.yaml")) == study
