"""A simulated patient whose potassium follows a known course for 48 hours."""

import pytest

from kalemia.cli import main
from kalemia.core.tables import read_table
from kalemia.monitor.monitor_record import ALERTS
from planted_patient import FLAT_HOURS, crossing_hours, patient_ecg_mv, train_patient_model
from simulated_course import write_record

WINDOW_H, STEP_H = 10 / 60, 1 / 60


@pytest.mark.slow
def test_alerts_begin_in_time_and_a_flat_day_has_one_at_most(tmp_path, study):
    train_patient_model(tmp_path / "model", study, seed=31)
    record = write_record(tmp_path, "patient", patient_ecg_mv(seed=31))
    arguments = ["--model", tmp_path / "model", "--record", record, "--out", tmp_path / "out"]
    assert main(["monitor", *map(str, arguments)]) == 0
    rows = read_table(tmp_path / "out" / ALERTS, "monitor_alerts").to_pylist()
    alerts_h = [
        (row["onset_s"] / 3600, (row["onset_s"] + row["duration_s"]) / 3600) for row in rows if row["kind"] == "alert"
    ]
    assert sum(onset_h < FLAT_HOURS for onset_h, _ in alerts_h) <= 1
    for crossing_h in crossing_hours():
        # also one that began before, and still lasts
        assert any(onset_h <= crossing_h + WINDOW_H + STEP_H and end_h > crossing_h for onset_h, end_h in alerts_h)
