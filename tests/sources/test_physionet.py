import re
import shutil
from datetime import datetime

import numpy as np
import pytest
import wfdb

from kalemia.core.errors import UserError
from kalemia.sources import Segment, UnreadableRecordingError
from kalemia.sources.physionet import PhysioNet
from mirror import DATABASE, place_s25047, write_record

START = datetime(2150, 3, 4, 5, 17, 31, 500_000)


@pytest.fixture
def ecg_mv():
    return {name: np.random.default_rng(i).integers(-90, 90, 1000) / 50 for i, name in enumerate("abc")}


@pytest.fixture
def mirror(tmp_path, ecg_mv):
    parts = [
        500,
        ({"V": ecg_mv["b"], "II": ecg_mv["a"]}, 50),
        ({"V": ecg_mv["b"]}, 50),
        100,
        ({"II": ecg_mv["c"][:400]}, 25),
    ]
    name = write_record(tmp_path, 20, START, 3_000_001, parts)
    return PhysioNet(tmp_path), name


def _reasons(excerpt):
    return [problem.reason for problem in excerpt.problems]


def test_a_recording_knows_its_start_and_its_segments(mirror):
    source, name = mirror
    assert source.recording_names() == {20: [name]}
    recording = source.recording(name)
    assert (recording.subject_id, recording.start, recording.rate_hz, recording.n_samples) == (20, START, 125.0, 3000)
    assert recording.segments == (
        Segment("3000001_0002", 500, 1500),
        Segment("3000001_0003", 1500, 2500),
        Segment("3000001_0005", 2600, 3000),
    )
    assert recording.recorded_samples(0, 1000) == 500
    assert recording.sample_at(datetime(2150, 3, 4, 5, 17, 32)) == 62


def test_a_lead_is_read_across_gaps_with_the_gain_of_each_segment(mirror, ecg_mv):
    source, name = mirror
    excerpt = source.read_lead(source.recording(name), "II", 400, 2900)
    expected = np.full(2500, np.nan)
    expected[100:1100] = ecg_mv["a"]
    expected[2200:2500] = ecg_mv["c"][:300]
    np.testing.assert_allclose(excerpt.ecg_mv, expected, atol=0.021)
    np.testing.assert_allclose(excerpt.ecg_mv[:1100], expected[:1100], atol=1e-6)
    assert [(s.name, s.start, s.stop, s.gain) for s in excerpt.segments] == [
        ("3000001_0002", 500, 1500, 50.0),
        ("3000001_0005", 2600, 2900, 25.0),
    ]
    assert excerpt.problems == []


def test_a_missing_file_is_reported_and_the_rest_is_read(mirror, tmp_path):
    source, name = mirror
    next(tmp_path.rglob("3000001_0002.dat")).unlink()
    excerpt = source.read_lead(source.recording(name), "II", 0, 3000)
    assert _reasons(excerpt) == ["file missing"]
    assert np.isfinite(excerpt.ecg_mv).sum() == 400


def test_a_truncated_file_is_reported(mirror, tmp_path):
    source, name = mirror
    path = next(tmp_path.rglob("3000001_0002.dat"))
    path.write_bytes(path.read_bytes()[:700])
    assert _reasons(source.read_lead(source.recording(name), "II", 0, 3000)) == ["truncated file"]


@pytest.mark.parametrize("gain", [0.05, 100_000], ids=["1,000 times too high", "1,000 times too low"])
def test_an_amplitude_that_no_ecg_has_is_a_problem_of_the_excerpt(mirror, tmp_path, gain):
    source, name = mirror
    for header in tmp_path.rglob("3000001_000[25].hea"):
        header.write_text(re.sub(r"(16|80) \d+(\.\d+)?", rf"\1 {gain}", header.read_text()))
    excerpt = source.read_lead(source.recording(name), "II", 0, 3000)
    assert _reasons(excerpt) == ["implausible amplitude"]
    assert np.isnan(excerpt.ecg_mv).all()


@pytest.mark.parametrize(
    ("unit", "factor"),
    [(b"uV", 1e-3), ("µV".encode(), 1e-3), ("µV".encode("latin-1"), 1e-3), ("μV".encode(), 1e-3), (b"V", 1e3)],
)
def test_every_unit_of_voltage_becomes_millivolts(tmp_path, ecg_mv, unit, factor):
    name = write_record(tmp_path, 20, START, 3_000_001, [({"II": ecg_mv["a"]}, 50)])
    header = (tmp_path / DATABASE / name).with_name("3000001_0001.hea")
    text, n = re.subn(rb" 50(\.0)?(\(\d+\))?/mV", rb" %g\2/%b" % (50 * factor, unit), header.read_bytes())
    assert n == 1
    header.write_bytes(text)
    source = PhysioNet(tmp_path)
    excerpt = source.read_lead(source.recording(name), "II", 0, 1000)
    np.testing.assert_allclose(excerpt.ecg_mv, ecg_mv["a"], rtol=1e-6)
    assert excerpt.segments[0].gain == pytest.approx(50)


def test_a_unit_that_is_not_a_voltage_is_a_problem(tmp_path, ecg_mv):
    name = write_record(tmp_path, 20, START, 3_000_001, [({"II": ecg_mv["a"]}, 50)])
    header = (tmp_path / DATABASE / name).with_name("3000001_0001.hea")
    header.write_bytes(header.read_bytes().replace(b"/mV", b"/mmHg"))
    source = PhysioNet(tmp_path)
    assert _reasons(source.read_lead(source.recording(name), "II", 0, 1000)) == ["not in millivolts"]


def test_a_malformed_header_is_reported(mirror, tmp_path):
    source, name = mirror
    (tmp_path / DATABASE / f"{name}.hea").write_text("this is no header\n")
    with pytest.raises(UnreadableRecordingError, match="unreadable header"):
        source.recording(name)


def test_a_truncated_header_is_reported(mirror, tmp_path):
    source, name = mirror
    path = tmp_path / DATABASE / f"{name}.hea"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UnreadableRecordingError, match="do not add up to its length"):
        source.recording(name)


def test_a_missing_header_is_reported(mirror):
    source, name = mirror
    with pytest.raises(UnreadableRecordingError, match="no header"):
        source.recording(name[:-2] + "59")


@pytest.mark.parametrize("line", ["../../etc/passwd", "/p00/p000020/p000020-2150-03-04-05-17", "p00/p000020/../x"])
def test_a_name_that_leaves_the_folder_is_refused(mirror, tmp_path, line):
    (tmp_path / DATABASE / "RECORDS-waveforms").write_text(line + "\n")
    with pytest.raises(UserError, match=r"line 1: .* is not the name of a recording"):
        mirror[0].recording_names()


@pytest.mark.parametrize(
    "line",
    [
        b"p00/p000020/p000020-2150-13-04-05-17",
        b"p00/p000020/p000020-2150-03-04-25-17",
        b"p00/p000020/p000020-2150-03-04-05-1\xff",
        "p00/p000020/p000020-2150-03-04-05-\u0661\u0667".encode(),
        b"x" * 5_000_000,
    ],
    ids=["month", "hour", "not UTF-8", "other digits", "long"],
)
def test_a_line_that_is_no_recording_is_one_short_line(mirror, tmp_path, line):
    (tmp_path / DATABASE / "RECORDS-waveforms").write_bytes(line + b"\n")
    with pytest.raises(UserError, match=r"line 1: .* is not the name of a recording") as caught:
        mirror[0].recording_names()
    assert len(str(caught.value)) < 400


def test_a_folder_without_the_list_of_recordings_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no RECORDS-waveforms"):
        PhysioNet(tmp_path).recording_names()


@pytest.mark.realdata
def test_a_real_record_reads_as_wfdb_reads_it(tmp_path, real_data):
    name = place_s25047(tmp_path, real_data)
    source = PhysioNet(tmp_path)
    recording = source.recording(name)
    excerpt = source.read_lead(recording, "II", 0, recording.n_samples)
    whole = wfdb.rdrecord(str(real_data / "mimic3wdb/s25047/s25047-2704-05-04-10-44"), channel_names=["II"])
    np.testing.assert_array_equal(excerpt.ecg_mv, whole.p_signal[:, 0].astype(np.float32))
    assert 0.94 < np.isfinite(excerpt.ecg_mv).mean() < 0.96


@pytest.mark.realdata
def test_a_real_record_with_missing_files_is_read_as_far_as_possible(tmp_path, real_data):
    name = "p00/p000020/p000020-2183-04-28-17-47"
    shutil.copytree(real_data / "mimic3wdb/p000020", tmp_path / DATABASE / "p00/p000020")
    (tmp_path / DATABASE / "RECORDS-waveforms").write_text(name + "\n")
    source = PhysioNet(tmp_path)
    recording = source.recording(name)
    excerpt = source.read_lead(recording, "II", 0, recording.n_samples)
    assert _reasons(excerpt) == ["file missing", "file missing"]
    assert 390 < np.isfinite(excerpt.ecg_mv).sum() / 125 < 396


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (" 0 V", " 0 II", "has 2 signals called II"),
        ("50(0)/mV", "1e400(0)/mV", "its gain is inf"),
        ("50(0)/mV", "50(9223372036854775808999)/mV", "its baseline is beyond 32 bits"),
    ],
)
def test_a_bad_line_of_a_segment_costs_the_segment(tmp_path, old, new, says):
    signals = {"II": np.sin(np.arange(2000) / 7), "V": np.zeros(2000)}
    name = write_record(tmp_path, 20, START, 3_000_001, [(signals, 50)])
    header = next(tmp_path.rglob("3000001_0001.hea"))
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))
    source = PhysioNet(tmp_path)
    excerpt = source.read_lead(source.recording(name), "II", 0, 2000)
    assert says in excerpt.problems[0].detail
    assert np.isnan(excerpt.ecg_mv).all()


@pytest.mark.parametrize("which", ["layout", "0001", "master"])
def test_a_header_of_megabytes_costs_the_recording(tmp_path, which):
    name = write_record(tmp_path, 20, START, 3_000_001, [({"II": np.sin(np.arange(2000) / 7)}, 50)])
    header = next(tmp_path.rglob("p*-*.hea" if which == "master" else f"*_{which}.hea"))
    with header.open("a") as file:
        file.write("~ 0 50/mV 14 0 0 0 0 V\n" * 100_000)
    source = PhysioNet(tmp_path)
    if which == "master":
        with pytest.raises(UnreadableRecordingError, match="too many for a header"):
            source.recording(name)
    else:
        excerpt = source.read_lead(source.recording(name), "II", 0, 2000)
        assert (which == "0001") == bool(excerpt.problems)
