"""Monitoring real recordings with a network that knows nothing of them: what is found in the ECG must be right."""

import csv
import gzip

import numpy as np
import pytest

from kalemia.cli import main
from kalemia.core.tables import read_table
from kalemia.monitor.monitor_record import PAGE, WINDOWS
from model_folders import write_model

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def generic_folder(tmp_path_factory):
    about = dict.fromkeys(("subject_id", "arm", "round", "wave"))
    return write_model(tmp_path_factory.mktemp("models") / "model", kind="generic", **about)


def _monitor(model, record, out):
    assert main(["monitor", "--model", str(model), "--record", str(record), "--out", str(out)]) == 0
    assert (out / PAGE).stat().st_size > 0
    return read_table(out / WINDOWS, "monitor").to_pylist()


@pytest.mark.parametrize("number", range(1, 27))
def test_the_heart_rate_is_that_of_the_icu_monitor(real_data, generic_folder, tmp_path, number):
    with gzip.open(real_data / f"bidmc/bidmc_{number:02d}_Signals.csv.gz", "rb") as file:
        (tmp_path / "ecg.csv").write_bytes(file.read())
    with open(real_data / f"bidmc/bidmc_{number:02d}_Numerics.csv") as file:
        rates_bpm = np.array([row[1] or "nan" for row in list(csv.reader(file))[1:]], float)
    rows = _monitor(generic_folder, tmp_path / "ecg.csv", tmp_path / "out")
    assert [row["stop_s"] for row in rows] == [300, 360, 420, 480]
    for row in rows:
        if row["reason"] is None:
            monitor_bpm = np.nanmedian(rates_bpm[: round(row["stop_s"])])
            assert row["heart_rate_bpm"] == pytest.approx(monitor_bpm, rel=0.05)


def test_a_record_of_days_in_segments_abstains_where_lead_ii_is_missing(real_data, generic_folder, tmp_path):
    rows = _monitor(generic_folder, real_data / "mimic3wdb/s25047/s25047-2704-05-04-10-44", tmp_path / "out")
    answers = [row for row in rows if row["reason"] is None]
    print(len(rows), len(answers), {row["reason"] for row in rows})
    assert 0 < len(answers) < len(rows)
