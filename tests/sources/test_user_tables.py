"""potassium.csv as hospitals, spreadsheets and statistics programs write it: no draw is lost without a word."""

import gzip
from datetime import UTC, datetime

import pytest

from kalemia.cohort.labs import build_draws
from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.sources.csv_tables.user_tables import POTASSIUM, read_draws
from kalemia.sources.user_recordings import UserRecordings, UserRecordingsDescription

HEAD = "subject,time,potassium,unit\n"
EIGHT = "2024-05-17 08:00:00"


def _draws(folder, text: str | bytes):
    (folder / "potassium.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_draws(folder)


def _refused(folder, text) -> str:
    with pytest.raises(UserError) as caught:
        _draws(folder, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder / 'potassium.csv'}: ")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ('7,2024-05-17 08:00:00,"6,1",mmol/L', "potassium '6,1' is not a number; decimals need a point"),
        ("7,2024-05-17 08:00:00,6,1,mmol/L", "more fields than the first line (5, not 4); decimals need a point"),
        ("7,2024-05-17 08:00:00,4.2 H,mmol/L", "potassium '4.2 H' is not a number; decimals need a point, and marks"),
        ("7,2024-05-17 08:00:00,6_1,mmol/L", "potassium '6_1' is not a number"),
        ("7,2024-05-17 08:00:00,6.1", "fewer fields"),
        ("7,2024-05-17 08:00:00,6.1\n7,2024-05-17 09:00:00,6.1,mmol/L,", "fewer fields"),  # as many commas in all
        ('7,2024-05-17 08:00:00,6.1,"mmol/L', "out of place"),
        ("7,5/17/2024 8:00,6.1,mmol/L", "time '5/17/2024 8:00' is not a time"),
        ('"a,b",2024-05-17 08:00:00,6.1,mmol/L', "subject 'a,b' is not a name of up to 64 characters without commas"),
        (",2024-05-17 08:00:00,6.1,mmol/L", "subject '' is empty"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_number(tmp_path, cells, said):
    message = _refused(tmp_path, HEAD + f'7,{EIGHT},4.0,mmol/L\n{cells}\n7,{EIGHT},4.2,"mmol/L"\n')
    assert message.startswith("line 3: ")
    assert said in message


@pytest.mark.parametrize("text", ["", "NA", "NaN", "ERROR", "HEMOLYZED", ">10", "< 1.5", "greater than 10", "pending"])
def test_words_and_bounds_are_draws_without_a_number(tmp_path, text):
    (draw,) = _draws(tmp_path, HEAD + f"7,{EIGHT},{text},\n")
    assert draw.number is None
    assert draw.value == ("" if text in ("NA", "NaN") else text)


def test_names_in_capitals_a_byte_order_mark_and_carriage_returns_are_read(tmp_path):
    text = f"\ufeffSubject,TIME,Potassium,Unit,Ward\n7.0,{EIGHT}Z,6.1,mmol/L,3\n,,,,\n\n".replace("\n", "\r\n")
    (draw,) = _draws(tmp_path, text)
    assert (draw.subject_id, draw.time, draw.number, draw.unit) == (
        7,
        datetime(2024, 5, 17, 8, tzinfo=UTC),
        6.1,
        "mmol/L",
    )


@pytest.mark.parametrize(
    ("column", "cell", "is_hemolyzed"),
    [
        ("comments", "moderately haemolysed", True),
        ("Note", '"late, hemolyzed"', True),
        ("flag", "H", False),
        ("comments", "no hemolysis", False),
        ("hemolyzed", "yes", True),
        ("Haemolysis", "1", True),
        ("hemolyzed", "no", False),
        ("hemolyzed", "", False),
    ],
)
def test_hemolysis_is_read_from_a_column_of_its_own_or_from_comments(tmp_path, study, column, cell, is_hemolyzed):
    (tmp_path / "recordings.csv").write_text("subject,start,path,lead\n")
    (tmp_path / "potassium.csv").write_text(f"subject,time,potassium,{column}\n7,{EIGHT},6.1,{cell}\n")
    (draw,) = build_draws(UserRecordings(tmp_path, tmp_path).analyte_rows([1]), study.analyte).to_pylist()
    assert draw["reason"] == ("hemolyzed" if is_hemolyzed else None)


def test_a_mark_of_hemolysis_that_says_neither_is_refused(tmp_path):
    assert "hemolyzed '120' is neither yes nor no" in _refused(
        tmp_path, f"subject,time,potassium,hemolyzed\n7,{EIGHT},6,120\n"
    )


def test_draws_keep_their_reason_and_number_whatever_is_wrong_with_them(tmp_path, study):
    (tmp_path / "recordings.csv").write_text("subject,start,path,lead\n")
    lines = [
        "7,,6.1,mmol/L,",
        f"7,{EIGHT},6.2,MMOL/L,",
        f"7,{EIGHT},4.0,mEq/l,",
        f"8,{EIGHT},20,mg/dL,",
        f"9,{EIGHT},NA,,x",
    ]
    (tmp_path / "potassium.csv").write_text("subject,time,potassium,unit,comments\n" + "\n".join(lines))
    draws = build_draws(UserRecordings(tmp_path, tmp_path).analyte_rows([1]), study.analyte).to_pylist()
    assert {draw["draw_id"]: draw["reason"] for draw in draws} == {
        1: "no time", 2: "conflicting twins", 3: "conflicting twins", 4: "other unit", 5: "no value",
    }  # fmt: skip


@pytest.mark.parametrize("names", ["note,note", "unit,Unit", "hemolyzed,HEMOLYZED"])
def test_a_column_that_occurs_twice_is_refused_also_where_it_is_not_needed(tmp_path, names):
    message = _refused(tmp_path, f"subject,time,potassium,{names}\n7,{EIGHT},6.1,hemolyzed,\n")
    assert message == f"has two columns named {names.split(',')[0]}; keep one"


def test_columns_without_a_name_may_be_several(tmp_path):
    (draw,) = _draws(tmp_path, f"subject,time,potassium,,\n7,{EIGHT},6.1,,\n")
    assert draw.number == 6.1


@pytest.mark.parametrize(("text", "comments"), [("1.0", "hemolyzed"), ("0.0", None), ("none", None)])
def test_hemolysis_is_read_as_pandas_writes_it(tmp_path, text, comments):
    (draw,) = _draws(tmp_path, f"subject,time,potassium,hemolyzed\n7,{EIGHT},6.1,{text}\n")
    assert draw.comments == comments


def test_a_file_with_carriage_returns_alone_is_refused_at_its_first_line(tmp_path):
    assert _refused(tmp_path, f"subject,time,potassium\r7,{EIGHT},6.1\r").startswith("line 1: has a carriage return")


def test_the_two_tables_may_be_gzipped(tmp_path, config):
    (tmp_path / "recordings.csv.gz").write_bytes(gzip.compress(b"subject,start,path,lead\nA,2024-05-17 08:00,a,II\n"))
    (tmp_path / "potassium.csv.gz").write_bytes(gzip.compress(b"subject,time,potassium\nA,2024-05-17 08:10,6.1\n"))
    config["source"] |= {"kind": "local", "waveforms": str(tmp_path), "tables": str(tmp_path)}
    description = UserRecordingsDescription(Study.from_config(config))
    assert description.cohort_tables() == [f"{tmp_path}/potassium.csv.gz"]
    assert description.input_files() == [f"{tmp_path}/recordings.csv.gz"]
    assert list(description.open().recording_names().values()) == [["a"]]


def test_a_folder_in_place_of_a_table_is_called_one(tmp_path):
    (tmp_path / "potassium.csv").mkdir()
    with pytest.raises(UserError, match=r"potassium\.csv is a folder; a file is expected; docs/own-recordings\.md"):
        read_draws(tmp_path)


@pytest.mark.parametrize("name", ["units", "Units", "commment", "hemolized"])
def test_a_misspelled_column_is_refused_rather_than_ignored(tmp_path, name):
    (tmp_path / POTASSIUM).write_text(f"subject,time,potassium,{name}\na,2024-05-17 08:00,4.1,mg/dL\n")
    with pytest.raises(UserError, match=rf"has a column '{name.lower()}', which is not read; if it is '.*', rename it"):
        read_draws(tmp_path)


@pytest.mark.parametrize("name", ["date", "ward", "sodium", "unit_id"])
def test_another_column_may_be_there(tmp_path, name):
    (tmp_path / POTASSIUM).write_text(f"subject,time,potassium,{name}\na,2024-05-17 08:00,4.1,3\n")
    assert len(read_draws(tmp_path)) == 1
