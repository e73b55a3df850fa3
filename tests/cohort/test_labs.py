import csv
import dataclasses
import gzip
import subprocess
import sys
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.cohort.labs import FLAGS, build_draws, label_values
from kalemia.core.errors import UserError
from kalemia.sources.mimic_tables import LABEVENTS, analyte_rows, read_csv_table
from mirror import write_tables

START = datetime(2150, 1, 1)
HEADER = '"ROW_ID","SUBJECT_ID","HADM_ID","ITEMID","CHARTTIME","VALUE","VALUENUM","VALUEUOM","FLAG"\n'


def _write(folder, text, header=HEADER):
    with gzip.open(folder / "LABEVENTS.csv.gz", "wt") as file:
        file.write(header + text)


def _rows(*rows):
    names = LABEVENTS
    types = [pa.int64(), pa.int32(), pa.int32(), pa.int32(), pa.timestamp("us"), pa.string(), pa.float64(), pa.string()]
    return pa.Table.from_pylist(
        [dict(zip(names, (*row, "mEq/L")[: len(names)], strict=True)) for row in rows],
        schema=pa.schema(list(zip(names, types, strict=True))),
    )


def test_labels_at_their_exact_bounds(study):
    values = np.array([3.49, 3.5, 5.0, 5.01, 5.5, 5.51, np.nan])
    assert label_values(values, study.analyte).tolist() == [-1, 0, 0, -1, -1, 1, -1]


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
    with pytest.raises(UserError, match=r"has no LABEVENTS\.csv\.gz"):
        analyte_rows(tmp_path, [50971])


def test_a_renamed_column_is_named_with_its_file(tmp_path):
    _write(tmp_path, "", HEADER.replace("VALUENUM", "VALUE_NUM"))
    with pytest.raises(UserError, match=r"LABEVENTS\.csv\.gz: .*VALUENUM"):
        analyte_rows(tmp_path, [50971])


def test_truncated_gzip_raises_one_line(tmp_path):
    text = "".join(f'{i},10,100,50971,2150-01-01 10:00:00,"4.1",4.1,"mEq/L",\n' for i in range(5000))
    _write(tmp_path, text)
    path = tmp_path / "LABEVENTS.csv.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"LABEVENTS\.csv\.gz: ") as caught:
        analyte_rows(tmp_path, [50971])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("subject", "time"), [("1234567890", "2150-01-01 10:00:00"), ("10", "no time")])
def test_error_late_in_a_large_table_ends_the_process_cleanly(tmp_path, subject, time):
    row = '{},{},100,50971,{},"4.1",4.1,"mEq/L",\n'
    good = "".join(row.format(i, 10, "2150-01-01 10:00:00") for i in range(300_000))
    _write(tmp_path, good + row.format(9, subject, time))
    program = f"from kalemia.sources.mimic_tables import analyte_rows; analyte_rows({str(tmp_path)!r}, [50971])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1, run.stderr
    assert "LABEVENTS.csv.gz: " in run.stderr.splitlines()[-1]


def test_unusable_values_keep_their_row_and_reason(study):
    noon = datetime(2150, 1, 1, 12)
    rows = _rows(
        (1, 10, None, 50971, noon, "4.1", 4.1),
        (2, 10, None, 50971, noon, "4.1", 4.1),
        (3, 10, None, 50971, datetime(2150, 1, 1, 13), "ERROR", None),
        (4, 10, None, 50971, datetime(2150, 1, 1, 14), "17", 17.0),
        (5, 10, None, 50971, datetime(2150, 1, 1, 15), ">10", 10.0),
        (6, 10, None, 50971, datetime(2150, 1, 1, 16), "GREATER THAN 10", None),
        (7, 10, None, 50971, datetime(2150, 1, 1, 17), "4.2", 4.2, "mg/dL"),
        (8, 10, None, 50971, datetime(2150, 1, 1, 18), "4.3", 4.3, None),
        (9, 10, None, 50971, datetime(2150, 1, 1, 19), "ERROR", 4.4),
        (10, 10, None, 50971, datetime(2150, 1, 1, 20), "6.4", 4.4),
        (11, 10, None, 50971, None, "4.5", 4.5),
        (12, 10, None, 50971, None, "6.5", 6.5),
    )
    draws = build_draws(rows, study.analyte)
    assert draws["reason"].to_pylist() == [
        None, "twin", "no value", "implausible value", "comparator", "no value", "other unit", None, "contradiction",
        "contradiction", "no time", "no time",
    ]  # fmt: skip
    assert draws["flags"].to_pylist() == [
        ["twin"], ["twin"], ["no value"], ["implausible value"], ["comparator"], ["no value", "comparator"],
        ["other unit"], [], ["contradiction"], ["contradiction"], ["no time"], ["no time"],
    ]  # fmt: skip
    assert draws["label"].to_pylist() == [0, 0, None, None, None, None, None, 0, None, None, None, None]
    assert draws["value"].to_pylist()[2] is None


def test_first_configured_item_with_a_value_is_used_for_a_specimen(study):
    noon, later = datetime(2150, 1, 1, 12), datetime(2150, 1, 1, 20)
    rows = _rows(
        (1, 10, None, 50822, noon, "4.4", 4.4),
        (2, 10, None, 50971, noon, "4.1", 4.1),
        (3, 10, None, 50971, later, "ERROR", None),
        (4, 10, None, 50822, later, "4.9", 4.9),
    )
    for items, used in (((50971, 50822), [2, 4]), ((50822, 50971), [1, 4])):
        draws = build_draws(rows, dataclasses.replace(study.analyte, items=items)).to_pylist()
        assert [draw["draw_id"] for draw in draws if draw["reason"] is None] == used
        assert all("twin" in draw["flags"] for draw in draws)


def test_a_hemolyzed_value_is_flagged_and_excluded_unless_configured(study):
    rows = _rows(
        (1, 10, None, 50971, START, "GROSSLY HEMOLYZED", 6.2),
        (2, 10, None, 50971, START + timedelta(hours=1), "6.1", 6.1),
        (3, 10, None, 50971, START + timedelta(hours=2), "6.3", 6.3),
        (4, 10, None, 50971, START + timedelta(hours=3), "4.0", 4.0),
        (5, 10, None, 50971, START + timedelta(hours=3), "HEMOLYZED", None),
        (6, 10, None, 50971, START + timedelta(hours=4), "6.6 HEMOLYZED", 6.6),
        (7, 10, None, 50971, START + timedelta(hours=4), "4.2", 4.2),
    )
    rows = rows.append_column("FLAG", pa.array([None, "HEMOLYZED", "abnormal", None, None, None, None]))
    comments = [None, None, "no hemolysis", None, None, None, "previous value due to lysis"]
    rows = rows.append_column("COMMENTS", pa.array(comments))
    draws = build_draws(rows, study.analyte).to_pylist()
    assert [draw["reason"] for draw in draws] == ["hemolyzed", "hemolyzed", None, None, "no value", "hemolyzed", None]
    assert [draw["draw_id"] for draw in draws if "hemolyzed" in draw["flags"]] == [1, 2, 5, 6]
    assert [draw["label"] for draw in draws] == [1, 1, 1, 0, None, 1, 0]
    kept = build_draws(rows, dataclasses.replace(study.analyte, exclude_hemolyzed=False)).to_pylist()
    assert [draw["reason"] for draw in kept[:5]] == [None, None, None, None, "no value"]
    assert [draw["reason"] for draw in kept[5:]] == ["conflicting twins"] * 2


@pytest.mark.parametrize(
    ("values", "flagged", "reasons"),
    [
        ((6.4, 4.1), True, ["conflicting twins"] * 2),
        ((4.1, 6.4, 4.1), True, ["conflicting twins"] * 3),
        ((6.1, 5.2), True, [None, "twin"]),  # one of them has no label
        ((4.0, 4.1), True, [None, "twin"]),  # another value, the same label
        ((4.1, 4.1), False, [None, "twin"]),
    ],
)
def test_twins_of_one_item_that_differ_are_in_conflict(study, values, flagged, reasons):
    rows = _rows(*((i, 10, None, 50971, START, str(k), k) for i, k in enumerate(values)))
    draws = build_draws(rows, study.analyte).to_pylist()
    assert [draw["reason"] for draw in draws] == reasons
    assert all(("conflicting twins" in draw["flags"]) == flagged for draw in draws)


def test_items_that_differ_are_no_conflict_and_a_conflict_leaves_the_next_item(study):
    rows = _rows(
        (1, 10, None, 50971, START, "6.4", 6.4),
        (2, 10, None, 50822, START, "4.1", 4.1),
        (3, 11, None, 50971, START, "6.4", 6.4),
        (4, 11, None, 50971, START, "4.1", 4.1),
        (5, 11, None, 50822, START, "4.3", 4.3),
    )
    draws = build_draws(rows, dataclasses.replace(study.analyte, items=(50971, 50822))).to_pylist()
    assert [draw["reason"] for draw in draws] == [None, "twin", "conflicting twins", "conflicting twins", None]


def _hourly(*values, minutes=60):
    return _rows(
        *((i, 10, None, 50971, START + timedelta(minutes=minutes * i), str(k), k) for i, k in enumerate(values))
    )


@pytest.mark.parametrize(
    ("values", "minutes", "flagged"),
    [
        ((4.4, 5.9, 4.4), 60, [1]),  # a jump of exactly 1.5, up and back
        ((4.4, 5.8, 4.3), 60, []),  # 1.4 up, 1.5 back
        ((5.9, 4.3, 5.9), 60, [1]),  # diluted
        ((4.4, 6.5, 6.4, 4.4), 60, []),  # confirmed by the next
        ((4.4, 6.5, 8.2), 60, []),  # goes on
        ((4.4, 6.5, 4.4), 121, []),  # undone too late
        ((4.4, 6.5), 60, []),  # never undone
    ],
)
def test_isolated_jump_is_flagged(study, values, minutes, flagged):
    draws = build_draws(_hourly(*values, minutes=minutes), study.analyte).to_pylist()
    assert [draw["draw_id"] for draw in draws if "contaminated" in draw["flags"]] == flagged
    assert {draw["reason"] for draw in draws} == {None}


def test_jump_from_an_old_value_is_not_flagged(study):
    rows = _hourly(4.4, 6.5, 4.4)
    early = START - timedelta(hours=24)
    rows = rows.set_column(4, "CHARTTIME", pa.array([early, *rows["CHARTTIME"].to_pylist()[1:]], pa.timestamp("us")))
    assert build_draws(rows, study.analyte)["flags"].to_pylist() == [[], [], []]


def test_contaminated_values_are_excluded_if_configured(study):
    rule = dataclasses.replace(study.analyte.contamination, exclude=True)
    draws = build_draws(_hourly(4.4, 6.5, 4.4), dataclasses.replace(study.analyte, contamination=rule))
    assert draws["reason"].to_pylist() == [None, "contaminated", None]
    assert draws["label"].to_pylist() == [0, 1, 0]


def test_other_values_and_subjects_between_do_not_hide_a_jump(study):
    rows = _rows(
        (1, 10, None, 50971, START, "4.0", 4.0),
        (2, 10, None, 50971, START + timedelta(minutes=20), "ERROR", None),
        (3, 10, None, 50971, START + timedelta(minutes=40), "6.0", 6.0),
        (4, 11, None, 50971, START + timedelta(minutes=45), "4.0", 4.0),
        (5, 10, None, 50971, START + timedelta(minutes=60), "4.1", 4.1),
    )
    draws = build_draws(rows, study.analyte).to_pylist()
    assert [draw["draw_id"] for draw in draws if "contaminated" in draw["flags"]] == [3]


def test_two_different_rows_with_one_id_raise(study):
    rows = _rows((1, 10, None, 50971, START, "4.0", 4.0), (1, 10, None, 50971, START, "4.1", 4.1))
    with pytest.raises(UserError, match="two different rows have ROW_ID 1"):
        build_draws(rows, study.analyte)


_LAB_ROWS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from([50971, 50822]),
        st.integers(0, 8),
        st.sampled_from([("4.1", 4.1), ("6.2", 6.2), ("5.2", 5.2), (">10", 10.0), ("x", None), ("99", 99.0)]),
    ),
    max_size=20,
)


@given(_LAB_ROWS, st.randoms(use_true_random=False), st.data())
def test_neither_the_order_of_rows_nor_repeated_rows_change_a_draw(study, drawn, random, data):
    rows = [
        (i, subject, None, item, START + timedelta(minutes=30 * at), *value)
        for i, (subject, item, at, value) in enumerate(drawn)
    ]
    analyte = dataclasses.replace(study.analyte, items=(50971, 50822))
    once = build_draws(_rows(*rows), analyte)
    again = rows + (data.draw(st.lists(st.sampled_from(rows), max_size=8)) if rows else [])
    random.shuffle(again)
    assert build_draws(_rows(*again), analyte).equals(once)
    assert sorted(once["draw_id"].to_pylist()) == list(range(len(rows)))
    assert {flag for flags in once["flags"].to_pylist() for flag in flags} <= set(FLAGS)


@pytest.mark.parametrize(
    ("subject", "said"),
    [("1234567890", "1234567890"), ("p00010", "'p00010'"), ("", "empty"), ("-3", "-3"), ("99999999999", "99999999999")],
)
def test_invalid_subject_raises_one_line(tmp_path, subject, said):
    for name in ("LABEVENTS", "DIAGNOSES_ICD", "PATIENTS"):
        write_tables(tmp_path)
        row = {
            "LABEVENTS": f'1,{subject},100,50971,2150-01-01 10:00:00,"4.1",4.1,"mEq/L",',
            "DIAGNOSES_ICD": f'1,{subject},100,1,"4019"',
            "PATIENTS": f'1,{subject},"M",2100-01-01 00:00:00,,,,0',
        }[name]
        write_tables(tmp_path, **{name: [row]})
        columns = {"LABEVENTS": LABEVENTS, "PATIENTS": ["SUBJECT_ID", "DOB"]}.get(name, ["SUBJECT_ID", "ICD9_CODE"])
        with pytest.raises(UserError, match=rf"{name}\.csv\.gz: .*SUBJECT_ID.*{said}.*up to nine digits") as caught:
            read_csv_table(tmp_path, name, columns)
        assert "\n" not in str(caught.value)


def test_a_value_of_another_type_names_its_column(tmp_path):
    _write(tmp_path, '1,10,100,50971,yesterday,"4.1",4.1,"mEq/L",\n')
    with pytest.raises(UserError, match=r"LABEVENTS\.csv\.gz: line 2: CHARTTIME 'yesterday' is not a time"):
        analyte_rows(tmp_path, [50971])


def _counted_by_hand(path, items):
    """(rows, values, positive, negative, positive of 10059, negative of 10059), without any of Kalemia's code."""
    with gzip.open(path, "rt") as file:
        rows = [row for row in csv.DictReader(file) if int(row["ITEMID"]) in items]
    values = [(row["SUBJECT_ID"], float(row["VALUENUM"])) for row in rows if row["VALUENUM"]]
    positive, negative = ([s for s, k in values if k > 5.5], [s for s, k in values if 3.5 <= k <= 5.0])
    of_one = (positive.count("10059"), negative.count("10059"))
    return len(rows), len(values), len(positive), len(negative), *of_one


@pytest.mark.realdata
def test_counts_of_the_real_demo_tables(study, real_data):
    expected = {(50971, 50822): (2535, 2534, 56, 1970, 8, 12), (50971,): (2279, 2278, 43, 1789, 5, 12)}
    for items, counts in expected.items():
        assert _counted_by_hand(real_data / "mimiciii-demo/LABEVENTS.csv.gz", items) == counts
        analyte = dataclasses.replace(study.analyte, items=items)
        draws = build_draws(analyte_rows(real_data / "mimiciii-demo", items), analyte).to_pylist()
        labels_of = {10059: [d["label"] for d in draws if d["subject_id"] == 10059], None: [d["label"] for d in draws]}
        n_values = sum(draw["value"] is not None for draw in draws)
        n_labels = [labels_of[of].count(label) for of in (None, 10059) for label in (1, 0)]
        assert (len(draws), n_values, *n_labels) == counts
        assert sum("twin" in draw["flags"] for draw in draws) == (6 if len(items) == 2 else 0)
        assert not any({"contradiction", "hemolyzed", "conflicting twins"} & set(draw["flags"]) for draw in draws)


@pytest.mark.realdata
def test_the_other_real_tables_can_be_read(real_data):
    folder = real_data / "mimiciii-demo"
    assert len(read_csv_table(folder, "PATIENTS", ["SUBJECT_ID", "GENDER", "DOB"])) == 100
    assert len(read_csv_table(folder, "DIAGNOSES_ICD", ["SUBJECT_ID", "ICD9_CODE"])) > 1000
