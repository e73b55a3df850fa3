"""Every baseline beside the last round, with means worked out by hand."""

import math
from types import SimpleNamespace

import pytest

from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.evaluation.baseline_averages import (
    average_rows,
    metrics_by_model,
    recalibration_rows,
    write_baseline_averages,
)
from kalemia.report.html import rendered
from kalemia.report.section import Notes
from kalemia.report.sections import negative_controls

NAMES = ("accuracy", "auc", "sensitivity", "specificity")
AFTER = {  # of a subject after a round; the third one's test draws are all of one class, so that there is no AUC
    (1, 1): (1.0, 1.0, 1.0, 1.0),
    (1, 0): (0.5, 0.6, 0.4, 0.6),
    (2, 0): (0.7, 0.8, 0.8, 0.6),
    (2, 1): (0.0, 0.0, 0.0, 0.0),
    (2, 2): (0.96, 0.9, 0.92, 1.0),
    (3, 1): (0.1, None, None, 0.1),
}
OF_BASELINES = {
    ("generic", 1): (0.5, 0.6, 0.4, 0.6),
    ("generic", 2): (0.7, 0.8, 0.8, 0.6),
    ("generic", 3): (0.2, None, None, 0.2),
    ("threshold", 1): (0.8, 0.6, 0.7, 0.9),
    ("threshold", 2): (0.9, 0.8, 0.8, 1.0),
    ("platt_offset", 1): (0.7, 0.6, 0.7, 0.7),
    ("platt_offset", 2): (0.7, 0.8, 0.7, 0.7),
    ("last_value", 2): (1.0, 1.0, 1.0, 1.0),
    ("mean_beat", 1): (0.6, 0.7, 0.6, 0.6),
    ("mean_beat", 2): (0.6, 0.9, 0.6, 0.6),
    ("time_since_admission", 1): (1.0, 1.0, 1.0, 1.0),
    ("time_since_admission", 2): (0.8, 0.9, 0.8, 0.8),
    ("last_label", 1): (0.5, 0.5, 0.5, 0.5),
    ("last_label", 2): (0.7, 0.7, 0.7, 0.7),
}
MEANS = {
    "generic": (0.6, 0.7, 0.6, 0.6),
    "threshold": (0.85, 0.7, 0.75, 0.95),
    "platt_offset": (0.7, 0.7, 0.7, 0.7),
    "mean_beat": (0.6, 0.8, 0.6, 0.6),
    "time_since_admission": (0.9, 0.95, 0.9, 0.9),
    "last_label": (0.6, 0.6, 0.6, 0.6),
    "last_round": (0.98, 0.95, 0.96, 1.0),
}


@pytest.fixture
def rounds():
    rows = [
        {"arm": "forward", "subject_id": subject, "round": round_} | dict(zip(NAMES, metrics, strict=True))
        for (subject, round_), metrics in AFTER.items()
    ]
    return table_from_rows("rounds", rows)


@pytest.fixture
def baselines():
    rows = [
        {"arm": "forward", "subject_id": subject, "baseline": name} | dict(zip(NAMES, metrics, strict=True))
        for (name, subject), metrics in OF_BASELINES.items()
    ]
    return table_from_rows("baseline_metrics", rows)


def test_every_mean_is_over_the_patients_with_an_auc_after_their_last_round(rounds, baselines):
    rows = average_rows("forward", metrics_by_model("forward", rounds, baselines))
    assert {row["patients"] for row in rows} == {2}
    assert {row["model"]: tuple(row[name] for name in NAMES) for row in rows} == {
        model: pytest.approx(means) for model, means in MEANS.items()
    }
    assert rows[-1]["model"] == "last_round"


def test_an_arm_without_patients_has_no_row(rounds, baselines):
    assert average_rows("paper", metrics_by_model("paper", rounds, baselines)) == []


def test_each_patient_has_the_recalibration_that_is_best_in_the_others():
    of = {
        "threshold": {1: 0.9, 2: 0.5, 3: 0.5},
        "platt_offset": {1: 0.5, 2: 0.6, 3: 0.6},
        "last_round": {1: 0.6, 2: 1.0, 3: 0.8},
    }
    by_model = {
        model: {subject: {"accuracy": accuracy} for subject, accuracy in values.items()} for model, values in of.items()
    }
    (row,) = recalibration_rows("forward", by_model)
    # the offset for patient 1, the threshold for 2 and 3: differences 0.1, 0.5, 0.3; t = 2.920 for 2 degrees of freedom
    half = 2.91998558 * 0.2 / math.sqrt(3)
    assert (row["chosen"], row["patients"]) == ("threshold", 3)
    assert row["recalibrated"] == pytest.approx(0.5)
    assert [row[name] for name in ("difference", "lower", "upper")] == pytest.approx([0.3, 0.3 - half, 0.3 + half])


@pytest.mark.parametrize(
    ("difference", "lower", "patients", "words"),
    [
        (0.2, 0.1, 8, "more than recalibration explains"),
        (0.2, -0.1, 8, "recalibration alone may explain it"),
        (0.2, 0.1, 7, "too few patients to tell whether recalibration explains it"),
        (0.2, None, 8, "too few patients to tell whether recalibration explains it"),
        (-0.1, -0.2, 8, "no gain beyond recalibration"),
    ],
)
def test_the_page_says_whether_recalibration_explains_the_gain(difference, lower, patients, words):
    row = {"chosen": "threshold", "recalibrated": 0.7, "last_round": 0.7 + difference, "patients": patients}
    said = negative_controls.recalibration_gain(row | {"difference": difference, "lower": lower, "upper": 0.3})
    assert said.endswith(f": {words}")


def test_patients_who_do_not_differ_give_no_bounds():
    by_model = {model: {1: {"accuracy": a}, 2: {"accuracy": a}} for model, a in (("threshold", 0.5), ("last_round", 1))}
    (row,) = recalibration_rows("forward", by_model)
    assert (row["difference"], row["lower"], row["upper"]) == (0.5, None, None)


def test_nothing_is_chosen_for_a_single_patient():
    by_model = {model: {1: {"accuracy": 0.5}} for model in ("threshold", "last_round")}
    assert recalibration_rows("forward", by_model) == []


def test_the_page_keeps_comparators_and_decisions_apart(rounds, baselines, tmp_path):
    write_table(tmp_path / "rounds.parquet", "rounds", rounds)
    write_table(tmp_path / "baselines.parquet", "baseline_metrics", baselines)
    tables = [tmp_path / f"{name}.parquet" for name in ("rounds", "baselines")]
    write_baseline_averages(*tables, ["forward", "paper"], tmp_path, "")
    names = ("baseline_averages", "recalibration_gains")
    page = _section({name: read_table(tmp_path / f"{name}.parquet", name) for name in names})
    comparators, decisions = page.split('id="table-decisions-forward"')
    assert '<th scope="row">mean beat</th><td class="n">0.800</td><td class="n">0.600</td>\n' in comparators
    assert '<th scope="row">last round</th><td class="n">0.950</td><td class="n">0.980</td>\n' in comparators
    for name in ("threshold", "time since admission", "last value"):
        assert f'<th scope="row">{name}</th>' not in comparators
    assert '<th scope="row">threshold</th><td class="n">0.850</td><td class="n">0.750</td>\n' in decisions
    assert '<th scope="row">mean beat</th>' not in decisions
    # differences 0.2 and 0.06: t = 6.314 for 1 degree of freedom
    assert (
        "forward: recalibration alone reaches a mean accuracy of 0.850 (for each patient the kind that is best in the"
        " others, mostly threshold) and the last round 0.980, a difference of +0.13 (-0.31 to +0.57): too few"
        " patients to tell whether recalibration explains it."
    ) in page
    assert "time since admission alone has a mean AUC of 0.95" in page
    assert "forward: the last label 0.60." in page


def test_the_page_warns_of_a_clock_only_where_it_tells():
    means = {"time_since_admission": {"name": "time since admission", "auc": 0.8}}
    assert negative_controls.clock_warning("forward", means) == ""
    means["time_since_admission"]["auc"] = 0.81
    assert negative_controls.clock_warning("forward", means).startswith("forward: time since admission alone")
    assert negative_controls.clock_warning("forward", {}) == ""


def _section(evaluation) -> str:
    """The section of an arm without claims."""
    arm = SimpleNamespace(protocol="forward", train="last_stages")
    study = SimpleNamespace(arms={"forward": arm}, analyte=SimpleNamespace(name="potassium"))
    data = SimpleNamespace(claims={"arm": None, "arms": {"forward": {}}}, evaluation=evaluation)
    figures = dict.fromkeys(("claims", "baselines", "arms"), "")
    return rendered(
        "sections/negative_controls.html",
        study=study,
        figures=figures,
        **negative_controls.build(study, data, Notes("negative_controls")),
    )
