"""`kalemia monitor`: every minute of a recording, also while it grows."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from kalemia.cli import main
from kalemia.core.tables import read_table
from kalemia.models.model import load_model
from kalemia.monitor import assess_windows
from kalemia.monitor.monitor_record import ALERTS, PAGE, WINDOWS
from kalemia.monitor.windows import MINUTE
from kalemia.sources.signal_files import open_signal
from simulated_course import write_record

BEATS = ("mean_beat", "low_beat", "high_beat")


def _monitor(model, record, out):
    assert main(["monitor", "--model", str(model), "--record", str(record), "--out", str(out)]) == 0
    return read_table(out / WINDOWS, "monitor")


def test_each_minute_has_what_the_model_says_of_the_ten_minutes_before(monitored, model_folder, record):
    rows = read_table(monitored / WINDOWS, "monitor").to_pylist()
    model, signal_ = load_model(model_folder), open_signal(record, "II")
    assert [row["stop_s"] for row in rows] == [60.0 * minute for minute in range(5, 25)]
    for row in rows:
        first, last = round(row["start_s"] * 125), round(row["stop_s"] * 125)
        result = model.assess_window(signal_.read_mv(first, last).astype(np.float32))
        said = (result.reason, result.n_beats, result.logit, result.probability, result.decision)
        assert (row["reason"], row["n_beats"], row["logit"], row["probability"], row["decision"]) == said


def test_the_band_of_the_beats_holds_their_mean(monitored):
    for row in read_table(monitored / WINDOWS, "monitor").to_pylist():
        assert (row["reason"] is None) == (row["mean_beat"] is not None)
        if row["mean_beat"]:
            low, mean, high = (np.array(row[name]) for name in ("low_beat", "mean_beat", "high_beat"))
            assert (low <= mean).all()
            assert (mean <= high).all()


@pytest.mark.slow
def test_processes_give_the_same_table(monitored, model_folder, record, tmp_path, monkeypatch):
    monkeypatch.setattr(assess_windows, "_WORTH_PROCESSES", 1)
    assert _monitor(model_folder, record, tmp_path).equals(read_table(monitored / WINDOWS, "monitor"))


def test_the_network_abstains_where_the_ecg_is_missing(model_folder, tmp_path, record):
    ecg_mv = open_signal(record, "II").read_mv(0, 6 * MINUTE)
    gap_mv = np.full(20 * MINUTE, np.nan)
    path = write_record(tmp_path, "gap", [ecg_mv, gap_mv, ecg_mv])
    rows = _monitor(model_folder, path, tmp_path / "out").to_pylist()
    assert [row["stop_s"] / 60 for row in rows if row["reason"] is None] == [*range(5, 12), 31, 32]
    assert {row["reason"] for row in rows} == {None, "gap"}
    assert all(row["probability"] is None for row in rows if row["reason"])


def test_a_turned_lead_raises_the_drift_alarm(tmp_path, record, model_folder):
    from model_folders import write_model

    ecg_mv = open_signal(record, "II").read_mv(0, 15 * MINUTE)
    path = write_record(tmp_path, "turned", [ecg_mv, -ecg_mv])
    learned_mv = np.array(_monitor(model_folder, path, tmp_path / "first").to_pylist()[0]["mean_beat"])
    model = write_model(tmp_path / "model", wave=None, mean_beat_mv=learned_mv)
    drift = _monitor(model, path, tmp_path / "out")["drift"].to_numpy(zero_copy_only=False)
    alarms = [
        row
        for row in read_table(tmp_path / "out" / ALERTS, "monitor_alerts").to_pylist()
        if row["kind"] == "drift alarm"
    ]
    assert np.nanmax(drift[:11]) < 0.1
    assert drift[-1] > 1
    assert len(alarms) == 1
    assert 15 < alarms[0]["onset_s"] / 60 <= 26


def test_a_generic_network_tells_no_drift(tmp_path, record):
    from model_folders import write_model

    generic = write_model(tmp_path / "model", kind="generic", subject_id=None, arm=None, round=None, wave=None)
    assert _monitor(generic, record, tmp_path / "out")["drift"].null_count == 20


def test_a_recording_that_is_too_short_is_refused(tmp_path, model_folder, capsys):
    path = write_record(tmp_path, "short", [np.zeros(4 * MINUTE)])
    assert main(["monitor", "--model", str(model_folder), "--record", str(path), "--out", str(tmp_path / "out")]) == 1
    assert "has 4.0 minutes; a window needs at least 5" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def _wait_for_rows(path, n, process):
    until = time.monotonic() + 120
    while not (path.exists() and len(read_table(path, "monitor")) >= n):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_growing_recording_is_followed_until_ctrl_c(tmp_path, record, model_folder, monitored, stop):
    samples = record.with_suffix(".dat").read_bytes()
    header = record.with_suffix(".hea").read_text().splitlines()
    (tmp_path / "record.hea").write_text(f"record 1 125\n{header[1].replace(header[1].split()[6], '0')}\n")
    growing, out = tmp_path / "record.dat", tmp_path / "out"
    growing.write_bytes(samples[: 2 * round(7.5 * MINUTE)])
    program = "import sys; from kalemia.cli import main; sys.exit(main())"
    arguments = ["monitor", "--model", str(model_folder), "--record", str(tmp_path / "record"), "--out", str(out)]
    with subprocess.Popen([sys.executable, "-c", program, *arguments, "--follow"], stderr=subprocess.PIPE) as process:
        _wait_for_rows(out / WINDOWS, 3, process)
        growing.write_bytes(samples[: 2 * round(9.2 * MINUTE)])
        _wait_for_rows(out / WINDOWS, 5, process)
        process.send_signal(stop)
        said = process.communicate(timeout=60)[1].decode()
    assert (process.returncode, said) == (0, "")
    rows, expected = (read_table(path / WINDOWS, "monitor").drop_columns("time") for path in (out, monitored))
    assert rows.equals(expected.slice(0, 5))
    assert sorted(path.name for path in out.iterdir()) == sorted([ALERTS, PAGE, WINDOWS])
