import dataclasses
import gzip
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from kalemia.errors import UserError
from kalemia.labs import LABEVENTS, analyte_rows, draws_from_rows, labels, read_csv_table

HEADER = '"ROW_ID","SUBJECT_ID","HADM_ID","ITEMID","CHARTTIME","VALUE","VALUENUM","VALUEUOM","FLAG"\n'


def _write(folder, text, header=HEADER):
    with gzip.open(folder / "LABEVENTS.csv.gz", "wt") as file:
        file.write(header + text)


def _rows(*rows):
    names = LABEVENTS
    types = [pa.int64(), pa.int32(), pa.int32(), pa.int32(), pa.timestamp("us"), pa.string(), pa.float64()]
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows],
        schema=pa.schema(list(zip(names, types, strict=True))),
    )


def test_labels_at_their_exact_bounds(study):
    values = np.array([3.49, 3.5, 5.0, 5.01, 5.5, 5.51, np.nan])
    assert labels(values, study.analyte).tolist() == [-1, 0, 0, -1, -1, 1, -1]


def test_rows_of_other_items_are_left_out(tmp_path):
    _write(
        tmp_path,
        '1,10,100,50971,2150-01-01 10:00:00,"4.1",4.1,"mEq/L",\n'
        '2,10,100,50912,2150-01-01 10:00:00,"1.1",1.1,"mg/dL",\n'
        '3,10,,50971,2150-01-02 10:00:00,"5.9",5.9,"mEq/L","abnormal"\n',
    )
    rows = analyte_rows(tmp_path, [50971])
    assert rows["ROW_ID"].to_pylist() == [1, 3]
    assert rows["HADM_ID"].to_pylist() == [100, None]
    assert rows["CHARTTIME"].to_pylist()[1] == datetime(2150, 1, 2, 10)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no LABEVENTS\.csv\.gz"):
        analyte_rows(tmp_path, [50971])


def test_a_renamed_column_is_named_with_its_file(tmp_path):
    _write(tmp_path, "", HEADER.replace("VALUENUM", "VALUE_NUM"))
    with pytest.raises(UserError, match=r"LABEVENTS\.csv\.gz: .*VALUENUM"):
        analyte_rows(tmp_path, [50971])


def test_a_truncated_gzip_is_one_line(tmp_path):
    text = "".join(f'{i},10,100,50971,2150-01-01 10:00:00,"4.1",4.1,"mEq/L",\n' for i in range(5000))
    _write(tmp_path, text)
    path = tmp_path / "LABEVENTS.csv.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"LABEVENTS\.csv\.gz: ") as caught:
        analyte_rows(tmp_path, [50971])
    assert "\n" not in str(caught.value)


def test_unusable_values_keep_their_row_and_say_why(study):
    noon = datetime(2150, 1, 1, 12)
    rows = _rows(
        (1, 10, None, 50971, noon, "4.1", 4.1),
        (2, 10, None, 50971, noon, "4.1", 4.1),
        (3, 10, None, 50971, datetime(2150, 1, 1, 13), "ERROR", None),
        (4, 10, None, 50971, datetime(2150, 1, 1, 14), "17", 17.0),
        (5, 10, None, 50971, datetime(2150, 1, 1, 15), ">10", 10.0),
    )
    draws = draws_from_rows(rows, study.analyte)
    assert draws["reason"].to_pylist() == [None, "duplicate", "no value", "implausible value", "comparator"]
    assert draws["label"].to_pylist() == [0, None, None, None, None]
    assert draws["potassium"].to_pylist()[2] is None


def test_the_order_of_rows_does_not_matter(study):
    rows = _rows(*[(i, i % 3, None, 50971, datetime(2150, 1, 1 + i % 2), "4", 4.0 + i / 10) for i in range(12)])
    shuffled = rows.take(np.random.default_rng(0).permutation(len(rows)))
    assert draws_from_rows(rows, study.analyte).equals(draws_from_rows(shuffled, study.analyte))


@pytest.mark.realdata
def test_counts_of_the_real_demo_tables(study, real_data):
    expected = {(50971, 50822): (2535, 2534, 56, 1970, 8, 12), (50971,): (2279, 2278, 43, 1789, 5, 12)}
    for items, (n_rows, n_values, n_positive, n_negative, n_positive_10059, n_negative_10059) in expected.items():
        analyte = dataclasses.replace(study.analyte, items=items)
        draws = draws_from_rows(analyte_rows(real_data / "mimiciii-demo", items), analyte).to_pylist()
        assert len(draws) == n_rows
        assert sum(draw["potassium"] is not None for draw in draws) == n_values
        labels_of = {10059: [d["label"] for d in draws if d["subject_id"] == 10059], None: [d["label"] for d in draws]}
        assert [labels_of[None].count(label) for label in (1, 0)] == [n_positive, n_negative]
        assert [labels_of[10059].count(label) for label in (1, 0)] == [n_positive_10059, n_negative_10059]


@pytest.mark.realdata
def test_the_other_real_tables_can_be_read(real_data):
    folder = real_data / "mimiciii-demo"
    assert len(read_csv_table(folder, "PATIENTS", ["SUBJECT_ID", "GENDER", "DOB"])) == 100
    assert len(read_csv_table(folder, "DIAGNOSES_ICD", ["SUBJECT_ID", "ICD9_CODE"])) > 1000
