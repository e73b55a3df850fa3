import dataclasses
import os
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from kalemia.cohort.select_cohort import write_cohort
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table
from kalemia.sources import CORRECTED, SHORTER, UnreadableRecordingError
from kalemia.sources.csv_tables.user_tables import name_subjects
from kalemia.sources.resampling import resampled_samples, resampled_span
from kalemia.sources.user_recordings import UserRecordings, UserRecordingsDescription
from own_files import SECONDS, ecg_mv, write_csv, write_edf, write_wfdb

RECORDINGS = "subject,start,path,lead,rate,unit\n"
POTASSIUM = "subject,time,potassium,unit\n7,2024-05-17 08:01:50,5.9,mEq/L\n"


def _own(folder, recordings, potassium=POTASSIUM):
    (folder / "recordings.csv").write_text(RECORDINGS + recordings)
    (folder / "potassium.csv").write_text(potassium)
    return UserRecordings(folder, folder)


def _whole(source):
    ((name,),) = source.recording_names().values()
    recording = source.recording(name)
    return recording, source.read_lead(recording, "II", 0, recording.n_samples)


def _same_ecg(excerpt):
    """Away from the ends, where any filter must invent what lies beyond."""
    expected = ecg_mv(125)
    np.testing.assert_allclose(excerpt.ecg_mv[50:-50], expected[50:-50], atol=0.02)


@pytest.mark.parametrize("rate", [125, 250, 257, 360, 500, 1000])
@pytest.mark.parametrize("kind", ["csv", "edf", "wfdb"])
def test_the_same_ecg_comes_out_of_every_format_and_rate(tmp_path, kind, rate):
    path, lead = {"csv": ("a.csv", "II"), "edf": ("a.edf", "ECG II"), "wfdb": ("a", "MLII")}[kind]
    {"csv": write_csv, "edf": write_edf, "wfdb": write_wfdb}[kind](tmp_path / path, rate)
    source = _own(tmp_path, f"7,2024-05-17 08:00:00,{path},{lead},{rate},\n")
    recording, excerpt = _whole(source)
    assert (recording.subject_id, recording.rate_hz) == (7, 125.0)
    assert recording.n_samples == SECONDS * 125
    _same_ecg(excerpt)


@pytest.mark.parametrize("kind", ["csv", "edf", "wfdb"])
def test_microvolts_become_millivolts(tmp_path, kind):
    path, lead = {"csv": ("a.csv", "II"), "edf": ("a.edf", "ECG II"), "wfdb": ("a", "MLII")}[kind]
    if kind == "csv":
        write_csv(tmp_path / path, 250, 1000)
    else:
        {"edf": write_edf, "wfdb": write_wfdb}[kind](tmp_path / path, 250, "uV", 1000)
    _, excerpt = _whole(_own(tmp_path, f"7,2024-05-17 08:00:00,{path},{lead},250,uV\n"))
    _same_ecg(excerpt)


def test_a_flat_recording_does_not_stop_a_study(tmp_path):
    (tmp_path / "a.csv").write_text("II\n" + "0\n" * 2500)
    _, excerpt = _whole(_own(tmp_path, "7,2024-05-17 08:00:00,a.csv,II,250,\n"))
    assert not excerpt.ecg_mv.any()
    assert [fault.kind for fault in excerpt.faults] == ["flat"]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["100", "125", "250", "257.5", "360", "1000"]), st.data())
def test_a_window_equals_that_part_of_the_whole_signal(rate, data):
    rate_hz = Fraction(rate)
    native = np.random.default_rng(3).normal(size=3000)
    native[1200:1250] = np.nan
    n = resampled_samples(len(native), rate_hz)
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    whole = resampled_span(lambda a, b: native[a:b], len(native), rate_hz, 0, n)
    window = resampled_span(lambda a, b: native[a:b], len(native), rate_hz, start, stop)
    np.testing.assert_allclose(window, whole[start:stop], atol=1e-5)


def test_a_sine_keeps_its_amplitude_and_its_time():
    rate_hz = Fraction(360)
    native = np.sin(2 * np.pi * 5 * np.arange(7200) / 360)
    sine = resampled_span(lambda a, b: native[a:b], 7200, rate_hz, 500, 2000)
    np.testing.assert_allclose(sine, np.sin(2 * np.pi * 5 * np.arange(500, 2000) / 125), atol=2e-3)


def test_what_is_above_the_new_half_rate_is_filtered_out():
    native = np.sin(2 * np.pi * 150 * np.arange(10_000) / 500)
    assert np.abs(resampled_span(lambda a, b: native[a:b], 10_000, Fraction(500), 500, 2000)).max() < 0.01


def test_a_gap_stays_a_gap():
    native = np.ones(3600)
    native[1800:2160] = np.nan
    result = resampled_span(lambda a, b: native[a:b], 3600, Fraction(360), 0, 1250)
    assert np.flatnonzero(np.isnan(result)).tolist() == list(range(625, 750))


def test_millimoles_are_the_same_number(tmp_path):
    source = _own(tmp_path, "", "subject,time,potassium,unit\n7,2024-05-17 08:00:00,5.9,mmol/L\n")
    rows = source.analyte_rows([50971]).to_pylist()
    assert [(row["SUBJECT_ID"], row["VALUENUM"], row["CHARTTIME"]) for row in rows] == [
        (7, 5.9, datetime(2024, 5, 17, 8))
    ]


@pytest.mark.parametrize(("micro", "encoding"), [("\u00b5", "latin-1"), ("\u00b5", "utf-8"), ("\u03bc", "utf-8")])
def test_a_micro_sign_is_read_in_a_header(tmp_path, micro, encoding):
    write_wfdb(tmp_path / "a", 250, "uV", 1000)
    header = tmp_path / "a.hea"
    header.write_bytes(header.read_bytes().replace(b"uV", f"{micro}V".encode(encoding)))
    _, excerpt = _whole(_own(tmp_path, "7,2024-05-17 08:00:00,a,MLII,,\n"))
    _same_ecg(excerpt)


def test_a_micro_sign_is_read_in_edf(tmp_path):
    write_edf(tmp_path / "a.edf", 250, "uV", 1000)
    whole = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(whole[:512].replace(b"uV", b"\xb5V") + whole[512:])
    _, excerpt = _whole(_own(tmp_path, "7,2024-05-17 08:00:00,a.edf,ECG II,,\n"))
    _same_ecg(excerpt)


def test_an_empty_line_of_a_csv_recording_is_a_missing_sample(tmp_path):
    write_csv(tmp_path / "a.csv", 125)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join([*lines[:1001], *[""] * 200, *lines[1201:], "", ""]))
    recording, excerpt = _whole(_own(tmp_path, "7,2024-05-17 08:00:00,a.csv,II,125,\n"))
    assert recording.n_samples == SECONDS * 125
    assert np.flatnonzero(np.isnan(excerpt.ecg_mv)).tolist() == list(range(1000, 1200))


@pytest.mark.parametrize("frames_hz", [1, 62.5, 125])
def test_a_lead_with_several_samples_per_frame_has_its_own_rate(tmp_path, frames_hz):
    n_a_frame, slow = int(250 / frames_hz), np.zeros(int(SECONDS * frames_hz))
    wfdb.wrsamp(
        "a", fs=frames_hz, units=["NU", "mV"], sig_name=["RESP", "MLII"], e_p_signal=[slow, ecg_mv(250)],
        fmt=["16", "16"], adc_gain=[1.0, 1000.0], baseline=[0, 0], samps_per_frame=[1, n_a_frame],
        write_dir=str(tmp_path),
    )  # fmt: skip
    source = _own(tmp_path, "7,2024-05-17 08:00:00,a,MLII,,\n")
    recording, excerpt = _whole(source)
    assert recording.n_samples == SECONDS * 125
    _same_ecg(excerpt)
    part = source.read_lead(recording, "II", 1003, 2011)
    np.testing.assert_allclose(part.ecg_mv, excerpt.ecg_mv[1003:2011], atol=1e-6)


@pytest.mark.parametrize("first", ["gap", "other lead"])
def test_a_record_of_segments_may_begin_without_the_lead(tmp_path, first):
    half = SECONDS // 2
    write_wfdb(tmp_path / "s_0002", 125)
    other = {"units": ["mV"], "sig_name": ["V5"], "fmt": ["16"], "write_dir": str(tmp_path)}
    wfdb.wrsamp("s_0001", fs=125, p_signal=ecg_mv(125, half)[:, None], **other)
    begin = "~" if first == "gap" else "s_0001"
    n_before, n = half * 125, SECONDS * 125
    (tmp_path / "s_layout.hea").write_text("s_layout 2 125 0\n~ 0 1000/mV 16 0 0 0 0 MLII\n~ 0 1000/mV 16 0 0 0 0 V5\n")
    (tmp_path / "s.hea").write_text(f"s/3 2 125 {n_before + n}\ns_layout 0\n{begin} {n_before}\ns_0002 {n}\n")
    source = _own(tmp_path, "7,2024-05-17 08:00:00,s,MLII,,\n")
    recording, excerpt = _whole(source)
    assert recording.n_samples == n_before + n
    assert np.isnan(excerpt.ecg_mv[:n_before]).all()
    np.testing.assert_allclose(excerpt.ecg_mv[n_before:], ecg_mv(125), atol=0.002)
    assert np.isnan(source.read_lead(recording, "II", 0, 1000).ecg_mv).all()


def test_segments_in_two_units_are_reported(tmp_path):
    write_wfdb(tmp_path / "s_0001", 125)
    write_wfdb(tmp_path / "s_0002", 125, "uV", 1000)
    n = SECONDS * 125
    (tmp_path / "s.hea").write_text(f"s/2 1 125 {2 * n}\ns_0001 {n}\ns_0002 {n}\n")
    source = _own(tmp_path, "7,2024-05-17 08:00:00,s,MLII,,\n")
    with pytest.raises(UnreadableRecordingError, match="MLII is in mV and in uV; it must have one unit"):
        source.recording("s")


def test_times_with_zones_are_compared_in_utc(tmp_path):
    write_csv(tmp_path / "a.csv", 125, seconds=10)
    potassium = "subject,time,potassium\n7,2024-05-17T10:00:05+02:00,5.9\n"
    source = _own(tmp_path, "7,2024-05-17T08:00:00+00:00,a.csv,II,125,\n", potassium)
    recording, _ = _whole(source)
    assert recording.sample_at(source.analyte_rows([1])["CHARTTIME"].to_pylist()[0]) == 625


@pytest.mark.parametrize(
    ("recordings", "potassium", "says"),
    [
        ("7,2024-05-17T08:00:00+00:00,a.csv,II,125,\n", POTASSIUM, "some times have a time zone and some do not"),
        ('"x,7",2024-05-17 08:00:00,a.csv,II,125,\n', POTASSIUM, "line 2: subject 'x,7' is not a name"),
        (",2024-05-17 08:00:00,a.csv,II,125,\n", POTASSIUM, "line 2: subject '' is empty"),
        ("7,17.5.2024 8:00,a.csv,II,125,\n", POTASSIUM, "line 2: start '17.5.2024 8:00' is not a time"),
        ("7,2024-05-17 08:00:00,a.csv,II,fast,\n", POTASSIUM, "line 2: rate 'fast'"),
        ("7,2024-05-17 08:00:00,a.csv,II,0,\n", POTASSIUM, "line 2: rate '0'"),
        ("7,2024-05-17 08:00:00,a.csv,II,1e999999999,\n", POTASSIUM, "line 2: rate '1e999999999'"),
        ("7,2024-05-17 08:00:00,a,II,,\n8,2024-05-17 08:00:00,a,II,,\n", POTASSIUM, "line 3: a is listed twice"),
        ("", "subject;time;potassium\n7;2024-05-17 08:00:00;5\n", "has no column 'subject'; .* commas"),
        ("", "subject,time,value\n", "has no column 'potassium'"),
        ("", "subject,time,potassium\n7,2024-05-17 08:00:00,6,1\n", "line 2: has more fields .* need a point"),
        ("", "subject,time,potassium\n7,2024-05-17,6.1\n", "line 2: time '2024-05-17' is not a time but a day"),
        ("", "subject,time,potassium\n7,45429.33,6.1\n", "line 2: time '45429.33' is not a time; times are read as"),
        ("", "subject,time,potassium\n7,0001-01-01 00:00+02:00,6.1\n", "line 2: time '0001-01-01 00:00.02:00'"),
        ('7,"2024-05-17 08:00:00,a,II,,\n', POTASSIUM, r"recordings\.csv: line 2: begins a record that does not end"),
        ("7,2024-05-17 08:00:00,a,II\n", POTASSIUM, r"recordings\.csv: line 2: has fewer fields"),
    ],
)
def test_a_mistake_in_the_two_files_is_one_line(tmp_path, recordings, potassium, says):
    with pytest.raises(UserError, match=says) as caught:
        _own(tmp_path, recordings, potassium)
    assert "\n" not in str(caught.value)


def test_subjects_may_have_names_of_any_form(tmp_path):
    recordings = [f"{name},2024-05-17 08:00:00,{i}.csv,II,125,\n" for i, name in enumerate(("HN-0042", "007"))]
    draws = [f"{name},2024-05-17 08:01:50,5.9,\n" for name in ("7.0", "HN-0042", "HN-0043", "12345678901")]
    source = _own(tmp_path, "".join(recordings), "subject,time,potassium,unit\n" + "".join(draws))
    numbers = {name: number for number, name in source.subject_names.items()}
    assert list(numbers) == ["HN-0042", "007", "HN-0043", "12345678901"]
    assert source.recording_names() == {numbers["HN-0042"]: ["0.csv"], 7: ["1.csv"]}
    of_draws = [numbers["007"], numbers["HN-0042"], numbers["HN-0043"], numbers["12345678901"]]
    assert source.analyte_rows([1])["SUBJECT_ID"].to_pylist() == of_draws


def test_two_names_with_one_number_are_one_line(tmp_path):
    with pytest.raises(UserError, match="subjects 'A' and 'B' cannot be told apart; rename one of them"):
        name_subjects([(1_000_000_001, "A"), (1_000_000_001, "A"), (1_000_000_001, "B")])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"recordings\.csv does not exist; docs/own-recordings\.md"):
        UserRecordings(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gone.edf,II,,", "no header"),
        ("gone,II,,", "no header"),
        ("a.csv,V9,250,", "no lead"),
        ("a.csv,II,,", "unreadable header"),
        ("a.csv,II,250,mmHg", "not in millivolts"),
        ("broken.edf,II,,", "unreadable header"),
        ("broken.csv,II,250,", "unreadable file"),
    ],
)
def test_an_unreadable_recording_has_a_reason(tmp_path, line, reason):
    write_csv(tmp_path / "a.csv", 250, seconds=10)
    (tmp_path / "broken.edf").write_bytes(b"no EDF at all" * 40)
    (tmp_path / "broken.csv").write_text("II\n1.0\ntwo\n")
    source = _own(tmp_path, f"7,2024-05-17 08:00:00,{line}\n")
    ((name,),) = source.recording_names().values()
    with pytest.raises(UnreadableRecordingError) as caught:
        source.recording(name)
    assert caught.value.reason == reason


def _lead_off(folder, name="off"):
    noise_mv = 0.006 * np.random.default_rng(1).standard_normal((SECONDS * 250, 1))
    wfdb.wrsamp(name, 250, ["mV"], ["MLII"], noise_mv, fmt=["16"], adc_gain=[1e4], baseline=[0], write_dir=str(folder))


@pytest.mark.parametrize("unit", ["uV", "V"])
def test_an_implausible_amplitude_costs_the_excerpt_and_says_why(tmp_path, unit):
    write_wfdb(tmp_path / "a", 250, unit, 1)
    _, excerpt = _whole(_own(tmp_path, "7,2024-05-17 08:00:00,a,MLII,,\n"))
    (problem,) = excerpt.problems
    assert problem.reason == "implausible amplitude"
    assert f"mV high, not 0.05 to 20: the lead was off, or its unit {unit} or gain is wrong" in problem.detail
    assert np.isnan(excerpt.ecg_mv).all()


def test_a_lead_that_is_off_for_half_of_the_time_is_read(tmp_path):
    off_mv = 0.006 * np.random.default_rng(1).standard_normal(SECONDS * 250)
    both_mv = np.where(np.arange(SECONDS * 250) < SECONDS * 170, off_mv, ecg_mv(250))
    wfdb.wrsamp("a", 250, ["mV"], ["MLII"], both_mv[:, None], fmt=["16"], write_dir=str(tmp_path))
    assert not _whole(_own(tmp_path, "7,2024-05-17 08:00:00,a,MLII,,\n"))[1].problems


def test_single_lost_samples_do_not_hide_an_implausible_amplitude(tmp_path):
    lines = [f"{value:.3f}" for value in ecg_mv(125) * 1000]
    lines[::100] = [""] * len(lines[::100])
    (tmp_path / "a.csv").write_text("II\n" + "\n".join(lines) + "\n")
    _, excerpt = _whole(_own(tmp_path, "7,2024-05-17 08:00:00,a.csv,II,125,mV\n"))
    assert [problem.reason for problem in excerpt.problems] == ["implausible amplitude"]


def test_what_recordings_csv_says_of_a_file_overrides_it(tmp_path):
    write_edf(tmp_path / "a.edf", 500, "V")
    source = _own(tmp_path, "7,2024-05-17 08:00:00,a.edf,ecg ii,500,mV\n")
    recording, excerpt = _whole(source)
    _same_ecg(excerpt)
    assert [reason for reason, _ in recording.notes] == [CORRECTED]


def test_one_odd_recording_never_stops_the_cohort_and_has_a_line_in_the_ledger(tmp_path, study):
    """Of seven recordings two are read as they are, two with a note, three not at all."""
    for name in ("a", "b", "short", "zero", "corrected"):
        write_wfdb(tmp_path / name, 250)
    for name in ("zero", "corrected"):
        header = tmp_path / f"{name}.hea"
        header.write_text(header.read_text().replace(f"{name} 1 250 ", f"{name} 1 0 "))
    content = (tmp_path / "short.dat").read_bytes()
    (tmp_path / "short.dat").write_bytes(content[: len(content) - 2000])
    os.mkfifo(tmp_path / "pipe.csv")
    _lead_off(tmp_path)
    rows = [
        ("a", ""),
        ("b", ""),
        ("short", ""),
        ("zero", ""),
        ("corrected", "250"),
        ("pipe.csv", "250"),
        ("x" * 4999, ""),
    ]
    days = range(10, 10 + len(rows))
    recordings = "".join(
        f"7,2024-05-{day} 08:00:00,{name},MLII,{rate},\n" for day, (name, rate) in zip(days, rows, strict=True)
    )
    values = [6.1 if day % 2 else 4.0 for day in days]
    draws = "".join(f"7,2024-05-{day} 08:01:30,{value}\n" for day, value in zip(days, values, strict=True))
    source = _own(tmp_path, recordings, "subject,time,potassium\n" + draws)
    cohort = dataclasses.replace(study.cohort, window_minutes=1.0, min_recorded_minutes=0.5, max_missing_minutes=0.5)
    paths = [tmp_path / f"{name}.parquet" for name in ("draws", "subjects", "unreadable")]
    write_cohort(source, study.analyte, cohort, study.populations, 1, "digest", *paths)
    ledger = {row["recording"]: row["reason"] for row in read_table(paths[2], "ledger").to_pylist()}
    assert ledger == {
        "short": SHORTER, "zero": "unreadable header", "corrected": CORRECTED, "pipe.csv": "unreadable header",
        "x" * 4999: "no header",
    }  # fmt: skip


def test_a_wrong_unit_in_a_table_stops_no_study_and_its_line_and_value_are_told(tmp_path, study, capsys):
    write_wfdb(tmp_path / "a", 125)
    recordings = [f"7,2024-05-{day} 08:00:00,{name},MLII,,{unit}" for day, name, unit in (
        (17, "a", ""), (18, "b", "mmV"), (19, "c", ""))]  # fmt: skip
    for name in ("b", "c"):
        write_wfdb(tmp_path / name, 125)
    draws = [f"7,2024-05-{day} 08:01:30,{value},{unit}" for day, value, unit in (
        (17, "6.1", "mmol/L"), (18, "4.1", "mmol/L"), (19, "160", "mg/L"))]  # fmt: skip
    source = _own(tmp_path, "\n".join(recordings) + "\n", "\n".join(["subject,time,potassium,unit", *draws]) + "\n")
    cohort = dataclasses.replace(study.cohort, window_minutes=1.0, min_recorded_minutes=0.5, max_missing_minutes=0.5)
    paths = [tmp_path / f"{name}.parquet" for name in ("draws", "subjects", "unreadable")]
    write_cohort(source, study.analyte, cohort, study.populations, 1, "digest", *paths)
    value = "potassium.csv, line 4: 160 mg/L; its unit must be mEq/L or mmol/L"
    (lost,) = (row for row in read_table(paths[0], "draws").to_pylist() if row["reason"] == "other unit")
    assert lost["detail"] == value
    unit = "b: unit 'mmV' (column unit of recordings.csv, line 3) is not a unit of voltage; write mV, uV, nV or V"
    (unread,) = read_table(paths[2], "ledger").to_pylist()
    assert (unread["recording"], unread["reason"]) == ("b", "not in millivolts")
    assert unread["detail"] == f"{tmp_path}/{unit}"
    console = capsys.readouterr().err.splitlines()
    assert f"1 value not used, other unit: {value}" in console
    assert any(line.startswith("1 recording cannot be read: ") and "not in millivolts" in line for line in console)


def test_the_files_of_a_study_leave_out_what_is_no_file(tmp_path, study):
    write_wfdb(tmp_path / "a", 250, seconds=10)
    os.mkfifo(tmp_path / "pipe.bdf")
    (tmp_path / "folder.edf").mkdir()
    lines = "".join(f"7,2024-05-17 08:00:00,{name},II,,\n" for name in ("a", "pipe.bdf", "folder.edf", "x" * 5000))
    _own(tmp_path, lines)
    place = dataclasses.replace(study.source, kind="local", waveforms=str(tmp_path), tables=str(tmp_path))
    description = UserRecordingsDescription(dataclasses.replace(study, source=place))
    names = [Path(name).name for name in description.input_files()]
    assert names == ["recordings.csv", "a.hea", "a.dat"]


def test_a_time_before_the_calendar_begins_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"line 2: start '0001-01-01T00:00:00\+09:00' is not a time"):
        _own(tmp_path, "7,0001-01-01T00:00:00+09:00,a,II,,\n", "subject,time,potassium\n7,2024-05-17T08:00:00Z,5\n")
