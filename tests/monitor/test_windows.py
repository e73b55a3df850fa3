"""Windows of a recording, read in pieces."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from ecg_signals import clean_ecg, regular_r_samples
from kalemia.core.errors import UserError
from kalemia.monitor import windows as windows_module
from kalemia.monitor.windows import MINUTE, Record, Window, consecutive_windows, moving_windows
from kalemia.sources.resampling import resampled_span
from kalemia.sources.signal_files import Stated, open_signal
from kalemia.sources.user_recordings import UserRecordings
from own_files import write_csv, write_edf, write_wfdb
from simulated_course import STARTED, write_record


def _minutes(windows):
    return [(window.start / MINUTE, window.stop / MINUTE) for window in windows]


def test_moving_windows_end_at_whole_minutes_and_are_shorter_near_the_start():
    windows = moving_windows(0, 12 * MINUTE + 7, window_minutes=10, min_minutes=5)
    assert _minutes(windows) == [(0, 5), (0, 6), (0, 7), (0, 8), (0, 9), (0, 10), (1, 11), (2, 12)]
    assert _minutes(moving_windows(12, 12 * MINUTE, 10, 5)) == [(2, 12)]
    assert _minutes(moving_windows(0, 5 * MINUTE - 1, 10, 5)) == []


def test_consecutive_windows_take_a_short_remainder_in():
    assert _minutes(consecutive_windows(24 * MINUTE, 10)) == [(0, 10), (10, 24)]
    assert _minutes(consecutive_windows(26 * MINUTE, 10)) == [(0, 10), (10, 20), (20, 26)]


@pytest.mark.parametrize("rate_hz", [125, 250, 360, 249.89])
def test_a_window_is_the_same_however_the_recording_is_read(tmp_path, rate_hz, monkeypatch):
    monkeypatch.setattr(windows_module, "_PIECE_S", 70)
    write_wfdb(tmp_path / "record", rate_hz, seconds=300)
    record = Record(tmp_path / "record", "mlii")
    signal = open_signal(tmp_path / "record", "MLII")
    for window in moving_windows(0, record.n_samples, window_minutes=1, min_minutes=1):
        span = resampled_span(signal.read_mv, signal.n_samples, signal.rate_hz, window.start, window.stop)
        assert np.array_equal(record.read_window(window).ecg_mv, span)


def test_a_piece_is_read_once_for_all_windows_in_it(tmp_path):
    record = Record(write_record(tmp_path, "record", [np.zeros(20 * MINUTE)]), "II")
    spans, read_mv = [], record.signal.read_mv
    object.__setattr__(
        record.signal, "read_mv", lambda first, last: spans.append((first, last)) or read_mv(first, last)
    )
    for window in moving_windows(0, record.n_samples, 10, 5):
        record.read_window(window)
    assert spans == [(0, 20 * MINUTE)]


def test_what_a_growing_recording_has_last_is_not_read_yet(tmp_path):
    write_wfdb(tmp_path / "record", 125, seconds=120)
    assert Record(tmp_path / "record", "MLII").n_samples == 120 * 125
    assert Record(tmp_path / "record", "MLII", is_growing=True).n_samples == 119 * 125


def test_the_clock_of_the_recorder_is_read(tmp_path):
    record = Record(write_record(tmp_path, "record", [np.zeros(MINUTE)]), "II")
    assert record.time_at(0) == STARTED
    write_edf(tmp_path / "holter.edf", 250)
    write_csv(tmp_path / "ecg.csv", 100)
    assert Record(tmp_path / "holter.edf", "ecg ii").time_at(60).year == 1985  # edfio writes 01.01.85
    assert Record(tmp_path / "ecg.csv", "II", Stated(Fraction(100), "mV")).time_at(60) is None


def test_a_lead_that_is_not_there_is_told_with_those_that_are(tmp_path):
    write_edf(tmp_path / "holter.edf", 250)
    with pytest.raises(UserError, match=r"^no lead: .*holter.edf: has ECG II, not V5; name one of them with --lead$"):
        Record(tmp_path / "holter.edf", "V5")


def test_a_recording_that_was_cut_off_is_refused_unless_it_grows(tmp_path):
    path = write_record(tmp_path, "record", [np.zeros(MINUTE)])
    with path.with_suffix(".dat").open("r+b") as file:
        file.truncate(MINUTE)
    with pytest.raises(UserError, match=r"has 3,750 samples of II, its header says 7,500; copy the whole file$"):
        Record(path, "II")
    assert Record(path, "II", is_growing=True).n_samples == 3750 - 125


def test_a_window_that_cannot_be_read_says_why(tmp_path):
    path = write_record(tmp_path, "record", [0.02 * clean_ecg(regular_r_samples(MINUTE), MINUTE)])
    assert Record(path, "II").read_window(Window(0, MINUTE)).reason == "implausible amplitude"


def test_a_growing_recording_may_be_unreadable_for_a_moment(tmp_path):
    path = write_record(tmp_path, "record", [np.zeros(MINUTE)])
    record = Record(path, "II", is_growing=True)
    header = path.with_suffix(".hea")
    text = header.read_text()
    header.write_text("")
    record.look_again()
    header.write_text(text)
    record.look_again()
    header.write_text("")
    for _ in range(windows_module._MOST_FAILURES - 1):
        record.look_again()
    with pytest.raises(UserError, match=r"record\.hea: is empty"):
        record.look_again()


def test_paths_are_those_of_the_recording(tmp_path):
    path = write_record(tmp_path, "record", [np.zeros(MINUTE)])
    assert Record(Path(f"{path}.hea"), "II").n_samples == MINUTE


@pytest.mark.parametrize(("name", "lead", "rate_hz"), [
    ("ward-3", "mlii", None), ("holter-12.edf", "ECG II", None), ("monitor.csv", "II", Fraction(100)),
])  # fmt: skip
def test_a_window_has_every_bit_of_the_excerpt_that_a_study_reads(name, lead, rate_hz):
    folder = ROOT / "tests/own"
    source = UserRecordings(folder, folder)
    start, stop = 1234, 9876
    excerpt = source.read_lead(source.recording(name), lead, start, stop)
    samples = Record(folder / name, lead, Stated(rate_hz)).read_window(Window(start, stop))
    assert samples.reason is None
    assert np.array_equal(samples.ecg_mv, excerpt.ecg_mv)
    assert samples.ecg_mv.dtype == excerpt.ecg_mv.dtype


def test_why_windows_cannot_be_read_is_told_once_with_the_reason(tmp_path, caplog):
    path = write_record(tmp_path, "tiny", [clean_ecg(regular_r_samples(12 * MINUTE), 12 * MINUTE) / 50])
    record = Record(path, "II")
    reasons = {record.read_window(Window(0, minute * MINUTE)).reason for minute in range(8, 13)}
    assert reasons == {"implausible amplitude"}
    assert [message.split(":")[0] for message in caplog.messages] == ["implausible amplitude until minute 8"]
