import dataclasses
from datetime import datetime, timedelta

import numpy as np
import pytest

from kalemia.cohort import best_recording, read_draws_of, window_of, write_cohort
from kalemia.errors import UserError
from kalemia.excerpts import write_excerpts
from kalemia.labs import coded_reasons
from kalemia.sources import Recording, Segment
from kalemia.sources.physionet import PhysioNet
from kalemia.tables import read_table
from mirror import lab_row, write_record, write_tables

START = datetime(2150, 1, 1)
MINUTE = 60 * 125


def _recording(name="a", segments=((0, 60 * MINUTE),), start=START):
    parts = tuple(Segment(f"{name}{i}", *span) for i, span in enumerate(segments))
    return Recording(7, name, start, 125.0, parts[-1].stop, parts)


def test_the_window_is_the_ten_minutes_before_the_draw():
    assert window_of(START + timedelta(minutes=30), _recording(), 10) == (20 * MINUTE, 30 * MINUTE)


def test_the_window_ends_with_the_recording():
    assert window_of(START + timedelta(minutes=64), _recording(), 10) == (54 * MINUTE, 60 * MINUTE)
    assert window_of(START + timedelta(minutes=4), _recording(), 10) == (0, 4 * MINUTE)


def test_a_window_outside_the_recording_is_empty():
    for minutes in (-30, 90):
        start, stop = window_of(START + timedelta(minutes=minutes), _recording(), 10)
        assert start == stop


def test_the_recording_with_most_of_the_window_is_taken(study):
    gappy = _recording("a", ((0, 23 * MINUTE), (25 * MINUTE, 60 * MINUTE)))
    whole = _recording("b")
    recording, _, _ = best_recording(START + timedelta(minutes=30), [gappy, whole], study.cohort)
    assert recording is whole


def test_a_recording_with_too_little_of_the_window_is_not_taken(study):
    gappy = _recording("a", ((0, 24 * MINUTE), (29.5 * MINUTE, 60 * MINUTE)))
    assert best_recording(START + timedelta(minutes=30), [gappy], study.cohort) is None


def test_codes_of_fibrillation_and_pacing(tmp_path):
    write_tables(
        tmp_path,
        DIAGNOSES_ICD=['1,10,100,1,"42731"', '2,11,100,1,"V4501"', '3,12,100,1,"4271"', '4,13,100,1,""'],
        PROCEDURES_ICD=['1,14,100,1,"3783"', '2,15,100,1,"3606"'],
    )
    expected = {10: "atrial fibrillation coded", 11: "pacing coded", 14: "pacing coded"}
    assert coded_reasons(tmp_path) == expected


@pytest.fixture
def mirror(tmp_path):
    """10 has 9 positive and 9 negative draws and one in between, 11 both classes, 12 a code, 13 no recording."""
    hour_mv = np.tile(np.sin(np.arange(125) / 20), 3600)
    draw_at = [START + timedelta(minutes=15 + 2 * i) for i in range(19)]
    for number, subject in enumerate((10, 11, 12), start=3_000_001):
        write_record(tmp_path, subject, START, number, [({"II": hour_mv}, 50)])
    labs = [lab_row(i, 10, time, 6.0 if i < 9 else 4.0) for i, time in enumerate(draw_at[:18])]
    labs += [lab_row(18, 10, draw_at[18], 5.2), lab_row(19, 11, draw_at[0], 6.1), lab_row(20, 11, draw_at[1], 4.1)]
    labs += [lab_row(21, 12, draw_at[0], 4.0), lab_row(22, 13, draw_at[0], 4.0), lab_row(23, 11, draw_at[0], 5.2)]
    labs += [lab_row(24, 11, START + timedelta(days=9), 4.0), lab_row(25, 11, START + timedelta(minutes=40), 99)]
    write_tables(tmp_path, LABEVENTS=labs, DIAGNOSES_ICD=['1,12,100,1,"42731"'])
    return tmp_path


def _written(mirror, study, **cohort):
    write_cohort(
        PhysioNet(mirror, mirror), study.analyte, dataclasses.replace(study.cohort, **cohort), 8, 1, "",
        mirror / "draws.parquet", mirror / "subjects.parquet", mirror / "unreadable.parquet",
    )  # fmt: skip
    return {row["draw_id"]: row for row in read_table(mirror / "draws.parquet", "draws").to_pylist()}


def test_every_draw_is_kept_with_its_candidate_or_its_reason(mirror, study):
    draws = _written(mirror, study)
    assert len(draws) == 26
    assert all((row["candidate"] is None) != (row["reason"] is None) for row in draws.values())
    assert {draws[i]["candidate"] for i in range(19)} == {"personal"}
    assert draws[19]["candidate"] == "generic"
    reasons = {i: draws[i]["reason"] for i in range(20, 26)}
    assert reasons == {
        20: "class not used for the patient",
        21: "atrial fibrillation coded",
        22: "no recording",
        23: "duplicate",
        24: "not recording at the time",
        25: "implausible value",
    }
    assert (draws[0]["sample_from"], draws[0]["sample_to"]) == (5 * MINUTE, 15 * MINUTE)
    subjects = read_table(mirror / "subjects.parquet", "subjects").to_pylist()
    assert subjects == [{"subject_id": 10, "candidate": "personal"}, {"subject_id": 11, "candidate": "generic"}]


def test_codes_exclude_only_if_asked_to(mirror, study):
    assert _written(mirror, study, exclude_codes=False)[21]["candidate"] == "generic"


def test_an_empty_cohort_is_one_clear_line(mirror, study):
    with pytest.raises(UserError, match=r"cohort: no draw can be used \(") as caught:
        _written(mirror, study, window_minutes=300.0, min_recorded_minutes=120.0)
    assert "\n" not in str(caught.value)
    assert not (mirror / "draws.parquet").exists()


def test_excerpts_hold_the_window_s_samples_or_the_reason(mirror, study):
    _written(mirror, study)
    assert [draw["draw_id"] for draw in read_draws_of(mirror / "draws.parquet", 11)] == [19]
    for lead, reason in (("II", None), ("V", "no lead")):
        write_excerpts(PhysioNet(mirror), mirror / "draws.parquet", 11, lead, 5, "", mirror / "e.parquet")
        (row,) = read_table(mirror / "e.parquet", "excerpts").to_pylist()
        assert row["reason"] == reason
        if reason is None:
            expected = np.tile(np.sin(np.arange(125) / 20), 600)
            np.testing.assert_allclose(row["ecg_mv"], expected, atol=0.0101)
            assert row["segments"][0]["gain"] == 50


def test_a_lead_recorded_too_briefly_is_a_gap(tmp_path, study):
    minutes_mv = np.tile(np.sin(np.arange(125) / 20), 60)
    name = write_record(
        tmp_path, 10, START, 3_000_001, [({"II": np.tile(minutes_mv, 4)}, 50), ({"V": np.tile(minutes_mv, 20)}, 50)]
    )
    write_tables(tmp_path, LABEVENTS=[lab_row(1, 10, START + timedelta(minutes=10), 4.0)])
    assert name
    _written(tmp_path, study)
    write_excerpts(PhysioNet(tmp_path), tmp_path / "draws.parquet", 10, "II", 5, "", tmp_path / "e.parquet")
    (row,) = read_table(tmp_path / "e.parquet", "excerpts").to_pylist()
    assert (row["reason"], row["ecg_mv"]) == ("gap", None)
