import errno
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kalemia.core import tables
from kalemia.core.errors import UserError
from kalemia.core.files.seals import BLANK_SEAL, seal_file
from kalemia.core.schemas import SCHEMAS, VERSION
from kalemia.core.tables import (
    empty_table,
    read_json,
    read_subject_rows,
    read_table,
    table_from_rows,
    write_json,
    write_table,
)

ROWS = [{"subject_id": 7, "draw_id": d, "label": d % 2, "split": "train"} for d in (1, 1, 2, 3, 3, 3)]


def test_a_table_comes_back_as_it_was_written(tmp_path):
    table = table_from_rows("generic", ROWS)
    write_table(tmp_path / "a.parquet", "generic", table)
    assert read_table(tmp_path / "a.parquet", "generic").equals(table)


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write_table(tmp_path / name, "generic", table_from_rows("generic", ROWS), "digest")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_each_value_of_the_grouping_column_is_a_row_group(tmp_path):
    write_table(tmp_path / "a.parquet", "generic", table_from_rows("generic", ROWS), group_by="draw_id")
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2, 1, 3]


def test_one_subject_is_read_without_the_row_groups_of_others(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MAX_ROWS_PER_GROUP", 2)
    rows = [{"subject_id": s, "draw_id": d, "label": 0, "split": "test"} for d, s in enumerate((3, 5, 5, 5, 8, 9, 9))]
    write_table(tmp_path / "a.parquet", "generic", table_from_rows("generic", rows))
    assert pq.read_metadata(tmp_path / "a.parquet").num_row_groups == 4
    read = []
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_groups",
        lambda file, groups, of=pq.ParquetFile.read_row_groups: read.append(groups) or of(file, groups),
    )
    assert read_subject_rows(tmp_path / "a.parquet", "generic", 5)["draw_id"].to_pylist() == [1, 2, 3]
    assert read_subject_rows(tmp_path / "a.parquet", "generic", 9)["draw_id"].to_pylist() == [5, 6]
    assert len(read_subject_rows(tmp_path / "a.parquet", "generic", 6)) == 0
    assert read == [[0, 1], [2, 3], []]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_kind_can_be_empty(tmp_path, kind):
    write_table(tmp_path / "a.parquet", kind, empty_table(kind), group_by=SCHEMAS[kind].names[0])
    assert len(read_table(tmp_path / "a.parquet", kind)) == 0


def test_another_kind_is_refused(tmp_path):
    write_table(tmp_path / "a.parquet", "generic", table_from_rows("generic", ROWS))
    with pytest.raises(UserError, match=r"a\.parquet: holds table 'generic' version 3, not 'beats'"):
        read_table(tmp_path / "a.parquet", "beats")


def test_another_version_is_refused(tmp_path):
    metadata = {"kalemia.table": "generic", "kalemia.version": "0"}
    _write_as_is(tmp_path / "a.parquet", empty_table("generic").replace_schema_metadata(metadata))
    with pytest.raises(UserError, match="version 0, not 'generic' version 3"):
        read_table(tmp_path / "a.parquet", "generic")


def _write_as_is(path, table: pa.Table) -> None:
    """Write a table with a seal, whatever its columns."""
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"kalemia.checksum": BLANK_SEAL})
    content = path.read_bytes()
    seal_file(path, len(content) - 8 - int.from_bytes(content[-8:-4], "little"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop_columns("label"), "has no column 'label'"),
        (lambda t: t.append_column("age", pa.array([70] * len(t))), "has an unknown column 'age'"),
        (lambda t: t.rename_columns({"label": "Label"}), "has no column 'label', has an unknown column 'Label'"),
        (lambda t: t.set_column(2, "label", t["label"].cast(pa.float64())), "column 'label' is double, not int8"),
        (lambda t: t.select(["draw_id", "subject_id", "label", "split"]), "its columns are draw_id, subject_id, label"),
    ],
)
def test_other_columns_than_those_declared_are_refused_by_name(tmp_path, change, said):
    table = table_from_rows("generic", ROWS)
    metadata = {"kalemia.table": "generic", "kalemia.version": str(VERSION)}
    _write_as_is(tmp_path / "a.parquet", change(table).replace_schema_metadata(metadata))
    with pytest.raises(UserError, match=rf"a\.parquet: .*{re.escape(said)}.*; delete it and run again$"):
        read_table(tmp_path / "a.parquet", "generic", columns=["draw_id"])


def test_a_file_that_is_not_there_is_called_so(tmp_path):
    said = "does not exist; the study is not finished: run snakemake$"
    with pytest.raises(UserError, match=f"a.parquet: {said}"):
        read_table(tmp_path / "a.parquet", "generic")
    with pytest.raises(UserError, match=f"a.json: {said}"):
        read_json(tmp_path / "a.json")


def test_another_digest_is_refused(tmp_path):
    write_table(tmp_path / "a.parquet", "generic", table_from_rows("generic", ROWS), digest="old")
    with pytest.raises(UserError, match="another configuration"):
        read_table(tmp_path / "a.parquet", "generic", digest="new")


def test_a_file_that_is_no_parquet_is_refused_in_one_line(tmp_path):
    (tmp_path / "a.parquet").write_text("not a table")
    with pytest.raises(UserError, match="cannot be read as Parquet") as caught:
        read_table(tmp_path / "a.parquet", "generic")
    assert "\n" not in str(caught.value)


def test_a_column_that_the_schema_lacks_is_an_error():
    with pytest.raises(KeyError, match="potasium"):
        table_from_rows("draws", [{"potasium": 4.0}])


def test_nothing_is_left_of_a_table_that_does_not_fit_its_schema(tmp_path):
    table = pa.table({name: ["x"] for name in SCHEMAS["generic"].names})
    with pytest.raises(pa.ArrowInvalid):
        write_table(tmp_path / "a.parquet", "generic", table)
    assert list(tmp_path.iterdir()) == []


def test_nan_becomes_null_in_json(tmp_path):
    write_json(tmp_path / "a.json", {"auc": float("nan"), "curve": [1.0, float("inf")]})
    assert read_json(tmp_path / "a.json") == {"auc": None, "curve": [1.0, None]}


def test_a_damaged_json_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: cannot be read as JSON"):
        read_json(tmp_path / "a.json")


def test_nobody_is_told_to_delete_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    write_json(path, {"a": 1})

    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UserError, match=r"summary\.json: Permission denied; give yourself permission"):
        read_json(path)
