"""Clinical tables as databases, pandas, R and people export them: read to the same rows, or refused in one line."""

import csv
import gzip
import io
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalemia.core.errors import UserError
from kalemia.sources.csv_tables import records
from kalemia.sources.mimic_tables import (
    LABEVENTS,
    admissions,
    analyte_rows,
    excluded_by_code,
    item_batches,
    read_csv_table,
)
from mirror import write_tables

HEAD = "ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG"
K = 50971


def _lab(folder, *rows, head=HEAD, name="LABEVENTS.csv"):
    (folder / name).write_text("\n".join([head, *rows]) + "\n")
    return analyte_rows(folder, [K])


def _row(
    row_id=1, subject=10, hadm="100", time="2150-01-01 10:00:00", value="4.1", number="4.1", unit="mEq/L", end=","
):
    return f"{row_id},{subject},{hadm},{K},{time},{value},{number},{unit}{end}"


def _refused(folder, *rows, **more) -> str:
    with pytest.raises(UserError) as caught:
        _lab(folder, *rows, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder / 'LABEVENTS.csv'}: ")


def test_comments_of_several_lines_lose_no_row(tmp_path):
    comments = [
        '"HEMOLYZED\nSPECIMEN"',
        "",
        '"a\n\n9,10,100,50971,2150-01-01 10:00:00,9.9,9.9,mEq/L,,\n"',
        '"x, ""y"""',
    ]
    rows = _lab(tmp_path, *(_row(i, end=f",,{text}") for i, text in enumerate(comments)), head=HEAD + ",COMMENTS")
    assert rows["ROW_ID"].to_pylist() == [0, 1, 2, 3]
    assert rows["COMMENTS"].to_pylist()[3] == 'x, "y"'


def test_a_comment_of_another_item_that_looks_like_a_row_is_none(tmp_path):
    other = f'7,10,100,50912,2150-01-01 10:00:00,1,1,mg/dL,,"see\n{_row(8)},\nand {_row(9)},\n"'
    rows = _lab(tmp_path, _row(1, end=",,"), other, _row(2, end=",,"), head=HEAD + ",COMMENTS")
    assert rows["ROW_ID"].to_pylist() == [1, 2]


def test_names_of_columns_are_found_whatever_their_case_and_order(tmp_path):
    head = "\ufeff" + ",".join(reversed(HEAD.lower().split(",")))
    rows = _lab(tmp_path, ",".join(reversed(_row(3).split(","))), head=head)
    assert rows.to_pylist() == _lab(tmp_path, _row(3)).to_pylist()


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    assert "two columns named VALUE" in _refused(tmp_path, _row(end=",,5"), head=HEAD + ",value")


def test_a_missing_column_is_named_with_what_is_there(tmp_path):
    message = _refused(tmp_path, head="row_id;subject_id;itemid")
    assert "has no column ROW_ID" in message
    assert "row_id;subject_id;itemid" in message


@pytest.mark.parametrize(
    "other", ["2150-01-01T10:00:00", "2150-01-01 10:00:00 UTC", "2150-01-01 10:00:00.0", "2150-01-01T10:00Z"]
)
def test_times_of_other_databases_are_the_same(tmp_path, other):
    rows = _lab(tmp_path, _row(1), _row(2, time=other))
    assert set(rows["CHARTTIME"].to_pylist()) == {datetime(2150, 1, 1, 10)}


def test_a_day_alone_is_a_midnight_beside_times_and_refused_without(tmp_path):
    assert _lab(tmp_path, _row(1), _row(2, time="2150-01-02"))["CHARTTIME"].to_pylist()[1] == datetime(2150, 1, 2)
    assert "CHARTTIME has dates without the time of day" in _refused(
        tmp_path, _row(1, time="2150-01-01"), _row(2, time="2150-01-02")
    )


@pytest.mark.parametrize("empty", ["", "NaN", "NA", "<NA>", "NULL", "NaT", "None", '""', "\\N"])
def test_what_stands_for_no_value_is_none(tmp_path, empty):
    (row,) = _lab(tmp_path, _row(hadm=empty, time=empty, value=empty, number=empty, unit=empty)).to_pylist()
    assert {row[name] for name in ("HADM_ID", "CHARTTIME", "VALUE", "VALUENUM", "VALUEUOM")} == {None}


def test_whole_numbers_of_pandas_and_r_are_read(tmp_path):
    rows = _lab(tmp_path, _row("1e+05", "10.0", "100.0"), _row("2.0", 11, "")).to_pylist()
    assert [(row["ROW_ID"], row["SUBJECT_ID"], row["HADM_ID"]) for row in rows] == [(100000, 10, 100), (2, 11, None)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"time": "10/20/2101 16:40"}, "CHARTTIME '10/20/2101 16:40' is not a time; times are read as"),
        ({"time": "45429.3375"}, "CHARTTIME '45429.3375' is not a time"),
        ({"time": "2150-01-01 10:00:00+02"}, "has a time zone"),
        ({"number": '"4,1"'}, "VALUENUM '4,1' is not a number; decimals need a point"),
        ({"number": "4,1"}, "has more fields than the first line (10, not 9); decimals need a point"),
        ({"end": ""}, "has fewer fields"),
        ({"value": '"4.1'}, "out of place"),
        (
            {"row_id": "99999999999999999999"},
            "ROW_ID '99999999999999999999' is not a whole number from 0 to 9223372036",
        ),
        ({"row_id": "-1"}, "ROW_ID '-1' is not a whole number"),
        ({"row_id": ""}, "ROW_ID is empty"),
        ({"subject": "-10"}, "SUBJECT_ID '-10' is not a whole number of up to nine digits"),
        ({"hadm": "4294967296"}, "HADM_ID '4294967296' is not a whole number from 0 to 2147483647"),
    ],
)
def test_a_cell_that_cannot_be_read_is_one_line_with_its_number(tmp_path, row, said):
    others = [_row(i, value='"4.1"') for i in range(2, 5)]
    message = _refused(tmp_path, others[0], others[1].replace(str(K), "50912"), "", _row(**row), others[2])
    assert message.startswith("line 5: ")
    assert said in message


def test_text_that_is_not_utf_8_is_one_line(tmp_path):
    (tmp_path / "LABEVENTS.csv").write_bytes(f"{HEAD}\n{_row()}\n".encode() + _row(value="h\u00e4m").encode("latin-1"))
    with pytest.raises(UserError, match=r"line 3: is not text in UTF-8"):
        analyte_rows(tmp_path, [K])


def test_a_table_may_be_compressed_whatever_its_name_says(tmp_path):
    expected = _lab(tmp_path, _row())
    text = (tmp_path / "LABEVENTS.csv").read_bytes()
    (tmp_path / "LABEVENTS.csv").unlink()
    (tmp_path / "LABEVENTS.csv.gz").write_bytes(text)
    assert analyte_rows(tmp_path, [K]).equals(expected)
    (tmp_path / "LABEVENTS.csv.gz").write_bytes(gzip.compress(text))
    assert analyte_rows(tmp_path, [K]).equals(expected)


def test_a_table_with_no_row_but_empty_lines_is_empty(tmp_path):
    assert len(_lab(tmp_path, "", "", "")) == len(_lab(tmp_path)) == 0


def test_codes_written_with_a_point_exclude_as_well(tmp_path):
    write_tables(tmp_path, DIAGNOSES_ICD=['1,7,1,1,"427.31"', '2,8,1,1,"42731"', '3,9,1,1,"401.9"', "4,10,1,1,v45.01"])
    assert set(excluded_by_code(tmp_path)) == {7, 8, 10}


_TEXT = st.lists(st.sampled_from(["a", ",", '"', "\n", "\r\n", "50971", "\n1,2,", "NA"]), max_size=6).map("".join)
_ITEM = st.sampled_from([50971, 50822, 50912, 509712])


@settings(deadline=None)
@given(st.lists(st.tuples(_ITEM, _TEXT, _TEXT), max_size=25), st.integers(1, 200), st.booleans())
def test_any_table_that_the_csv_module_writes_is_read_to_the_same_rows(tmp_path_factory, drawn, n_bytes, quote_all):
    folder, file = tmp_path_factory.mktemp("tables"), io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL)
    writer.writerow(["note", *LABEVENTS])
    for i, (item, value, note) in enumerate(drawn):
        writer.writerow([note, i, 7, 1, item, "2150-01-01 10:00:00", value, 4.1, "mEq/L"])
    (folder / "LABEVENTS.csv").write_text(file.getvalue(), newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_READ_BYTES", n_bytes)
        rows = analyte_rows(folder, [50971, 50822])
        everything = read_csv_table(folder, "LABEVENTS", ["ROW_ID", "VALUE"])
    wanted = [i for i, (item, _, _) in enumerate(drawn) if item in (50971, 50822)]
    assert rows["ROW_ID"].to_pylist() == wanted
    none = ("", "NA")
    assert rows["VALUE"].to_pylist() == [None if drawn[i][1] in none else drawn[i][1] for i in wanted]
    assert everything["VALUE"].to_pylist() == [None if value in none else value for _, value, _ in drawn]


@pytest.mark.realdata
def test_the_demo_is_read_in_its_published_form_and_in_a_re_export(tmp_path, real_data):
    published, exported = real_data / "mimiciii-demo-1.4", real_data / "mimiciii-demo"
    (tmp_path / "LABEVENTS.csv").symlink_to(published / "LABEVENTS.potassium.csv")
    ids = [("ROW_ID", "ascending")]
    ours, theirs = (analyte_rows(folder, [50971, 50822]).sort_by(ids) for folder in (tmp_path, exported))
    assert len(ours) == 2535
    assert ours.equals(theirs)
    assert admissions(published).equals(admissions(exported))
    assert excluded_by_code(published) == excluded_by_code(exported)
    columns = ["SUBJECT_ID", "GENDER", "DOB"]
    people = (read_csv_table(folder, "PATIENTS", columns).sort_by("SUBJECT_ID") for folder in (published, exported))
    assert next(people).equals(next(people))
    wanted = ("SUBJECT_ID", "ITEMID", "STARTTIME", "ENDTIME", "STATUSDESCRIPTION")
    counts = [
        sum(len(batch) for batch in item_batches(folder, "PROCEDUREEVENTS_MV", [225802, 224270], wanted))
        for folder in (published, exported)
    ]
    assert counts[0] == counts[1] > 0
