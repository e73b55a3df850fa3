"""Whatever a header or file holds, the answer is a signal or one line."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalemia.sources import UnreadableRecordingError
from kalemia.sources.formats import csv_files
from kalemia.sources.signal_files import Stated, faults_of_span, open_signal
from own_files import write_csv, write_edf, write_wfdb

TOKENS = st.sampled_from(
    ["", "0", "-1", "nan", "inf", "1e400", "1e999999999", "9" * 20, "9" * 5000, "a" * 5000, "~", "..", "/dev/zero", "x",
     "µ", "\0", "16x0", "16x99999999", "212", "310", "508", "8", "16:99", "16+99999", "0/mV",
     "1(99999999999999999999)/mV", "1:2", "250/0(0)", "a.hea"]
)  # fmt: skip
LEADS = {"a.hea": "MLII", "a.edf": "ECG II", "a.csv": "II"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recording in each format, and their contents by name."""
    path = tmp_path_factory.mktemp("damaged")
    write_wfdb(path / "a", 250, seconds=10)
    write_edf(path / "a.edf", 250, seconds=10)
    write_csv(path / "a.csv", 250, seconds=10)
    return path, {name: (path / name).read_bytes() for name in (*LEADS, "a.dat")}


def _refusal(path, name):
    """What a person is told; empty if the file is read."""
    try:
        signal = open_signal(path / name, LEADS[name], Stated(250 if name == "a.csv" else None))
        n_samples = min(signal.n_samples, 2500)
        assert len(signal.read_mv(0, n_samples)) == n_samples
        assert np.isfinite(signal.gain_per_mv)
        faults_of_span(signal, 0, min(1250, int(signal.n_samples * 125 / signal.rate_hz)))
    except UnreadableRecordingError as error:
        return error.detail
    return ""


def _check(path, name):
    refusal = _refusal(path, name)
    assert "\n" not in refusal
    assert len(refusal) < 1000


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(st.data())
def test_a_damaged_wfdb_header(folder, data):
    path, content = folder
    lines = [line.split(" ") for line in content["a.hea"].decode().splitlines()]
    for _ in range(data.draw(st.integers(1, 3))):
        line = lines[data.draw(st.integers(0, len(lines) - 1))]
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(TOKENS)
    (path / "a.hea").write_text("\n".join(map(" ".join, lines)) + "\n")
    _check(path, "a.hea")


@QUICK
@given(st.data())
def test_a_damaged_edf_header(folder, data):
    path, content = folder
    header = bytearray(content["a.edf"])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from([184, 192, 236, 244, 252, 256, 352, 360, 368, 376, 384, 472]))
        width = 4 if at == 252 else 8
        header[at : at + width] = data.draw(TOKENS).encode()[:width].ljust(width)
    (path / "a.edf").write_bytes(
        header[: data.draw(st.sampled_from([len(header), len(header) // 2, 600, 300, 100, 0]))]
    )
    _check(path, "a.edf")


@QUICK
@given(st.data())
def test_damaged_bytes_of_a_csv_file(folder, data):
    path, content = folder
    table = bytearray(content["a.csv"])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, 60))
        table[at : at + data.draw(st.integers(0, 5))] = data.draw(TOKENS).encode()
    (path / "a.csv").write_bytes(table)
    _check(path, "a.csv")


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_csv_recording_that_would_take_gigabytes_of_memory_is_refused(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(csv_files, "_MAX_LINES", 1000)
    monkeypatch.setattr(csv_files, "_PIECE", 100)
    text = b"II\n" + b"0.1\n" * 2000
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(gzip.compress(text) if suffix == "csv.gz" else text)
    with pytest.raises(UnreadableRecordingError) as error:
        open_signal(path, "II", Stated(250))
    assert "or 1,000 lines of text; divide it" in error.value.detail
