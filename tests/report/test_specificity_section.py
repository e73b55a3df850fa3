"""The section "Is it potassium?", filled from a made-up study with other analytes."""

import dataclasses

import pytest

from kalemia.cli import main
from kalemia.core.config_files import config_text
from kalemia.core.tables import write_text
from kalemia.report.inputs import read_study
from kalemia.report.section import Notes
from kalemia.report.sections.specificity import build, conclude
from report_fixture import write_results

READ_BETTER = {"state": "shown", "difference": 0.2, "lower": 0.1}
NOT_BETTER = {"state": "open", "difference": 0.02, "lower": -0.1}


def _control(state, less=NOT_BETTER, correlation=None):
    return {"state": state, "own_less_control": less, "correlation": correlation}


@pytest.mark.parametrize(
    ("reads", "controls", "expected"),
    [
        ("open", {"sodium": _control("shown")}, "The networks are not shown to read potassium"),
        ("shown", {}, "This study trained no networks on other analytes (controls)"),
        (
            "shown",
            {"sodium": _control("shown")},
            "Sodium is read as well, and potassium is not shown to be read better.",
        ),
        (
            "shown",
            {"sodium": _control("shown", READ_BETTER)},
            "though potassium is read better (AUC +0.20, at least +0.10)",
        ),
        ("shown", {"sodium": _control("shown", correlation=-0.51)}, "mean rank correlation of -0.51"),
        (
            "shown",  # the labels of what goes with potassium can be learned from potassium alone
            {"sodium": _control("shown", READ_BETTER)},
            "This does not tell potassium from it: either may be read through the other, or both",
        ),
        ("shown", {"sodium": _control("open")}, "Whether sodium can be read as well is open"),
        ("shown", {"sodium": _control("excluded")}, "Nothing that matters is read about sodium"),
    ],
)
def test_the_page_says_what_follows(reads, controls, expected):
    assert expected in conclude("potassium", {"state": reads}, controls)


def test_without_a_deciding_arm_nothing_follows():
    assert "not shown" in conclude("potassium", None, {})


@pytest.fixture(scope="module")
def with_sodium(study):
    forward = dataclasses.replace(study.arms["forward"], negative_controls={"shifted": 3})
    return dataclasses.replace(study, arms={**study.arms, "forward": forward}, controls=("sodium",))


@pytest.fixture(scope="module")
def results(tmp_path_factory, with_sodium):
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, with_sodium)
    write_text(folder / "config.yaml", config_text(with_sodium))
    return folder


def test_every_analyte_and_treatment_has_a_row(results, with_sodium):
    filled = build(with_sodium, read_study(results), Notes("specificity"))
    (row,) = filled["controls"]
    assert (row["name"], row["state"], filled["runs"]) == ("sodium", "open", 4)
    assert row["without"] == "1 patient: its draws do not have both classes of sodium"
    assert row["correlation"] == pytest.approx(-1)
    assert filled["own"]["name"] == "potassium"
    treatments = ["calcium", "insulin", "bicarbonate", "dialysis", "any"]
    assert [(row["arm"], row["treatment"]) for row in filled["treated"]] == [
        (arm, treatment) for arm in ("forward", "paper") for treatment in treatments
    ]
    assert [row["draws"] > 0 for row in filled["treated"][:5]] == [False, True, False, False, True]


def test_the_offset_of_the_window_is_stated(results, with_sodium):
    moved = dataclasses.replace(with_sodium, cohort=dataclasses.replace(with_sodium.cohort, offset_hours=6.0))
    assert build(moved, read_study(results), Notes("specificity"))["window"] == "10 minutes that end 6 hours before"
    assert build(with_sodium, read_study(results), Notes("specificity"))["window"] == ""


@pytest.mark.slow
def test_report_rebuilds_the_tables_and_the_section(results, tmp_path):
    before = {path.name: path.read_bytes() for path in (results / "evaluation").glob("control*")}
    assert main(["report", "--from", str(results), "--to", str(tmp_path / "copy")]) == 0
    after = {path.name: path.read_bytes() for path in (tmp_path / "copy/evaluation").glob("control*")}
    assert sorted(before) == ["control_evidence.parquet", "control_runs.parquet", "controls.json"]
    assert after == before
    assert "Is it potassium?" in (tmp_path / "copy/report.html").read_text()
