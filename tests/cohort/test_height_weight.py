from datetime import datetime

import pytest

from kalemia.cohort.height_weight import write_heights_and_weights
from kalemia.core.tables import read_table
from mirror import write_tables

NOON = datetime(2150, 1, 1, 12)


def _body(folder, *rows):
    lines = [f"{i},{s},,,{item},{NOON},{value},{error}" for i, (s, item, value, error) in enumerate(rows)]
    write_tables(folder, CHARTEVENTS=lines)
    write_heights_and_weights(folder, "", folder / "height_weight.parquet")
    return read_table(folder / "height_weight.parquet", "height_weight").to_pylist()


def test_inches_become_centimeters_and_other_items_are_left_out(tmp_path):
    rows = _body(tmp_path, (10, 226707, 70, 0), (10, 763, 81.5, ""), (11, 220045, 80, 0), (12, 3485, 171, 0))
    assert [(row["subject_id"], row["height_cm"], row["weight_kg"]) for row in rows] == [
        (10, pytest.approx(177.8), None),
        (10, None, 81.5),
        (12, 171, None),
    ]


def test_errors_and_implausible_values_are_left_out(tmp_path):
    rows = [(10, 226707, 70, 1), (10, 226707, 7, 0), (10, 763, 0, 0), (10, 763, 815, 0), (10, 763, "", 0)]
    assert _body(tmp_path, *rows) == []


def test_a_weight_without_a_time_is_left_out(tmp_path):
    write_tables(tmp_path, CHARTEVENTS=[f"1,10,,,763,{NOON},80,0", "2,10,,,763,,81,0"])
    write_heights_and_weights(tmp_path, "", tmp_path / "height_weight.parquet")
    rows = read_table(tmp_path / "height_weight.parquet", "height_weight").to_pylist()
    assert [row["weight_kg"] for row in rows] == [80]


def test_empty_table_gives_an_empty_table(tmp_path):
    assert _body(tmp_path) == []
