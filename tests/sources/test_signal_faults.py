import numpy as np
import pytest
import wfdb
from test_physionet import START

from kalemia.sources import Fault
from kalemia.sources.physionet import PhysioNet
from kalemia.sources.signal_faults import faults_of
from mirror import write_record


def test_a_lost_electrode_is_flat():
    ecg = np.random.default_rng(1).normal(size=1000)
    ecg[300:550] = 0.4
    ecg[700:949] = 0.4  # a sample less than two seconds
    assert faults_of(ecg, 125, 10_000, None) == [Fault("flat", 10_300, 10_550)]


def test_the_ends_of_the_converter_are_clipping_and_the_marker_is_missing():
    ecg = np.sin(np.arange(1000) / 3) * 50
    ecg[100:103], ecg[200:202], ecg[300:305] = 127, 127, -127
    ecg[400:410] = np.nan
    assert faults_of(ecg, 125, 0, (-127, 127)) == [
        Fault("clipped", 100, 103),
        Fault("clipped", 300, 305),
        Fault("missing", 400, 410),
    ]


@pytest.mark.parametrize(("fmt", "top"), [("80", 127), ("16", 32767)])
def test_faults_are_found_in_a_segment_s_own_units(tmp_path, fmt, top):
    name = write_record(tmp_path, 20, START, 3_000_001, [({"II": np.sin(np.arange(2000) / 7)}, 50)])
    values = np.round(np.sin(np.arange(2000) / 7) * 50).astype(int)
    values[100:110], values[200:300], values[500:760] = top, -top - 1, 3
    wfdb.wrsamp(
        "3000001_0001", fs=125, units=["mV"], sig_name=["II"], d_signal=values[:, None], fmt=[fmt], adc_gain=[50],
        baseline=[0], write_dir=str(next(tmp_path.rglob("*.dat")).parent),
    )  # fmt: skip
    source = PhysioNet(tmp_path)
    excerpt = source.read_lead(source.recording(name), "II", 0, 2000)
    assert excerpt.faults == [Fault("clipped", 100, 110), Fault("missing", 200, 300), Fault("flat", 500, 760)]
    assert np.flatnonzero(np.isnan(excerpt.ecg_mv)).tolist() == list(range(200, 300))


def test_samples_with_a_wrong_checksum_are_not_read(tmp_path):
    name = write_record(tmp_path, 20, START, 3_000_001, [({"II": np.sin(np.arange(2000) / 7)}, 50)])
    path = next(tmp_path.rglob("*.dat"))
    path.write_bytes(path.read_bytes()[:-1] + b"\x33")
    source = PhysioNet(tmp_path)
    excerpt = source.read_lead(source.recording(name), "II", 0, 2000)
    assert [problem.reason for problem in excerpt.problems] == ["checksum"]
    assert np.isnan(excerpt.ecg_mv).all()
