"""Every baseline beside the last round, with means worked out by hand."""

from types import SimpleNamespace

import pytest

from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.evaluation.collect import average_rows, write_baseline_averages
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
}
MEANS = {
    "generic": (0.6, 0.7, 0.6, 0.6),
    "threshold": (0.85, 0.7, 0.75, 0.95),
    "platt_offset": (0.7, 0.7, 0.7, 0.7),
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
    rows = average_rows("forward", rounds, baselines)
    assert {row["patients"] for row in rows} == {2}
    assert {row["model"]: tuple(row[name] for name in NAMES) for row in rows} == {
        model: pytest.approx(means) for model, means in MEANS.items()
    }
    assert rows[-1]["model"] == "last_round"


def test_an_arm_without_patients_has_no_row(rounds, baselines):
    assert average_rows("paper", rounds, baselines) == []


def test_the_page_says_how_much_of_the_accuracy_is_recalibration(rounds, baselines, tmp_path):
    write_table(tmp_path / "rounds.parquet", "rounds", rounds)
    write_table(tmp_path / "baselines.parquet", "baseline_metrics", baselines)
    tables = [tmp_path / f"{name}.parquet" for name in ("rounds", "baselines")]
    write_baseline_averages(*tables, ["forward", "paper"], tmp_path, "")
    averages = read_table(tmp_path / "baseline_averages.parquet", "baseline_averages")
    (filled,) = negative_controls.baseline_tables(["forward", "paper"], averages)
    assert filled["recalibration"] == (
        "the generic network has a mean accuracy of 0.600, recalibration alone reaches 0.850 at best"
        " (threshold), and the last round 0.980, a difference of +0.130"
    )
    page = _section(averages)
    assert '<th scope="row">threshold</th><td class="n">0.700</td><td class="n">0.850</td>\n' in page
    assert '<td class="n">0.750</td><td class="n">0.950</td><td class="n">2</td></tr>' in page
    assert '<th scope="row">last round</th><td class="n">0.950</td><td class="n">0.980</td>\n' in page
    assert f"forward: {filled['recalibration']}." in page


def _section(averages) -> str:
    """The section of an arm without claims."""
    arm = SimpleNamespace(protocol="forward", train="last_stages")
    study = SimpleNamespace(arms={"forward": arm}, analyte=SimpleNamespace(name="potassium"))
    claims = {"arm": None, "arms": {"forward": {}}}
    data = SimpleNamespace(claims=claims, evaluation={"baseline_averages": averages})
    figures = dict.fromkeys(("claims", "baselines", "arms"), "")
    return rendered(
        "sections/negative_controls.html",
        study=study,
        figures=figures,
        **negative_controls.build(study, data, Notes("negative_controls")),
    )
