"""`kalemia predict`."""

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest

from kalemia.cli import main
from kalemia.core.tables import read_table
from kalemia.models.model import load_model
from kalemia.monitor.windows import MINUTE
from kalemia.sources.signal_files import open_signal
from own_files import write_csv, write_edf

USE = "Research use only, not a medical device."


def _predict(model, record, out, *more):
    return main(["predict", "--model", str(model), "--record", str(record), "--out", str(out), *map(str, more)])


def test_a_row_a_window_with_what_the_model_says_of_the_excerpt(model_folder, record, tmp_path, capsys):
    out = tmp_path / "windows.parquet"
    assert _predict(model_folder, record, out, "--lead", "ii") == 0
    rows = read_table(out, "windows").to_pylist()
    model, signal = load_model(model_folder), open_signal(record, "II")
    assert [(row["start_s"], row["stop_s"]) for row in rows] == [(0.0, 600.0), (600.0, 1440.0)]
    for row in rows:
        excerpt_mv = signal.read_mv(round(row["start_s"] * 125), round(row["stop_s"] * 125)).astype(np.float32)
        result = model.assess_window(excerpt_mv)
        assert (row["logit"], row["probability"], row["decision"]) == (
            result.logit,
            result.probability,
            result.decision,
        )
        assert row["notice"] == USE
    assert capsys.readouterr().out.splitlines()[1:] == [USE]


def test_csv_has_the_same_numbers_and_the_picture_says_what_it_is_not(model_folder, record, tmp_path):
    plot = tmp_path / "windows.svg"
    assert _predict(model_folder, record, tmp_path / "windows.parquet") == 0
    assert _predict(model_folder, record, tmp_path / "windows.csv", "--plot", plot) == 0
    with (tmp_path / "windows.csv").open() as file:
        rows = list(csv.DictReader(file))
    expected = pq.read_table(tmp_path / "windows.parquet").to_pylist()
    assert [float(row["probability"]) for row in rows] == [row["probability"] for row in expected]
    assert rows[0]["time"] == "2150-03-04 05:16:00.000000"
    assert {row["notice"] for row in rows} == {USE}
    assert "not a medical device" in plot.read_text()


@pytest.mark.parametrize(("write", "name", "options"), [
    (write_edf, "holter.edf", ["--lead", "ECG II"]),
    (write_csv, "ecg.csv", ["--rate", "250", "--unit", "mV"]),
])  # fmt: skip
def test_edf_and_csv_are_read_as_in_a_study(model_folder, tmp_path, write, name, options):
    write(tmp_path / name, 250, seconds=360)
    assert _predict(model_folder, tmp_path / name, tmp_path / "windows.parquet", *options) == 0
    (row,) = read_table(tmp_path / "windows.parquet", "windows").to_pylist()
    assert row["reason"] is None
    assert row["heart_rate_bpm"] == 60


def _cut(record, tmp_path):
    for suffix in (".hea", ".dat"):
        (tmp_path / record.name).with_suffix(suffix).write_bytes(record.with_suffix(suffix).read_bytes())
    with (tmp_path / record.name).with_suffix(".dat").open("r+b") as file:
        file.truncate(MINUTE)
    return tmp_path / record.name


@pytest.mark.parametrize("command", ["predict", "monitor"])
@pytest.mark.parametrize("fault", ["model", "../", "lead", "record", "cut", "out"])
def test_what_cannot_be_done_is_told_in_one_line(model_folder, record, tmp_path, capsys, command, fault):
    (tmp_path / "file").write_text("")
    out = tmp_path / ("file" if fault == "out" else "here") / "windows.parquet"
    model, path, lead = model_folder, record, "II"
    if fault == "model":
        model = tmp_path
    elif fault == "../":
        model = model_folder / ".." / model_folder.name
    elif fault == "record":
        path = tmp_path / "nothing"
    elif fault == "cut":
        path = _cut(record, tmp_path)
    elif fault == "lead":
        lead = "V5"
    arguments = [command, "--model", str(model), "--record", str(path), "--lead", lead, "--out", str(out)]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("kalemia: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "here").exists()


def test_the_output_is_csv_or_parquet(model_folder, record, tmp_path, capsys):
    assert _predict(model_folder, record, tmp_path / "windows.xlsx") == 1
    assert "--out ends in .csv or .parquet" in capsys.readouterr().err


@pytest.mark.parametrize(("plot", "said"), [("windows.png", "--plot ends in .svg"), ("folder.svg", "is a folder")])
def test_a_picture_that_cannot_be_written_leaves_no_table(model_folder, record, tmp_path, capsys, plot, said):
    (tmp_path / "folder.svg").mkdir()
    assert _predict(model_folder, record, tmp_path / "windows.csv", "--plot", tmp_path / plot) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "windows.csv").exists()
