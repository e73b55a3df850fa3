"""The page that may be shared: nobody can be found in it, and it still answers."""

import dataclasses
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.report.formatting import MISSING
from kalemia.report.inputs import read_study
from kalemia.report.public.page import arm_rows, characteristics_rows, flow_rows, generic_rows, write_public_page
from kalemia.report.public.small_cells import CELL, FEW, FEW_PEOPLE, quartiles, rounded_count, rounded_share
from private_values import private_values, text_of_page, those_on
from report_fixture import PERSONAL


@pytest.fixture(scope="module")
def page(results, study):
    write_public_page(results / "public/report.html", study, results)
    return text_of_page(results / "public/report.html")


def test_no_id_and_no_date_of_the_input_is_on_the_page(page, results):
    private = set(private_values(results))
    assert len(private) > 100
    assert {str(subject) for subject in PERSONAL} <= private
    assert those_on(page, private) == []
    assert not re.search(r"\d{4}-\d\d-\d\d", page)
    assert not re.search(r"\bp\d{5,}", page)


def test_the_study_s_own_page_would_fail_that_test(results):
    own = text_of_page(results / "report.html")
    assert those_on(own, private_values(results))


def test_every_count_is_rounded_or_hidden(page):
    cells = [cell.strip() for cell in re.findall(r'<td class="n">([^<]*)</td>', page)]
    counts = [int(cell.replace(",", "").split(" (")[0]) for cell in cells if re.fullmatch(r"[\d,]+( \(\d+%\))?", cell)]
    assert len(counts) > 20
    assert all(n % CELL == 0 and n >= CELL for n in counts)


def test_it_says_its_smallest_cell_and_answers_the_question(page):
    assert f"Smallest cell: {CELL}." in page
    assert "Does personal training help a network read potassium from the ECG?" in page
    assert 'class="mark' in page


def test_fewer_than_five_patients_get_no_figure(page):
    assert "Not decided: too few patients." in page  # of the four personal patients three are evaluable
    assert FEW_PEOPLE in page
    assert not re.search(r"AUC [+-]\d", page)


def test_a_study_without_personal_patients_has_a_page_too(without_personal, study, tmp_path):
    write_public_page(tmp_path / "report.html", study, without_personal)
    assert "Can a network read potassium from the ECG of people it never saw?" in text_of_page(tmp_path / "report.html")


def test_the_page_is_the_same_on_every_writing(results, study, tmp_path):
    write_public_page(tmp_path / "one.html", study, results)
    write_public_page(tmp_path / "two.html", study, results)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_text_of_the_study_is_escaped(results, study, tmp_path):
    write_public_page(tmp_path / "page.html", dataclasses.replace(study, study="<script>alert(1)</script>"), results)
    assert "<script>alert" not in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("n", "shown"), [(None, MISSING), (0, FEW), (4, FEW), (5, "5"), (7, "5"), (8, "10"), (1233, "1,235")]
)
def test_counts_are_rounded_to_five(n, shown):
    assert rounded_count(n) == shown


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_a_share_never_tells_of_fewer_than_five_people(inside, outside):
    shown = rounded_share(inside, inside + outside)
    if inside < CELL or outside < CELL:
        assert not re.search(r"\d", shown.replace(FEW, ""))


@given(st.integers(5, 3000), st.integers(1, 4))
def test_neighboring_counts_do_not_tell_whom_a_step_took(n, taken):
    """Whatever is shown of two steps, at least two numbers of people lost agree with it."""
    shown = rounded_count(n), rounded_count(n - taken)
    others = [
        more - less
        for more in range(max(0, n - 4), n + 5)
        for less in range(max(0, n - taken - 4), more + 1)
        if (rounded_count(more), rounded_count(less)) == shown
    ]
    assert len(set(others)) > 1


def test_quartiles_need_five_people_in_each_quarter():
    assert quartiles([60.0, 50.0, 70.0], 19) == FEW_PEOPLE
    assert quartiles([60.0, 50.0, 70.0], 20) == "60 (50-70)"


def _population(n: int, **counts) -> dict:
    return {
        "n": n,
        "age_median_iqr": [60.0, 50.0, 70.0],
        "men": [2, 0.5],
        "ethnicity": {"White": n},
        "draws": 80,
        "positive": 40,
        "negative": 40,
        "potassium_positive_mean_sd": [6.1, 0.2],
        "potassium_negative_mean_sd": [4.1, 0.2],
        "missing": {"age": 0, "gender": 0},
    } | counts


def test_a_population_of_four_is_not_described(study):
    rows = characteristics_rows({"generic": _population(4), "personal": _population(4)}, {0: 4, 1: 4}, study)
    assert rows[0] == ("Patients", [FEW, FEW])
    assert all(cells == [FEW_PEOPLE, FEW_PEOPLE] for _, cells in rows[1:])


def test_a_class_whose_draws_are_of_few_people_is_not_described(study):
    rows = dict(characteristics_rows({"generic": _population(40), "personal": _population(40)}, {0: 36, 1: 4}, study))
    assert rows["of these positive, above 5.5 mEq/L"] == [FEW_PEOPLE, "40"]
    assert rows["Potassium of positive draws, mEq/L, mean"] == [FEW_PEOPLE, "6.1"]
    assert rows["Potassium of negative draws, mEq/L, mean"] == ["4.1", "4.1"]


def test_a_characteristic_known_of_few_people_is_not_described(study):
    unknown = _population(40, missing={"age": 21, "gender": 36})
    rows = dict(characteristics_rows({"generic": unknown, "personal": unknown}, {0: 40, 1: 40}, study))
    assert rows["Age at the first draw, years, median (IQR)"] == [FEW_PEOPLE, FEW_PEOPLE]
    assert rows["Men"] == [FEW, FEW]


def test_a_group_with_everybody_in_it_is_not_shown(study):
    rows = dict(characteristics_rows({"generic": _population(40), "personal": _population(40)}, {0: 9, 1: 9}, study))
    assert rows["White"] == ["not shown", "not shown"]


def test_draws_of_few_people_are_not_counted():
    (row,) = flow_rows([{"step": "lead present", "rule": None, "subjects": 4, "draws": 80}])
    assert (row["subjects"], row["draws"]) == (FEW, FEW_PEOPLE)


def test_a_mean_needs_five_patients_whose_value_is_known(results, study):
    data = read_study(results)
    arm = study.deciding_arm
    values = [0.7, *[None] * 5]
    evidence = pa.table({"arm": [arm] * 6, "auc": [0.8] * 6, "auc_comparator": [0.6] * 6, "auc_shifted": values})
    rounds = [{"auc": {"mean": 0.5, "n": 4}}]
    few = dataclasses.replace(
        data,
        evaluation=data.evaluation | {"evidence": evidence},
        summary=data.summary | {"arms": {name: {"rounds": rounds} for name in study.arms}},
    )
    row = next(row for row in arm_rows(study, few) if row["arm"] == arm)
    assert [row[key] for key in ("before", "after", "comparator", "shifted")] == [
        FEW_PEOPLE,
        "0.80",
        "0.60",
        FEW_PEOPLE,
    ]


def test_the_networks_figures_need_five_people_of_each_class():
    metrics = {"n": 60, "n_positive": 30, "subjects": 14, "accuracy": [0.8, 0.7, 0.9], "auroc": [0.9, 0.8, 1.0]}
    subjects = [*range(10), *[10, 11, 12, 13] * 8]
    predictions = pa.table({"subject_id": subjects, "label": [0] * 10 + [1] * 32, "role": ["test"] * 42})
    (row,) = generic_rows({"test": {"draws": metrics, "beats": metrics}}, predictions)
    assert row == {
        "split": "test",
        "people": "15",
        "draws": "60",
        "positive": FEW_PEOPLE,
        "accuracy": FEW_PEOPLE,
        "auroc": FEW_PEOPLE,
    }
