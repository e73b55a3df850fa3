import dataclasses
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from kalemia.beats.excerpts import write_excerpts
from kalemia.cohort.matching import Match, Unmatched, match_draws, recordings_outside_admissions, window_before
from kalemia.cohort.select_cohort import read_subject_draws, unusable_lines, write_cohort
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table
from kalemia.sources import Recording, Segment
from kalemia.sources.mimic_tables import excluded_by_code
from kalemia.sources.physionet import PhysioNet
from mirror import lab_row, write_record, write_tables

START = datetime(2150, 1, 1)
MINUTE = 60 * 125


def _recording(name="a", segments=((0, 60 * MINUTE),), start=START):
    parts = tuple(Segment(f"{name}{i}", *span) for i, span in enumerate(segments))
    return Recording(7, name, start, 125.0, parts[-1].stop, parts)


def test_the_window_is_the_ten_minutes_before_the_draw():
    assert window_before(START + timedelta(minutes=30), _recording(), 10) == (20 * MINUTE, 30 * MINUTE)


def test_the_window_ends_with_the_recording():
    assert window_before(START + timedelta(minutes=64), _recording(), 10) == (54 * MINUTE, 60 * MINUTE)
    assert window_before(START + timedelta(minutes=4), _recording(), 10) == (0, 4 * MINUTE)


def test_a_window_outside_the_recording_is_empty():
    for minutes in (-30, 90):
        start, stop = window_before(START + timedelta(minutes=minutes), _recording(), 10)
        assert start == stop


class _Headers:
    """A source that knows how many samples of the lead a recording has, and counts how often it is asked."""

    def __init__(self, lead_samples=None):
        self.lead, self.asked = lead_samples or {}, []

    def lead_samples(self, recording, lead, start, stop):
        self.asked.append(recording.name)
        return self.lead[recording.name]


def _match(recordings, cohort, source=None, minutes=30):
    (match,) = match_draws([START + timedelta(minutes=minutes)], recordings, source or _Headers(), cohort)
    return match


def test_overlapping_recording_with_more_of_the_lead_is_taken(study):
    source = _Headers({"a": 5 * MINUTE, "b": 8 * MINUTE})
    longer = _recording("a")
    shorter = _recording("b", ((0, 22 * MINUTE), (23 * MINUTE, 60 * MINUTE)))
    assert _match([longer, shorter], study.cohort, source) == Match("b", 20 * MINUTE, 30 * MINUTE)
    recorded = dataclasses.replace(study.cohort, prefer_recording="any_lead")
    assert _match([shorter, longer], recorded, _Headers()).recording == "a"


def test_ties_are_broken_by_recorded_samples_then_by_name(study):
    gappy = _recording("a", ((0, 23 * MINUTE), (25 * MINUTE, 60 * MINUTE)))
    source = _Headers(dict.fromkeys("abc", 5 * MINUTE))
    for order in (slice(None), slice(None, None, -1)):
        recordings = [gappy, _recording("c"), _recording("b")][order]
        assert _match(recordings, study.cohort, source).recording == "b"


def test_segment_headers_are_read_only_for_overlapping_recordings(study):
    source = _Headers({"a": 1, "c": 2})
    elsewhere = _recording("b", start=START + timedelta(hours=3))
    assert _match([_recording("a"), elsewhere], study.cohort, source).recording == "a"
    assert source.asked == []
    _match([_recording("a"), elsewhere, _recording("c")], study.cohort, source)
    assert sorted(source.asked) == ["a", "c"]


def test_a_recording_with_too_little_of_the_window_is_not_taken(study):
    gappy = _recording("a", ((0, 24 * MINUTE), (29.5 * MINUTE, 60 * MINUTE)))
    assert _match([gappy], study.cohort) == _too_few("a", "4.5")


def _too_few(name, minutes, needed=5, window="10 minutes before"):
    has = f"has only {minutes} of the {needed} minutes needed in the {window} the draw"
    return Unmatched("too few minutes recorded", f"{name}: {has}")


def test_a_draw_without_ecg_says_whether_too_little_or_nothing_was_recorded(study):
    short, shorter = _recording("a"), _recording("b", ((0, 59 * MINUTE),))
    assert _match([short, shorter], study.cohort, minutes=67) == _too_few("a", "3.0")
    assert _match([shorter, short], study.cohort, minutes=67) == _too_few("a", "3.0")
    assert _match([short], study.cohort, minutes=65.01) == _too_few("a", "4.9")
    assert _match([short], study.cohort, minutes=3) == _too_few("a", "3.0")
    strict = dataclasses.replace(study.cohort, max_missing_minutes=1.0)
    assert _match([short], strict, minutes=67) == _too_few("a", "3.0", needed=9)
    later = dataclasses.replace(study.cohort, offset_hours=6.0)
    at = _match([short], later, minutes=67)  # the window ends where the caller says
    assert at == _too_few("a", "3.0", window="10 minutes that end 6 hours before")
    nothing = Unmatched("not recording at the time")
    gap = _recording("c", ((0, MINUTE), (59 * MINUTE, 60 * MINUTE)))
    assert _match([gap], study.cohort) == _match([short], study.cohort, minutes=90) == nothing
    assert _match([], study.cohort) == _match([short], study.cohort, minutes=-9) == nothing


@pytest.mark.parametrize(("minutes", "slack", "fits"), [(65, 5, True), (66, 5, False), (62, 1, False), (61, 1, True)])
def test_window_may_miss_at_most_the_configured_minutes(study, minutes, slack, fits):
    cohort = dataclasses.replace(study.cohort, max_missing_minutes=slack, min_recorded_minutes=2.0)
    assert (
        _match([_recording()], cohort, minutes=minutes)
        == Match("a", *window_before(START + timedelta(minutes=minutes), _recording(), 10))
    ) == fits


@pytest.mark.parametrize(("leads", "expected"), [(["II", "V"], (3, 1)), (["V"], (0, 0)), (["II"], (6, 2))])
def test_samples_of_the_lead_are_counted_by_headers_alone(tmp_path, leads, expected):
    minutes_mv = np.zeros(MINUTE)
    of = [({lead: np.tile(minutes_mv, 3)}, 50) for lead in (leads * 2)[:2]]
    name = write_record(tmp_path, 10, START, 3_000_001, [of[0], MINUTE, of[1]])
    for path in tmp_path.rglob("*.dat"):
        path.unlink()
    source = PhysioNet(tmp_path)
    recording = source.recording(name)
    whole = source.lead_samples(recording, "II", 0, recording.n_samples)
    assert whole == expected[0] * MINUTE
    assert source.lead_samples(recording, "II", 2 * MINUTE, 5 * MINUTE) == expected[1] * MINUTE


def test_codes_of_fibrillation_and_pacing(tmp_path):
    write_tables(
        tmp_path,
        DIAGNOSES_ICD=['1,10,100,1,"42731"', '2,11,100,1,"V4501"', '3,12,100,1,"4271"', '4,13,100,1,""'],
        PROCEDURES_ICD=['1,14,100,1,"3783"', '2,15,100,1,"3606"'],
    )
    expected = {10: "atrial fibrillation coded", 11: "pacing coded", 14: "pacing coded"}
    assert excluded_by_code(tmp_path) == expected


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
        PhysioNet(mirror, mirror), study.analyte, dataclasses.replace(study.cohort, **cohort), study.populations, 1, "",
        mirror / "draws.parquet", mirror / "subjects.parquet", mirror / "unreadable.parquet",
    )  # fmt: skip
    return {row["draw_id"]: row for row in read_table(mirror / "draws.parquet", "draws").to_pylist()}


def test_every_draw_is_kept_with_its_candidate_or_its_reason(mirror, study):
    draws = _written(mirror, study)
    assert len(draws) == 26
    assert all((row["candidate_population"] is None) != (row["reason"] is None) for row in draws.values())
    assert {draws[i]["candidate_population"] for i in range(19)} == {"personal"}
    assert draws[19]["candidate_population"] == "generic"
    reasons = {i: draws[i]["reason"] for i in range(20, 26)}
    assert reasons == {
        20: "class not used for the patient",
        21: "atrial fibrillation coded",
        22: "no recording",
        23: "twin",
        24: "not recording at the time",
        25: "implausible value",
    }
    assert (draws[0]["sample_from"], draws[0]["sample_to"]) == (5 * MINUTE, 15 * MINUTE)
    subjects = read_table(mirror / "subjects.parquet", "subjects").to_pylist()
    assert subjects == [
        {"subject_id": 10, "candidate_population": "personal"},
        {"subject_id": 11, "candidate_population": "generic"},
    ]


def test_recording_outside_every_admission_is_reported_and_still_used(mirror, study):
    stays = [f'1,10,100,{START - timedelta(days=9)},{START - timedelta(days=2)},"WHITE"']
    stays += [f'2,11,101,{START - timedelta(days=9)},{START - timedelta(hours=20)},"WHITE"']
    stays += [f'3,12,102,{START + timedelta(hours=2)},{START + timedelta(hours=9)},"WHITE"']
    write_tables(mirror / "t", ADMISSIONS=stays)
    source = PhysioNet(mirror, mirror / "t")
    (row,) = recordings_outside_admissions(source, source.recording_names(), study.cohort)
    assert (row["subject_id"], row["reason"]) == (10, "outside every admission")
    for name in ("ADMISSIONS",):
        (mirror / f"{name}.csv.gz").write_bytes((mirror / "t" / f"{name}.csv.gz").read_bytes())
    assert _written(mirror, study)[0]["candidate_population"] == "personal"
    reported = read_table(mirror / "unreadable.parquet", "ledger").to_pylist()
    assert [(row["subject_id"], row["reason"]) for row in reported] == [(10, "outside every admission")]


def test_within_patients_both_classes_are_read(mirror, study):
    within = dataclasses.replace(study.populations, generic_sampling="within_patients")
    draws = _written(mirror, dataclasses.replace(study, populations=within))
    assert [draws[i]["candidate_population"] for i in (19, 20)] == ["generic", "generic"]


def test_codes_exclude_only_if_configured(mirror, study):
    assert _written(mirror, study, exclude_codes=False)[21]["candidate_population"] == "generic"


@pytest.mark.parametrize(("offset_hours", "begins"), [(0.1, 23), (0.0, 29), (-0.1, 35)])
def test_the_window_ends_the_offset_before_the_draw(mirror, study, offset_hours, begins):
    draw = _written(mirror, study, offset_hours=offset_hours)[12]  # 39 minutes after the start
    assert (draw["sample_from"], draw["sample_to"]) == (begins * MINUTE, (begins + 10) * MINUTE)
    write_excerpts(PhysioNet(mirror), mirror / "draws.parquet", 10, "II", 5, "", mirror / "e.parquet")
    rows = {row["draw_id"]: row for row in read_table(mirror / "e.parquet", "excerpts").to_pylist()}
    assert rows[12]["draw_time"] == START + timedelta(minutes=39)
    assert len(rows[12]["ecg_mv"]) == 10 * MINUTE


def test_a_recording_that_begins_after_the_draw_serves_a_window_after_it(tmp_path, study):
    write_record(tmp_path, 10, START, 3_000_001, [({"II": np.tile(np.sin(np.arange(125) / 20), 3600)}, 50)])
    write_tables(tmp_path, LABEVENTS=[lab_row(1, 10, START - timedelta(hours=1), 4.0)])
    draw = _written(tmp_path, study, offset_hours=-1.5)[1]
    assert (draw["sample_from"], draw["sample_to"]) == (20 * MINUTE, 30 * MINUTE)


def test_an_offset_beyond_the_recording_leaves_no_ecg(mirror, study):
    with pytest.raises(UserError, match="not recording at the time"):
        _written(mirror, study, offset_hours=24.0)


def test_empty_cohort_raises_one_line(mirror, study):
    with pytest.raises(UserError, match=r"cohort: no draw can be used \(") as caught:
        _written(mirror, study, window_minutes=300.0, min_recorded_minutes=120.0)
    assert "\n" not in str(caught.value)
    assert not (mirror / "draws.parquet").exists()


def test_excerpts_contain_the_window_or_a_reason(mirror, study):
    _written(mirror, study)
    assert [draw["draw_id"] for draw in read_subject_draws(mirror / "draws.parquet", 11)] == [19]
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


def test_values_that_cannot_be_used_are_counted_and_shown_once_each():
    details = ["ERROR", "ERROR", *(f">{n}" for n in range(7, 12))]
    draws = pa.table({"draw_id": range(7), "reason": ["no value"] * 7, "detail": details})
    assert list(unusable_lines(draws)) == ["7 values not used, no value: ERROR; >7; >8; >9; >10; and 1 more"]
