"""What was known at a draw: never anything from later, and null where nothing could tell."""

import dataclasses
import gzip
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.cohort.clinical_context import write_context
from kalemia.cohort.labs import build_draws
from kalemia.cohort.treatments import TreatmentIntervals, given_within
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.sources.mimic_codes import TREATMENT_TABLES, TREATMENTS, items_of
from kalemia.sources.mimic_tables import analyte_rows
from mirror import lab_row, write_tables

START = datetime(2150, 1, 10)


def _at(hours):
    return START + timedelta(hours=hours)


def _context(folder, study, labs, rates=(), **tables):
    """The context of draws (subject, hours, value), with tables of which `None` is not there."""
    rows = [lab_row(i, subject, _at(hours), value) for i, (subject, hours, value) in enumerate(labs)]
    write_tables(folder, LABEVENTS=rows, **tables)
    return _written_context(folder, study, rates, [table for table in TREATMENT_TABLES if table in tables])


def _written_context(folder, study, rates=(), given=()):
    draws = build_draws(analyte_rows(folder, study.analyte.items), study.analyte)
    for name in ("recording", "sample_from", "sample_to", "minutes_from_ecg", "candidate_population", "detail"):
        draws = draws.append_column(name, table_from_rows("draws", [{}] * len(draws))[name])
    write_table(folder / "draws.parquet", "draws", draws)
    quality = [{"draw_id": draw, "heart_rate_bpm": rate} for draw, rate in rates]
    write_table(folder / "q.parquet", "quality", table_from_rows("quality", quality))
    write_context(
        folder / "draws.parquet", [folder / "q.parquet"], folder, given, study.context, "", folder / "context.parquet"
    )
    return {row["draw_id"]: row for row in read_table(folder / "context.parquet", "context").to_pylist()}


def test_value_counts_from_the_time_of_its_result(tmp_path, study):
    rows = _context(tmp_path, study, [(10, 0, 6.1), (10, 0.99, 4.0), (10, 1, 5.2), (10, 2, 4.1), (11, 5, 4.2)])
    assert [rows[i]["last_value"] for i in (0, 1, 4)] == [None, None, None]
    assert rows[2]["last_value"] == pytest.approx(6.1)
    assert (rows[2]["last_label"], rows[2]["hours_since_last"]) == (1, 1)


def test_a_result_counts_from_the_time_that_the_laboratory_gives(tmp_path, study):
    table = "row_id,subject_id,hadm_id,itemid,charttime,storetime,value,valuenum,valueuom\n"
    delays = {0: 5.0, 1: 0.5, 2: None}  # hours from a draw to its result; the third is not known
    for i, hours in enumerate((0, 1, 2, 3.5, 5.5)):
        result = "" if delays.get(i) is None else f"{_at(hours + delays[i]):%Y-%m-%d %H:%M:%S}"
        table += f"{i},10,,50971,{_at(hours):%Y-%m-%d %H:%M:%S},{result},4.{i},4.{i},mEq/L\n"
    write_tables(tmp_path)
    (tmp_path / "LABEVENTS.csv.gz").write_bytes(gzip.compress(table.encode()))
    rows = _written_context(tmp_path, study)
    assert [rows[i]["last_value"] for i in range(5)] == pytest.approx([None, None, 4.1, 4.2, 4.3])


def test_last_label_is_carried_over_unlabeled_values(tmp_path, study):
    labs = [(10, 0, 6.1), (10, 2, 5.2), (10, 4, 5.3), (10, 6, 4.0), (10, 8, 5.1), (11, 9, 5.2), (11, 11, 4.0)]
    rows = _context(tmp_path, study, labs)
    assert [rows[i]["last_label"] for i in range(7)] == [None, 1, 1, 1, 0, None, None]
    assert rows[3]["last_value"] == pytest.approx(5.3)
    assert rows[3]["hours_since_last"] == 2


def test_unreliable_values_are_not_used(tmp_path, study):
    rows = _context(tmp_path, study, [(10, 0, 4.4), (10, 1, 99.0), (10, 3, 4.1)])
    assert rows[2]["last_value"] == pytest.approx(4.4)


def test_a_hemolyzed_value_is_not_known_and_a_draw_without_a_time_has_no_context(tmp_path, study):
    rows = [lab_row(i, 10, _at(3 * i), 4.4) for i in range(3)]
    rows[1] = rows[1].replace("4.4", "6.9") + "HEMOLYZED"
    rows.append('3,10,,50971,,"4.5",4.5,"mEq/L",')
    write_tables(tmp_path, LABEVENTS=rows)
    known = _written_context(tmp_path, study)
    assert known[2]["last_value"] == pytest.approx(4.4)
    assert set(known) == {0, 1, 2}
    kept = dataclasses.replace(study, analyte=dataclasses.replace(study.analyte, exclude_hemolyzed=False))
    assert _written_context(tmp_path, kept)[2]["last_value"] == pytest.approx(6.9)


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 30), st.sampled_from([4.0, 5.2, 6.1])), max_size=12))
def test_last_value_and_label_match_a_plain_search(tmp_path_factory, study, drawn):
    labs = [(subject, hours / 4, value) for subject, hours, value in drawn]
    context = dataclasses.replace(study.context, result_delay_hours=1.5)
    rows = _context(tmp_path_factory.mktemp("c"), dataclasses.replace(study, context=context), labs)
    for i, (subject, hours, _) in enumerate(labs):
        known = [(h, -k, labs[k][2]) for k, (s, h, _) in enumerate(labs) if s == subject and h + 1.5 <= hours]
        labeled = [found for found in known if found[2] != 5.2]
        expected = max(known)[2] if known else None
        assert rows[i]["last_value"] == (expected and pytest.approx(expected))
        label_of = {4.0: 0, 6.1: 1}
        assert rows[i]["last_label"] == (label_of[max(labeled)[2]] if labeled else None)


def test_admission_is_the_one_that_contains_the_draw(tmp_path, study):
    stays = [f'1,10,100,{_at(-5)},{_at(10)},"WHITE"', f'2,10,101,{_at(100)},{_at(200)},"WHITE"']
    rows = _context(tmp_path, study, [(10, 0, 4.0), (10, 50, 4.0), (10, 110, 4.0)], ADMISSIONS=stays)
    assert [rows[i]["admission_id"] for i in range(3)] == [100, None, 101]
    assert [rows[i]["hours_since_admission"] for i in range(3)] == [5, None, 10]


def test_heart_rate_is_that_of_the_excerpt(tmp_path, study):
    rows = _context(tmp_path, study, [(10, 0, 4.0), (10, 5, 4.0), (10, 9, 4.0)], rates=[(0, 81.5), (1, None)])
    assert [rows[i]["heart_rate_bpm"] for i in range(3)] == [81.5, None, None]


EVERY_TABLE = dict.fromkeys(TREATMENT_TABLES, ())


def _bolus(subject, hours, item, status="FinishedRunning"):
    return f'1,{subject},{_at(hours)},{_at(hours + 1 / 60)},{item},10,"{status}"'


def test_a_treatment_counts_for_the_hours_before_a_draw(tmp_path, study):
    events = [_bolus(10, 1, 223258), _bolus(10, 20, 221456, "Rewritten"), _bolus(11, 3, 220995)]
    labs = [(10, 0.9, 4.0), (10, 2, 4.0), (10, 7, 4.0), (10, 7.1, 4.0), (10, 21, 4.0), (11, 4, 4.0)]
    rows = _context(tmp_path, study, labs, **EVERY_TABLE | {"INPUTEVENTS_MV": events})
    assert [rows[i]["insulin"] for i in range(6)] == [False, True, True, False, False, False]
    assert [rows[i]["bicarbonate"] for i in range(6)] == [False] * 5 + [True]
    assert not any(row["calcium"] or row["dialysis"] for row in rows.values())


def test_without_a_table_no_interval_means_unknown(tmp_path, study):
    events = [_bolus(10, 1, 223258)]
    rows = _context(tmp_path, study, [(10, 2, 4.0), (10, 90, 4.0)], INPUTEVENTS_MV=events)
    assert [rows[i]["insulin"] for i in (0, 1)] == [True, None]
    assert rows[0]["dialysis"] is None
    assert [_context(tmp_path, study, [(10, 2, 4.0)])[0][name] for name in TREATMENTS] == [None] * 4


def test_dialysis_has_a_duration_and_the_older_system_records_single_times(tmp_path, study):
    session = [f'1,10,{_at(0)},{_at(20)},225802,"FinishedRunning"']
    moments = [f"1,11,{_at(1)},30045,,2", f"2,11,{_at(30)},30045,0,", f"3,11,{_at(2)},30023,1000,"]
    tables = EVERY_TABLE | {"PROCEDUREEVENTS_MV": session, "INPUTEVENTS_CV": moments}
    rows = _context(
        tmp_path, study, [(10, 15, 4.0), (10, 25, 4.0), (10, 27, 4.0), (11, 3, 4.0), (11, 31, 4.0)], **tables
    )
    assert [rows[i]["dialysis"] for i in range(5)] == [True, True, False, False, False]
    assert [rows[i]["insulin"] for i in range(5)] == [False, False, False, True, False]
    assert rows[3]["calcium"]


def test_order_is_certain_only_between_its_first_and_last_day(tmp_path, study):
    order = [f'1,10,{_at(0)},{_at(72)},"Insulin Human Regular"']
    rows = _context(
        tmp_path, study, [(10, h, 4.0) for h in (-1, 5, 25, 60, 80, 110)], **EVERY_TABLE | {"PRESCRIPTIONS": order}
    )
    assert [rows[i]["insulin"] for i in range(6)] == [False, None, True, True, None, False]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)), max_size=6),
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
    st.integers(1, 8),
)
def test_given_within_matches_a_plain_search(courses, draws, hours):
    times = np.array([_at(h) for h in sorted(draws)], "datetime64[us]")
    spans = [(np.datetime64(_at(start), "us"), np.datetime64(_at(start + length), "us")) for start, length in courses]
    found = given_within(
        TreatmentIntervals({7: spans} if spans else {}, {}, True), times, {7: slice(0, len(times))}, hours
    )
    expected = [any(s < h and s + length >= h - hours for s, length in courses) for h in sorted(draws)]
    assert found.to_pylist() == expected


def test_every_item_has_a_source_and_every_treatment_its_items():
    tables = (*TREATMENT_TABLES, "CHARTEVENTS")
    items = [item for table in tables for item in items_of(table)]
    assert {item.meaning for item in items} == {*TREATMENTS, "height", "weight"}
    assert len({(item.meaning, item.table, item.item) for item in items}) == len(items)


@pytest.mark.realdata
def test_the_real_tables_of_treatments_can_be_read(study, real_data, tmp_path):
    tables = real_data / "mimiciii-demo"
    draws = build_draws(analyte_rows(tables, (50971, 50822)), dataclasses.replace(study.analyte, items=(50971, 50822)))
    for name in ("recording", "sample_from", "sample_to", "minutes_from_ecg", "candidate_population", "detail"):
        draws = draws.append_column(name, table_from_rows("draws", [{}] * len(draws))[name])
    write_table(tmp_path / "d.parquet", "draws", draws)
    write_context(tmp_path / "d.parquet", [], tables, TREATMENT_TABLES, study.context, "", tmp_path / "c.parquet")
    rows = read_table(tmp_path / "c.parquet", "context").to_pylist()
    assert len(rows) == 2535
    for name in TREATMENTS:
        answers = [row[name] for row in rows]
        assert 10 < answers.count(True) < 1500
        assert answers.count(False) > 500
    within = [row for row in rows if row["hours_since_admission"] is not None and row["hours_since_admission"] >= 0]
    assert len(within) > 1900
