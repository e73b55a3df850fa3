"""Recordings in files: what is read, what is corrected, and what a person is told."""

import gc
import gzip
import os
import tempfile
from fractions import Fraction
from pathlib import Path

import edfio
import numpy as np
import pytest
import wfdb
from scipy.signal import resample_poly

from kalemia.ecg.filters import bandpass, bandpass_taps
from kalemia.ecg.rpeaks import detect_r_peaks
from kalemia.sources import CORRECTED, SHORTER, Fault, UnreadableRecordingError
from kalemia.sources.formats.file_signal import find_lead, millivolts
from kalemia.sources.resampling import resampled_samples, resampled_span
from kalemia.sources.signal_files import Stated, faults_of_span, open_signal, parse_rate
from own_files import SECONDS, ecg_mv, write_csv, write_edf, write_wfdb


def _refused(path, lead="MLII", rate_hz=None, unit=None):
    with pytest.raises(UnreadableRecordingError) as caught:
        open_signal(Path(path), lead, Stated(rate_hz, unit, "--{}"))
    assert "\n" not in str(caught.value)
    return caught.value


def _whole(path, lead="MLII", rate_hz=None, unit=None):
    signal = open_signal(Path(path), lead, Stated(rate_hz, unit, "--{}"))
    return signal, signal.read_mv(0, signal.n_samples)


def _edit(path, old, new):
    """Replace what stands once in a file."""
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


# units, leads and rates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("mV", 1), ("mv", 1), ("MV", 1), (" mV ", 1), ("uV", 1e-3), ("UV", 1e-3), ("µV", 1e-3), ("μv", 1e-3),
     ("Âµv", 1e-3), ("Microvolt", 1e-3), ("microvolts", 1e-3), ("V", 1e3), ("v", 1e3), ("volts", 1e3), ("nV", 1e-6),
     ("[mV]", 1), ("(uV)", 1e-3), ("mVolt", 1), ("uVolts", 1e-3),
     ("mmHg", None), ("", None), ("()", None), (None, None), ("m V x", None)],
)  # fmt: skip
def test_units_are_read_in_common_spellings(unit, factor):
    assert millivolts(unit) == factor


@pytest.mark.parametrize("lead", ["ECG II", "ecg ii", "ECGII", " Ecg  II "])
def test_leads_are_compared_without_case_and_spaces(lead):
    assert find_lead(lead, ["Resp", "ECG II", "ECG I"], Path("a.edf")) == 1


def test_the_exact_name_wins_over_others_that_are_alike():
    assert find_lead("ii", ["II", "ii"], Path("a")) == 1


@pytest.mark.parametrize("lead", ["II", "ii", "i i"])
def test_a_name_that_occurs_twice_is_refused(lead):
    with pytest.raises(UnreadableRecordingError, match=r"has 2 signals called .*; rename all but one") as caught:
        find_lead(lead, ["II", "V", "II"], Path("a"))
    assert caught.value.reason == "lead occurs twice"


def test_a_lead_twice_in_each_format_is_refused(tmp_path):
    ecg = ecg_mv(250, 10)
    signals = np.column_stack([ecg, -ecg])
    wfdb.wrsamp("a", 250, ["mV", "mV"], ["MLII", "V5"], signals, fmt=["16", "16"], write_dir=str(tmp_path))
    _edit(tmp_path / "a.hea", b"V5", b"mlii")
    _edit(tmp_path / "a.hea", b" MLII", b" MLII ")
    ranges = {"physical_dimension": "mV", "physical_range": (-5, 5)}
    edfio.Edf([edfio.EdfSignal(s, 250, label="MLII", **ranges) for s in (ecg, -ecg)]).write(tmp_path / "a.edf")
    (tmp_path / "a.csv").write_text("MLII,MLII\n0.1,0.2\n")
    for name in ("a.edf", "a.csv"):
        assert _refused(tmp_path / name, rate_hz=Fraction(250)).reason == "lead occurs twice"
    assert _refused(tmp_path / "a", "Mlii").reason == "lead occurs twice"


@pytest.mark.parametrize(("text", "rate"), [("", None), ("250", 250), ("249.89", Fraction("249.89")), ("1e3", 1000)])
def test_a_rate_is_read_as_it_is_written(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e400", "1e999999999", "fast", "9" * 5000])
def test_no_rate_is_refused_at_once(text):
    with pytest.raises(ValueError, match="is not a number of samples per second") as caught:
        parse_rate(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", ["edf", "wfdb"])
def test_what_is_stated_overrides_the_file_and_is_noted(tmp_path, kind):
    path = tmp_path / {"edf": "a.edf", "wfdb": "a"}[kind]
    lead = {"edf": "ECG II", "wfdb": "MLII"}[kind]
    {"edf": write_edf, "wfdb": write_wfdb}[kind](path, 250, "V", 1)  # by mistake: they are millivolts
    signal, stated_mv = _whole(path, lead, Fraction(500), "mV")
    assert signal.rate_hz == 500
    np.testing.assert_allclose(stated_mv, ecg_mv(250), atol=0.002)
    assert [reason for reason, _ in signal.notes] == [CORRECTED, CORRECTED]
    assert "500 Hz as stated, in the file 250 Hz" in signal.notes[0][1]
    assert "unit mV as stated, in the file 'V'" in signal.notes[1][1]


@pytest.mark.parametrize("kind", ["edf", "wfdb"])
def test_what_agrees_with_the_file_is_not_noted(tmp_path, kind):
    path = tmp_path / {"edf": "a.edf", "wfdb": "a"}[kind]
    {"edf": write_edf, "wfdb": write_wfdb}[kind](path, 250)
    assert open_signal(path, {"edf": "ECG II", "wfdb": "MLII"}[kind], Stated(Fraction(250), "MV")).notes == ()


def test_a_unit_that_means_nothing_says_how_to_correct_it(tmp_path):
    write_edf(tmp_path / "a.edf", 250, "mmHg")
    error = _refused(tmp_path / "a.edf", "ECG II")
    assert error.reason == "not in millivolts"
    assert error.detail.endswith("a.edf: its unit 'mmHg' is not a unit of voltage; state mV, uV, nV or V (--unit)")
    error = _refused(tmp_path / "a.edf", "ECG II", unit="mmV")
    assert error.detail.endswith("a.edf: unit 'mmV' (--unit) is not a unit of voltage; write mV, uV, nV or V")
    assert _whole(tmp_path / "a.edf", "ECG II", unit="mV")[0].notes[0][0] == CORRECTED


@pytest.mark.parametrize("rate", ["0", "1e400", "-5"])
def test_a_header_without_a_sensible_rate_can_be_corrected(tmp_path, rate):
    write_wfdb(tmp_path / "a", 250)
    _edit(tmp_path / "a.hea", b"a 1 250 ", f"a 1 {rate} ".encode())
    assert _refused(tmp_path / "a").reason == "unreadable header"
    if rate == "0":
        np.testing.assert_allclose(_whole(tmp_path / "a", rate_hz=Fraction(250))[1], ecg_mv(250), atol=0.002)


@pytest.mark.parametrize("rate_hz", [49, 5001, 1])
def test_a_rate_that_is_no_ecg_s_is_refused(tmp_path, rate_hz):
    write_csv(tmp_path / "a.csv", 250, seconds=10)
    assert "50 to 5000 are read" in _refused(tmp_path / "a.csv", "II", Fraction(rate_hz)).detail


# WFDB ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["16", "24", "80", "508", "516"])
@pytest.mark.parametrize("length", [b"", b" 0"])
def test_a_header_without_length_is_read_to_the_end_of_the_file(tmp_path, format_, length):
    gain = {"80": 100, "508": 100}.get(format_, 1000)
    ecg = ecg_mv(250)
    wfdb.wrsamp(
        "a", 250, ["mV", "mV"], ["MLII", "V5"], np.column_stack([ecg, -ecg]), fmt=[format_] * 2, adc_gain=[gain] * 2,
        baseline=[0, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    _edit(tmp_path / "a.hea", b"a 2 250 30000", b"a 2 250" + length)
    signal, read_mv = _whole(tmp_path / "a")
    assert (signal.n_samples, signal.notes) == (30_000, ())
    np.testing.assert_allclose(read_mv, ecg, atol=1 / gain)
    np.testing.assert_allclose(signal.read_mv(1001, 1200), ecg[1001:1200], atol=1 / gain)


def test_a_header_without_length_makes_no_link_elsewhere(tmp_path):
    write_wfdb(tmp_path / "a", 250)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/a.hea").write_text("a 1 250\n../a.dat 16 1000(0)/mV 16 0 0 0 0 MLII\n")
    assert "is not a WFDB header" in _refused(tmp_path / "b/a").detail


def test_nothing_is_left_of_a_copied_header(tmp_path, monkeypatch):
    write_wfdb(tmp_path / "a", 250)
    _edit(tmp_path / "a.hea", b"a 1 250 30000", b"a 1")
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    signal = open_signal(tmp_path / "a", "MLII")
    assert len(signal.read_mv(0, 100)) == 100
    assert len(list((tmp_path / "copies").iterdir())) == 1
    del signal
    gc.collect()
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_wfdb_file_shorter_than_its_header_is_read_and_noted(tmp_path):
    write_wfdb(tmp_path / "a", 250)
    content = (tmp_path / "a.dat").read_bytes()
    (tmp_path / "a.dat").write_bytes(content[: len(content) // 3])
    signal, read_mv = _whole(tmp_path / "a")
    np.testing.assert_allclose(read_mv, ecg_mv(250)[:10_000], atol=0.002)
    assert signal.notes == ((SHORTER, f"{tmp_path}/a: has 10,000 samples of MLII, its header says 30,000"),)


@pytest.mark.parametrize("n_a_frame", [1, 2])
def test_samples_that_do_not_add_up_to_the_checksum_are_refused(tmp_path, n_a_frame):
    frames = np.zeros(SECONDS * 250 // n_a_frame)
    wfdb.wrsamp(
        "a", 250 / n_a_frame, ["mV", "mV"], ["MLII", "V5"], e_p_signal=[ecg_mv(250), frames], fmt=["16", "16"],
        adc_gain=[1000.0, 1000.0], baseline=[0, 0], samps_per_frame=[n_a_frame, 1], write_dir=str(tmp_path),
    )  # fmt: skip
    open_signal(tmp_path / "a", "MLII")
    content = bytearray((tmp_path / "a.dat").read_bytes())
    content[4000 * (n_a_frame + 1) // n_a_frame] ^= 16
    (tmp_path / "a.dat").write_bytes(content)
    error = _refused(tmp_path / "a")
    assert error.reason == "checksum"
    assert "do not add up to the header's checksum" in error.detail


def test_a_segment_that_does_not_add_up_to_its_checksum_is_refused(tmp_path):
    for name in ("s_0001", "s_0002"):
        write_wfdb(tmp_path / name, 125)
    n = SECONDS * 125
    (tmp_path / "s.hea").write_text(f"s/2 1 125 {2 * n}\ns_0001 {n}\ns_0002 {n}\n")
    assert open_signal(tmp_path / "s", "MLII").n_samples == 2 * n
    content = bytearray((tmp_path / "s_0002.dat").read_bytes())
    content[1000] ^= 1
    (tmp_path / "s_0002.dat").write_bytes(content)
    assert _refused(tmp_path / "s").reason == "checksum"


def test_a_missing_segment_costs_what_it_holds(tmp_path):
    for name in ("s_0001", "s_0002"):
        write_wfdb(tmp_path / name, 125)
    n = SECONDS * 125
    (tmp_path / "s.hea").write_text(f"s/2 1 125 {2 * n}\ns_0001 {n}\ns_0002 {n}\n")
    (tmp_path / "s_0002.dat").unlink()
    signal = open_signal(tmp_path / "s", "MLII")
    np.testing.assert_allclose(signal.read_mv(0, n), ecg_mv(125), atol=0.002)
    with pytest.raises(UnreadableRecordingError, match=r"s_0002\.dat") as caught:
        signal.read_mv(n - 100, n + 100)
    assert caught.value.reason == "file missing"


def test_a_record_of_flac_segments_has_every_sample_of_a_lead_and_gaps_between_them(tmp_path):
    """In the form of the MIMIC-IV Waveform Database: frames of 62.4725 Hz, of which the lead has four samples."""
    n_frames, slow = 1000, np.zeros(1000)
    waves_mv = [ecg_mv(249.89)[:4000], ecg_mv(249.89)[4000:8000]]
    for name, wave_mv in zip(("s_0001", "s_0002"), waves_mv, strict=True):
        wfdb.wrsamp(
            name, fs=62.4725, units=["mV", "NU"], sig_name=["II", "Resp"], e_p_signal=[wave_mv, slow], fmt=["516"] * 2,
            adc_gain=[200.0, 1.0], baseline=[0, 0], samps_per_frame=[4, 1], write_dir=str(tmp_path),
        )  # fmt: skip
    (tmp_path / "s_0000.hea").write_text("s_0000 2 62.4725 0\n~ 0x4 200/mV 0 0 0 0 0 II\n~ 0 1/NU 0 0 0 0 0 Resp\n")
    segments = f"s_0000 0\ns_0001 {n_frames}\n~ 500\ns_0002 {n_frames}\n"
    (tmp_path / "s.hea").write_text(f"s/4 2 62.4725/999.56 {2 * n_frames + 500}\n{segments}")
    signal = open_signal(tmp_path / "s", "II")
    assert (float(signal.rate_hz), signal.n_samples) == (249.89, 10_000)
    whole = signal.read_mv(0, 10_000)
    np.testing.assert_allclose(whole[:4000], waves_mv[0], atol=0.003)
    assert np.isnan(whole[4000:6000]).all()
    np.testing.assert_allclose(whole[6000:], waves_mv[1], atol=0.003)
    np.testing.assert_array_equal(signal.read_mv(3997, 6003), whole[3997:6003])


@pytest.mark.realdata
def test_a_genuine_flac_record_is_read_at_its_own_rate_with_r_peaks_within_4_ms(real_data):
    path = real_data / "mimic4wdb/mixedsignals"
    signal = open_signal(path, "II")
    assert (float(signal.rate_hz), signal.n_samples) == (249.89, 57_600)
    native_mv = signal.read_mv(0, signal.n_samples)
    (samples,) = wfdb.rdrecord(str(path), channels=[0], smooth_frames=False).e_p_signal
    np.testing.assert_array_equal(native_mv, samples)

    n_samples = resampled_samples(signal.n_samples, signal.rate_hz)
    at_125_mv = resampled_span(signal.read_mv, signal.n_samples, signal.rate_hz, 0, n_samples)
    marks_s, peaks_s = _r_peaks_s(at_125_mv, 125.0)
    native_marks_s, native_peaks_s = _r_peaks_s(native_mv, 249.89)
    assert len(marks_s) == len(native_marks_s) == 391
    assert np.abs(marks_s - native_marks_s).max() < 0.006  # half a sample of each of the two rates
    has_peak = ~np.isnan(peaks_s) & ~np.isnan(native_peaks_s)
    assert has_peak.mean() > 0.98
    assert np.abs(peaks_s - native_peaks_s)[has_peak].max() < 0.004


def _r_peaks_s(signal_mv, rate_hz):
    """Times of the R peaks found, and those between the samples; NaN where the wave found has no peak in 12 ms."""
    filtered_mv = bandpass(signal_mv, bandpass_taps(rate_hz, (0.5, 40.0), 0.5, 50.0))
    r_peaks, finer = detect_r_peaks(filtered_mv, rate_hz), 16
    fine_mv = resample_poly(np.nan_to_num(filtered_mv), finer, 1)
    reach = round(0.012 * rate_hz * finer)
    around = np.arange(-reach, reach + 1)
    waves_mv = fine_mv[r_peaks[:, None] * finer + around] * np.sign(filtered_mv[r_peaks])[:, None]
    at = waves_mv.argmax(axis=1)
    is_peak = (at > 0) & (at < 2 * reach)
    return r_peaks / rate_hz, np.where(is_peak, r_peaks / rate_hz + around[at] / (finer * rate_hz), np.nan)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"1000.0(0)/mV", b"1e400(0)/mV", "its gain is inf"),
        (b"1000.0(0)/mV", b"1000.0(99999999999999999999999)/mV", "its baseline is beyond 32 bits"),
        (b"a.dat 16 ", b"gone.dat 16 ", "gone.dat does not exist"),
        (b"a.dat 16 ", b"x" * 5000 + b".dat 16 ", r"\.\.\. does not exist"),
        (b" MLII", b" " + b"M" * 5000, r"has M+\.\.\., not MLII"),
        (b"a 1 250 30000", b"a 12 250 30000", "is not a valid WFDB file|is not a WFDB header"),
        (b"a 1 250 30000", b"", "is not a WFDB header"),
        (b"a 1 250 30000", b"a 1 fast 30000", "cannot read the line 'a 1 fast 30000'"),
        (b"1000.0(0)/mV", b"much/mV", "cannot read the line 'a.dat 16 much/mV"),
    ],
)
def test_a_bad_wfdb_header_is_one_line(tmp_path, old, new, says):
    write_wfdb(tmp_path / "a", 250)
    _edit(tmp_path / "a.hea", old, new)
    error = _refused(tmp_path / "a")
    assert len(str(error)) < 700
    with pytest.raises(UnreadableRecordingError, match=says):
        open_signal(tmp_path / "a", "MLII")


def test_a_header_of_megabytes_is_refused_at_once(tmp_path):
    write_wfdb(tmp_path / "a", 250)
    with (tmp_path / "a.hea").open("a") as file:
        file.write("~ 0 1000/mV 16 0 0 0 0 V5\n" * 80_000)
    assert "2.1 MB are too many for a header" in _refused(tmp_path / "a").detail


# EDF and BDF --------------------------------------------------------------------------------------------------------


def _write_bdf(path, unit="uV", scale=1000, seconds=SECONDS):
    ranges = {"physical_dimension": unit, "physical_range": (-6 * scale, 6 * scale)}
    ecg = edfio.BdfSignal(ecg_mv(250, seconds) * scale, 250, label="ECG II", **ranges)
    slow = edfio.BdfSignal(np.zeros(seconds * 10), 10, label="Resp", physical_dimension="", physical_range=(-1, 1))
    edfio.Bdf([slow, ecg]).write(path)


def test_bdf_is_read(tmp_path):
    _write_bdf(tmp_path / "a.BDF")
    signal, read_mv = _whole(tmp_path / "a.BDF", "ECG II")
    assert (signal.rate_hz, signal.notes) == (250, ())
    np.testing.assert_allclose(read_mv, ecg_mv(250), atol=1e-5)
    np.testing.assert_allclose(signal.read_mv(1003, 1777), ecg_mv(250)[1003:1777], atol=1e-5)


def test_the_first_bytes_tell_bdf_from_edf_whatever_the_name_ends_with(tmp_path):
    _write_bdf(tmp_path / "a.bdf")
    write_edf(tmp_path / "b.edf", 250)
    for old, new in (("a.bdf", "a.edf"), ("b.edf", "b.bdf")):
        (tmp_path / old).rename(tmp_path / new)
        np.testing.assert_allclose(_whole(tmp_path / new, "ECG II")[1], ecg_mv(250), atol=0.002)


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_a_truncated_file_is_read_and_noted(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    {"edf": lambda: write_edf(path, 250), "bdf": lambda: _write_bdf(path)}[suffix]()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    signal, read_mv = _whole(path, "ECG II")
    assert SECONDS * 250 * 0.45 < signal.n_samples <= SECONDS * 250 / 2
    np.testing.assert_allclose(read_mv, ecg_mv(250)[: signal.n_samples], atol=0.002)
    assert [reason for reason, _ in signal.notes] == [SHORTER]
    assert "its header says 30,000" in signal.notes[0][1]


def test_an_edf_file_that_was_being_written_is_read_to_its_end(tmp_path):
    write_edf(tmp_path / "a.edf", 250)
    content = bytearray((tmp_path / "a.edf").read_bytes())
    content[236:244] = b"-1      "
    (tmp_path / "a.edf").write_bytes(content)
    signal, read_mv = _whole(tmp_path / "a.edf", "ECG II")
    assert signal.notes == ()
    np.testing.assert_allclose(read_mv, ecg_mv(250), atol=0.002)


@pytest.mark.parametrize(
    ("at", "field", "says"),
    [
        (252, b"0   ", "has 0 signals"),
        (252, b"abcd", "its number of signals is 'abcd', which is not a number"),
        (0, b"x" * 256, "is not an EDF or BDF file"),
        (244, b"0       ", "has no rate of its own"),
        (244, b"nan     ", "its duration of a data record is 'nan'"),
        (256 + 104, b"5       ", "the range of ECG II is empty"),
        (256 + 216, b"0       ", "has 0 samples of ECG II a record"),
        (256 + 216, b"99999999", "has 1e+08 samples a second"),
    ],
)
def test_a_bad_edf_header_says_which_field(tmp_path, at, field, says):
    write_edf(tmp_path / "a.edf", 250)
    content = bytearray((tmp_path / "a.edf").read_bytes())
    content[at : at + len(field)] = field
    (tmp_path / "a.edf").write_bytes(content)
    assert says in _refused(tmp_path / "a.edf", "ECG II").detail


def test_an_edf_file_with_interruptions_is_refused(tmp_path):
    ecg = edfio.EdfSignal(ecg_mv(250), 250, label="ECG II", physical_dimension="mV", physical_range=(-5, 5))
    edfio.Edf([ecg], annotations=[edfio.EdfAnnotation(1, None, "x")]).write(tmp_path / "a.edf")
    np.testing.assert_allclose(_whole(tmp_path / "a.edf", "ECG II")[1], ecg_mv(250), atol=0.002)
    content = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(content.replace(b"+60\x14", b"+77\x14").replace(b"EDF+C", b"EDF+D"))
    assert "has interruptions" in _refused(tmp_path / "a.edf", "ECG II").detail


# CSV ----------------------------------------------------------------------------------------------------------------


def _write_times(path, times, values, name="time"):
    path.write_text(f"{name},II\n" + "".join(f"{t},{v:.4f}\n" for t, v in zip(times, values, strict=True)))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("time", lambda i, rate: f"{i / rate:.5f}"),
        ("Time (s)", lambda i, rate: f"{i / rate:.2f}"),  # less than the samples need
        ("t", lambda i, rate: f"{1000 * i / rate:g}"),
        ("elapsed time", lambda i, rate: f"{12 + i / rate:.4f}"),
        ("TIMESTAMP", lambda i, rate: f"{1_715_932_800_000_000 + round(i * 1e6 / rate)}"),
        ("datetime", lambda i, rate: f"2024-05-17 08:00:{i / rate:09.6f}"),
        ("time", lambda i, rate: f"8:00:{i / rate:06.3f}"),
        ("date time", lambda i, rate: f"17.05.2024 08:00:{i / rate:06.3f}"),
        ("Time and date", lambda i, rate: f"[08:00:{i / rate:06.3f} 17/05/2024]"),
        ("'Elapsed time'", lambda i, rate: f"'0:{i / rate:06.3f}'"),
        ("t", lambda i, rate: f"{i / rate - 5:.4f}"),
    ],
)
@pytest.mark.parametrize("rate", [100, 250, 1000])
def test_a_missing_rate_is_taken_from_the_times(tmp_path, name, form, rate):
    ecg = ecg_mv(rate, 20)
    _write_times(tmp_path / "a.csv", [form(i, rate) for i in range(len(ecg))], ecg, name)
    signal, read_mv = _whole(tmp_path / "a.csv", "II")
    assert float(signal.rate_hz) == pytest.approx(rate, rel=1 / len(ecg))
    np.testing.assert_allclose(read_mv, ecg, atol=0.0001)


@pytest.mark.parametrize(
    "name",
    [
        "time_s",
        "Time_ms",
        "TIME [s]",
        "TimeStamp",
        "time_stamp",
        "relative time",
        "t",
        "t_s",
        "sec",
        "elapsed_us",
        "UTC",
        "elapsedTime",
        "timeInSeconds",
        "usec",
        "date",
        "Recording time of day",
        '"time, s"',
    ],
)
def test_a_column_of_times_is_known_by_its_name(tmp_path, name):
    _write_times(tmp_path / "a.csv", np.arange(2000) / 250, np.zeros(2000), name)
    assert open_signal(tmp_path / "a.csv", "II").rate_hz == 250


@pytest.mark.parametrize(
    "name", ["T", "temp", "timer", "rr ms", "tidal volume", "sample", "", "S", "update", "RR (ms)"]
)
def test_other_columns_are_no_times(tmp_path, name):
    _write_times(tmp_path / "a.csv", [37.0] * 2000, np.zeros(2000), name)
    assert open_signal(tmp_path / "a.csv", "II", Stated(Fraction(500))).rate_hz == 500


@pytest.mark.parametrize("name", ["date", "Date of recording"])
def test_a_column_of_days_is_left_aside_and_one_of_times_beside_it_read(tmp_path, name):
    lines = [f"2024-05-17,8:00:{i / 250:06.3f},{i % 7}\n" for i in range(2000)]
    (tmp_path / "a.csv").write_text(f"{name},time,II\n" + "".join(lines))
    (tmp_path / "b.csv").write_text(f"{name},II\n" + "".join(f"2024-05-17,{i % 7}\n" for i in range(2000)))
    assert open_signal(tmp_path / "a.csv", "II").rate_hz == 250
    assert open_signal(tmp_path / "b.csv", "II", Stated(Fraction(500))).rate_hz == 500


def test_a_name_in_quotes_may_hold_commas(tmp_path):
    (tmp_path / "a.csv").write_text('"time, s","ECG, II"\n' + "".join(f"{i / 250},{i % 7}\n" for i in range(2000)))
    assert open_signal(tmp_path / "a.csv", "ECG, II").rate_hz == 250


def test_times_of_day_go_on_beyond_midnight(tmp_path):
    ecg = ecg_mv(250, 20)
    times = [f"{'23:59:5' if i < 2500 else '00:00:0'}{i % 2500 / 250:.3f}" for i in range(len(ecg))]
    _write_times(tmp_path / "a.csv", times, ecg)
    signal, read_mv = _whole(tmp_path / "a.csv", "II")
    assert signal.rate_hz == 250
    np.testing.assert_allclose(read_mv, ecg, atol=0.0001)


def test_times_in_whole_seconds_are_too_coarse_for_a_rate(tmp_path):
    ecg = ecg_mv(250, 20)
    _write_times(tmp_path / "a.csv", [f"08:00:{i // 250:02}" for i in range(len(ecg))], ecg)
    assert "has no rate of its own" in _refused(tmp_path / "a.csv", "II").detail
    np.testing.assert_allclose(_whole(tmp_path / "a.csv", "II", Fraction(250))[1], ecg, atol=1e-4)


def test_times_that_are_not_understood_are_left_to_the_stated_rate(tmp_path):
    _write_times(tmp_path / "a.csv", ["early", "later", "late"], [0.1, 0.2, 0.3])
    assert _whole(tmp_path / "a.csv", "II", Fraction(250))[1].tolist() == [0.1, 0.2, 0.3]


def test_a_second_line_of_units_is_read(tmp_path):
    """As PhysioNet exports a record."""
    ecg = ecg_mv(250, 20)
    lines = "".join(f"'0:{i / 250:06.3f}',{1000 * v:.2f}\n" for i, v in enumerate(ecg))
    (tmp_path / "a.csv").write_text("'Elapsed time','II'\n'mm:ss.mmm','uV'\n" + lines)
    signal, read_mv = _whole(tmp_path / "a.csv", "II")
    assert (signal.rate_hz, signal.notes) == (250, ())
    np.testing.assert_allclose(read_mv, ecg, atol=1e-4)


@pytest.mark.parametrize("stated", [500, 125, 256])
def test_a_rate_that_the_times_contradict_is_refused(tmp_path, stated):
    ecg = ecg_mv(250, 20)
    _write_times(tmp_path / "a.csv", np.arange(len(ecg)) / 250, ecg)
    says = f"its times are those of 250 samples a second, not {stated} as stated"
    assert says in _refused(tmp_path / "a.csv", "II", Fraction(stated)).detail
    assert open_signal(tmp_path / "a.csv", "II", Stated(Fraction(250))).rate_hz == 250


def test_lines_that_the_times_leave_out_are_missing_samples(tmp_path):
    ecg = ecg_mv(250, 60)
    kept = np.delete(np.arange(len(ecg)), [700, *range(5000, 6000), *range(9000, 9003)])
    _write_times(tmp_path / "a.csv", [f"{i / 250:.3f}" for i in kept], ecg[kept])
    signal, read_mv = _whole(tmp_path / "a.csv", "II")
    assert (signal.rate_hz, signal.n_samples) == (250, len(ecg))
    assert np.flatnonzero(~np.isnan(read_mv)).tolist() == kept.tolist()
    np.testing.assert_allclose(read_mv[kept], ecg[kept], atol=0.0001)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("II;V5\n0,1;0,2\n", "looks separated by semicolons"),
        ("II\tV5\n0.1\t0.2\n", "looks separated by tabs"),
        ("II\n0.1\ntwo\n", "line 3: 'two' is not a number"),
        ("II,V5\n0.1,0.2\n0,1,0,2\n", "line 3: has 4 fields, the first line 2"),
        ("II,V5\n0.1,0.2\n0.1\n", "line 3: has 1 field, the first line 2"),
        ("0.1\n0.2\n", "has 0.1, not II"),
        ("II\n" + "x" * 2_000_000, "line 2: is no line of a CSV file"),
        ("9" * 2_000_000, "its first line is not a list of column names"),
        ("II\n", "has no numbers below its first line"),
        ("", "a.csv: is empty"),
        ("\n", "has no signal"),
        ("time,II\n0.004,1\n0.000,1\n0.008,1\n", "line 3: its time does not follow that of the line before"),
        ("time,II\n0,1\n100,1\n200,1\n300,1\n", "no sensible rate in seconds"),
        ("time,II\nearly,1\nlater,1\nlate,1\n", "has no rate of its own"),
        ("time,II\n" + "".join(f"{i / 250},1\n" for i in range(20)) + "9e9,1\n", "most of it is missing"),
    ],
)
def test_a_bad_csv_file_is_one_line_about_it(tmp_path, content, says):
    (tmp_path / "a.csv").write_text(content)
    detail = _refused(tmp_path / "a.csv", "II", None if "time" in content else Fraction(250)).detail
    assert says in detail
    assert len(detail) < 500


def test_a_csv_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("II\n0.1\n".encode("utf-16"))
    assert "is not a text file in UTF-8" in _refused(tmp_path / "a.csv", "II", Fraction(250)).detail


# anything else ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.edf", "a.bdf", "a.hea"])
def test_a_pipe_or_a_folder_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "is a pipe or a device; a file is expected" in _refused(tmp_path / name).detail
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert "is a folder; a file is expected" in _refused(tmp_path / name).detail


def test_a_pipe_in_place_of_the_samples_is_not_waited_for(tmp_path):
    write_wfdb(tmp_path / "a", 250)
    (tmp_path / "a.dat").unlink()
    os.mkfifo(tmp_path / "a.dat")
    assert "is a pipe or a device" in _refused(tmp_path / "a").detail


@pytest.mark.parametrize("name", ["a" * 5000, "a" * 5000 + ".csv", "gone.edf", "gone", "gone.bdf"])
def test_what_is_not_there_is_said_shortly(tmp_path, name):
    error = _refused(tmp_path / name)
    assert error.reason == "no header"
    assert len(str(error)) < 300


@pytest.mark.parametrize("name", ["a.xml", "a.dcm", "a.dat"])
def test_another_format_is_not_called_missing(tmp_path, name):
    (tmp_path / name).write_text("<ecg/>")
    assert "its format is not read; WFDB (the record's name without extension), EDF, BDF, CSV and .vital are" in str(
        _refused(tmp_path / name)
    )


@pytest.mark.parametrize("suffix", ["edf", "bdf", "csv", "hea"])
def test_messages_speak_of_the_file_and_not_of_a_library(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(bytes(range(256)) * 40)
    detail = _refused(path, rate_hz=Fraction(250)).detail
    assert detail.startswith(str(path))
    assert not any(word in detail for word in ("codec", "literal", "NoneType", "Traceback", "CSV parser", "shape"))


# faults -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["edf", "wfdb"])
@pytest.mark.parametrize("rate_hz", [250, 500])
def test_clipping_at_the_converter_s_limits_and_flat_lines_are_found_at_the_file_s_rate(tmp_path, kind, rate_hz):
    ecg = ecg_mv(rate_hz)
    ecg[3 * rate_hz : round(3.04 * rate_hz)] = 9
    ecg[9 * rate_hz : round(9.04 * rate_hz)] = -9
    ecg[10 * rate_hz : round(10.01 * rate_hz)] = 9  # too short
    ecg[5 * rate_hz : 8 * rate_hz] = 0.5
    path = tmp_path / {"edf": "a.edf", "wfdb": "a"}[kind]
    if kind == "edf":
        signal = edfio.EdfSignal(
            np.clip(ecg, -5, 5), rate_hz, label="MLII", physical_dimension="mV", physical_range=(-5, 5)
        )
        edfio.Edf([signal]).write(path)
    else:
        digital = np.clip(np.round(ecg / 5 * 2047), -2048, 2047).astype(int)[:, None]
        wfdb.wrsamp(
            "a", rate_hz, ["mV"], ["MLII"], d_signal=digital, fmt=["16"], adc_gain=[409.4], baseline=[0],
            write_dir=str(tmp_path),
        )  # fmt: skip
        _edit(path.with_suffix(".hea"), b"/mV 16 ", b"/mV 12 ")
    assert faults_of_span(open_signal(path, "MLII"), 250, 1500) == [
        Fault("clipped", 375, 380),
        Fault("flat", 625, 1000),
        Fault("clipped", 1125, 1130),
    ]


@pytest.mark.parametrize("suffix", [".csv.gz", ".CSV.GZ", ".csv"])
def test_a_gzipped_csv_file_is_read_whatever_its_name_says(tmp_path, suffix):
    write_csv(tmp_path / "plain.csv", 250)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress((tmp_path / "plain.csv").read_bytes()))
    np.testing.assert_array_equal(_whole(path, "II", 250)[1], _whole(tmp_path / "plain.csv", "II", 250)[1])
    path.write_bytes(path.read_bytes()[:-100])
    assert _refused(path, "II", 250).reason == "unreadable file"


def test_the_first_of_several_names_of_a_lead_that_is_there_counts(tmp_path):
    names = ["V1", "ECG II", "II"]
    assert find_lead("MLII | II | ECG II", names, tmp_path) == 2
    assert find_lead("MLII|ecgii", names, tmp_path) == 1
    with pytest.raises(UnreadableRecordingError, match=r"has V1, ECG II, II, not MLII \| V5"):
        find_lead("MLII | V5", names, tmp_path)


def test_a_header_that_may_not_be_read_is_said_to_be_that(tmp_path, monkeypatch):
    def refuse(record):
        raise PermissionError(record)

    (tmp_path / "a.hea").write_text("a 1 250 10\n")
    monkeypatch.setattr(wfdb, "rdheader", refuse)
    with pytest.raises(UnreadableRecordingError, match=r"a\.hea: you have no permission to read it"):
        open_signal(tmp_path / "a", "II")


GARBAGE = np.random.default_rng(5).integers(0, 256, 5000, np.uint8).tobytes()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.edf", "is not an EDF or BDF file"),
        ("a.bdf", "is not an EDF or BDF file"),
        ("a.csv", "is not a text file in UTF-8, as CSV is"),
        ("a.csv.gz", "is not a text file in UTF-8, as CSV is"),
        ("a.vital", "is damaged, or not a .vital file"),
        ("a.hea", "is not a WFDB header"),
    ],
)
def test_a_file_of_random_bytes_or_none_is_told_in_plain_words(tmp_path, name, said):
    path = tmp_path / name
    path.write_bytes(GARBAGE)
    assert _refused(path).detail == f"{path}: {said}"
    path.write_bytes(b"")
    assert _refused(path).detail == f"{path}: is empty"


def test_an_empty_sample_file_is_named(tmp_path):
    write_wfdb(tmp_path / "a", 250, seconds=10)
    (tmp_path / "a.dat").write_bytes(b"")
    assert _refused(tmp_path / "a").detail == f"{tmp_path / 'a.dat'}: is empty"


def test_an_implausible_amplitude_names_the_unit_and_who_stated_it(tmp_path):
    write_csv(tmp_path / "a.csv", 125, seconds=10)
    signal = open_signal(tmp_path / "a.csv", "II", Stated(Fraction(125), "V", "column {} of recordings.csv, line 3"))
    with pytest.raises(UnreadableRecordingError) as caught:
        signal.check_amplitude(signal.read_mv(0, 1250), 125.0, tmp_path / "a.csv")
    assert caught.value.detail.endswith(
        "the lead was off, or its unit V (column unit of recordings.csv, line 3) or gain is wrong"
    )
