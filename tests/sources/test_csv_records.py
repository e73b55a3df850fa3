"""CSV tables as records: what Python's csv module writes is read, and what is out of place is one line."""

import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalemia.core.errors import UserError
from kalemia.sources.csv_tables import records
from kalemia.sources.csv_tables.records import open_csv

HEAD = "name,value,note\n"


def _read(path, text: str | bytes):
    """(names, [(line, fields)]) of a table with this text."""
    path = path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with open_csv(path) as table:
        found = [
            (line, next(csv.reader(io.StringIO(record.decode(), newline=""))))
            for block in table.blocks()
            for line, record in block.records()
        ]
    return table.names, found


def _refused(path, text: str | bytes) -> str:
    with pytest.raises(UserError) as caught:
        _read(path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path / 'table.csv'}: ")


def test_a_quoted_field_may_hold_commas_quotes_and_line_breaks(tmp_path):
    text = 'a,1,"HEMOLYZED\nSPECIMEN"\nb,2,"5\'11"" tall, he said\r\n\n"\nc,3,\n'
    assert _read(tmp_path, HEAD + text)[1] == [
        (2, ["a", "1", "HEMOLYZED\nSPECIMEN"]),
        (4, ["b", "2", "5'11\" tall, he said\r\n\n"]),
        (7, ["c", "3", ""]),
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n"])
def test_line_ends_and_empty_lines_are_no_records(tmp_path, ending, last):
    text = (HEAD + "a,1,\n\nb,2," + last).replace("\n", ending)
    assert _read(tmp_path, text) == (["name", "value", "note"], [(2, ["a", "1", ""]), (4, ["b", "2", ""])])


def test_a_byte_order_mark_and_spaces_are_no_part_of_a_name(tmp_path):
    assert _read(tmp_path, '\ufeffname, value ,"note"\n')[0] == ["name", "value", "note"]


def test_the_content_tells_whether_a_file_is_compressed(tmp_path):
    assert _read(tmp_path, gzip.compress(b"name,value\na,1\n"))[1] == [(2, ["a", "1"])]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('a,1,\nb,2,"5 min late\nc,3,\nd,4,"ok"\n', 3, "quote out of place"),  # never closed: another opens
        ('a,1,\nb,2,"5 min late\nc,3,\n', 3, "does not end"),
        ('a,1,\nb,2,5 min late"\nc,3,\n', 3, "quote out of place"),
        ("a,1,5'11\" tall\n", 2, "quote out of place"),
        ('a,1,"late" again\n', 2, "quote out of place"),
        ('a,1, "late"\n', 2, "quote out of place"),
        ('a,1,"x\ny"\nb,2,"z" \n', 4, "quote out of place"),
        ("a,1,x\rb,2,y\n", 2, "carriage return out of place"),
        ("a,1,\nb,2\n", 3, "fewer fields than the first line (2, not 3)"),
        ("a,1,\nb,6,1,\n", 3, "more fields than the first line (4, not 3); decimals need a point"),
        ("a,1,x\nHEMOLYZED\n", 3, "fewer fields than the first line (1, not 3)"),
        ('a,1,"x\n\ny"\nb,2', 5, "fewer fields"),
    ],
)
def test_what_is_out_of_place_is_one_line_with_its_number(tmp_path, text, line, said):
    message = _refused(tmp_path, HEAD + text)
    assert message.startswith(f"line {line}: ")
    assert said in message


def test_a_stray_quote_is_found_however_long_the_rest_is(tmp_path):
    rest = "".join(f'c{i},{i},"ok"\n' for i in range(200_000))
    assert _refused(tmp_path, HEAD + 'a,1,"ok"\nb,2,"late\n' + rest).startswith("line 3: has a quote out of place")


def test_a_record_has_a_longest_length(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_MAX_RECORD_BYTES", 1 << 12)
    monkeypatch.setattr(records, "_READ_BYTES", 1 << 10)
    assert _read(tmp_path, HEAD + f"a,1,{'x' * 3000}\n")[1][0][0] == 2
    for filler in ("x" * 100_000, '"' + "\n" * 100_000):
        assert "is it a CSV table" in _refused(tmp_path, HEAD + "a,1,\nb,2," + filler)


def test_a_first_line_without_line_feeds_is_refused(tmp_path):
    assert "has a carriage return out of place" in _refused(tmp_path, "name,value,note\ra,1,\rb,2,\r")
    assert "has a quote out of place" in _refused(tmp_path, 'name,va"lue,note\na,1,\n')


@pytest.mark.parametrize("space", ["", " ", "\t", "\v", "\f"])
def test_empty_lines_before_the_first_are_skipped(tmp_path, space):
    assert _read(tmp_path, f"\n{space}\r\n" + HEAD + "a,1,\n") == (["name", "value", "note"], [(4, ["a", "1", ""])])


def test_a_table_of_another_encoding_is_one_line(tmp_path):
    assert _refused(tmp_path, HEAD.encode("utf-16")) == "is not a text file in UTF-8"


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    with (
        pytest.raises(UserError, match=r"gone\.csv: cannot be read \(No such file or directory\)"),
        open_csv(tmp_path / "gone.csv"),
    ):
        pass


_TEXT = st.lists(st.sampled_from(["a", "b", ",", '"', "\n", "\r\n", " ", "1", ";", "\u00e9"]), max_size=8).map("".join)
_ROWS = st.lists(st.tuples(_TEXT.filter(bool), _TEXT, _TEXT).map(list), max_size=30)


@settings(deadline=None)
@given(_ROWS, st.sampled_from(["\n", "\r\n"]), st.integers(1, 300), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_the_csv_module_writes_is_read_to_the_same_rows(tmp_path_factory, rows, ending, n_bytes, quoting):
    file, lines = io.StringIO(newline=""), []
    writer = csv.writer(file, lineterminator=ending, quoting=quoting)
    for row in [["name", "value", "note"], *rows]:
        lines.append(file.getvalue().count("\n") + 1)
        writer.writerow(row)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_READ_BYTES", n_bytes)  # records begin and end anywhere in what is read at once
        names, found = _read(tmp_path_factory.mktemp("csv"), file.getvalue())
    assert names == ["name", "value", "note"]
    assert found == list(zip(lines[1:], rows, strict=True))
