"""The page that may be shared: nobody can be found in it, and it still answers."""

import dataclasses
import html
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.report.formatting import MISSING
from kalemia.report.public.page import characteristics_rows, write_public_page
from kalemia.report.public.small_cells import CELL, FEW, FEW_PEOPLE, quartiles, rounded_count, rounded_share
from report_fixture import PERSONAL

IDS = re.compile(r"(subject|draw|hadm|stay|recording|record|admission)(_id|_name)?$")


@pytest.fixture(scope="module")
def page(results, study):
    write_public_page(results / "public/report.html", study, results)
    return _text(results / "public/report.html")


def _text(path):
    """What a person or a search for attributes can read of a page: everything but style and script."""
    source = re.sub(r"(?s)<(style|script)>.*?</\1>", "", path.read_text("utf-8"))
    return html.unescape(source)


def _identifying(results):
    """Every id and every date of the tables that the study's results hold."""
    for path in results.rglob("*.parquet"):
        table = pq.read_table(path)
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_timestamp(column.type):
                yield from {f"{time:%Y-%m-%d}" for time in column.to_pylist() if time}
            elif IDS.fullmatch(name):
                yield from {str(value) for value in column.to_pylist() if value is not None and len(str(value)) > 2}


def test_no_id_and_no_date_of_the_input_is_on_the_page(page, results):
    private = set(_identifying(results))
    assert len(private) > 100
    assert {str(subject) for subject in PERSONAL} <= private
    assert not [one for one in private if re.search(rf"(?<!\w)p?0*{re.escape(one)}(?!\w)", page)]
    assert not re.search(r"\d{4}-\d\d-\d\d", page)
    assert not re.search(r"\bp\d{5,}", page)


def test_the_study_s_own_page_would_fail_that_test(results):
    own = _text(results / "report.html")
    assert any(re.search(rf"(?<!\w)p?0*{re.escape(one)}(?!\w)", own) for one in _identifying(results))


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
    assert "Can a network read potassium from the ECG of people it never saw?" in _text(tmp_path / "report.html")


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
    if 0 < inside < CELL or 0 < outside < CELL:
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


def test_a_population_of_four_is_not_described(study):
    few = {
        "n": 4,
        "age_median_iqr": [60.0, 50.0, 70.0],
        "men": [2, 0.5],
        "ethnicity": {"White": 4},
        "draws": 80,
        "positive": 40,
        "negative": 40,
        "potassium_positive_mean_sd": [6.1, 0.2],
        "potassium_negative_mean_sd": [4.1, 0.2],
    }
    rows = characteristics_rows({"generic": few, "personal": few}, study)
    assert rows[0] == ("Patients", [FEW, FEW])
    assert all(cells == [FEW_PEOPLE, FEW_PEOPLE] for _, cells in rows[1:])
