import gzip
import struct
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.sources import UnreadableRecordingError
from kalemia.sources.signal_files import open_signal
from vital_writer import EPOCH_S, FILLER, write_vital

LEAD = "SNUADC/ECG_II"
VALUES = np.random.default_rng(0).integers(-500, 500, 6000).astype("<i2")


def _read(path, lead=LEAD):
    signal = open_signal(path, lead)
    return signal, signal.read_mv(0, signal.n_samples)


def _packets(values, begin_s, n=100, rate_hz=500.0, lag_s=0.0):
    return [(begin_s + at / rate_hz + lag_s * (at % 3 - 1), values[at : at + n]) for at in range(0, len(values), n)]


@pytest.mark.parametrize(("n_header", "is_packed"), [(10, False), (26, False), (27, False), (27, True)])
def test_samples_come_back_exactly_at_their_time_in_every_form_of_the_file(tmp_path, n_header, is_packed):
    pieces = [(8.0, VALUES)] if is_packed else _packets(VALUES, 8.0)
    write_vital(tmp_path / "a.vital", pieces, n_header=n_header, is_packed=is_packed)
    signal, ecg_mv = _read(tmp_path / "a.vital")
    assert (signal.rate_hz, signal.n_samples) == (500, 4000 + len(VALUES))
    assert np.isnan(ecg_mv[:4000]).all()
    np.testing.assert_array_equal(ecg_mv[4000:], VALUES * 0.001)
    np.testing.assert_array_equal(signal.read_mv(5000, 5100), VALUES[1000:1100] * 0.001)


def test_a_filler_and_a_packet_that_is_not_there_are_gaps(tmp_path):
    values = VALUES.copy()
    values[1000:1500] = FILLER
    pieces = _packets(values, 0.0)
    del pieces[30:40]
    write_vital(tmp_path / "a.vital", pieces)
    _, ecg_mv = _read(tmp_path / "a.vital")
    expected = VALUES * 0.001
    expected[1000:1500] = expected[3000:4000] = np.nan
    np.testing.assert_array_equal(ecg_mv, expected)


@pytest.mark.parametrize(("format_", "type_"), [(1, "<f4"), (2, "<f8"), (3, "<i1"), (6, "<u2"), (7, "<i4")])
def test_every_type_of_sample_is_read_and_floats_have_no_gain(tmp_path, format_, type_):
    values = (VALUES % 100).astype(type_)
    missing = np.nan if format_ < 3 else {3: -128, 6: 65535, 7: -(1 << 31)}[format_]
    values[50] = missing
    write_vital(tmp_path / "a.vital", [(0.0, values)], gain=0.5, format_=format_)
    _, ecg_mv = _read(tmp_path / "a.vital")
    assert np.isnan(ecg_mv[50])
    known = np.delete(np.arange(len(values)), 50)
    np.testing.assert_array_equal(ecg_mv[known], values[known] * (1.0 if format_ < 3 else 0.5))


@given(st.floats(0, 100), st.integers(1, 700), st.floats(0, 0.001))
def test_packets_that_follow_each_other_leave_no_gap_whatever_the_rounding_of_their_times(
    tmp_path_factory, begin_s, n, lag_s
):
    path = tmp_path_factory.getbasetemp() / "jitter.vital"
    write_vital(path, _packets(VALUES, begin_s, n, lag_s=lag_s))
    _, ecg_mv = _read(path)
    np.testing.assert_array_equal(ecg_mv[len(ecg_mv) - len(VALUES) :], VALUES * 0.001)
    assert len(ecg_mv) - len(VALUES) == pytest.approx(begin_s * 500, abs=5)


def test_a_clock_that_runs_away_is_followed_within_ten_milliseconds(tmp_path):
    """A device of 500.5 Hz that calls itself one of 500 Hz."""
    values = np.arange(30_000, dtype="<i4")
    write_vital(tmp_path / "a.vital", _packets(values, 0.0, rate_hz=500.5), gain=1.0, format_=7)
    _, ecg_mv = _read(tmp_path / "a.vital")
    at = np.arange(len(ecg_mv)) / 500
    assert np.nanmax(np.abs(ecg_mv / 500.5 - at)) < 0.0125


@pytest.mark.parametrize("begin_s", [-4e9, -2e6, 200_000.0, 1e30, float("nan")])
def test_another_epoch_is_refused(tmp_path, begin_s):
    write_vital(tmp_path / "a.vital", [(begin_s, VALUES)])
    with pytest.raises(UnreadableRecordingError, match="within two days of 2100-01-01") as caught:
        _read(tmp_path / "a.vital")
    assert caught.value.reason == "unreadable header"


def test_samples_just_before_the_case_are_left_out(tmp_path):
    write_vital(tmp_path / "a.vital", [(-2.0, VALUES)])
    np.testing.assert_array_equal(_read(tmp_path / "a.vital")[1], VALUES[1000:] * 0.001)


def test_a_track_that_is_not_there_names_those_that_are(tmp_path):
    write_vital(tmp_path / "a.vital", [(0.0, VALUES)])
    with pytest.raises(UnreadableRecordingError, match="has SNUADC/PLETH, SNUADC/ECG_II, not II"):
        _read(tmp_path / "a.vital", "II")
    assert len(_read(tmp_path / "a.vital", "Intellivue/ECG_II | snuadc/ecg_ii")[1]) == len(VALUES)


def test_clipping_is_found_at_the_most_extreme_readings(tmp_path):
    values = np.clip(VALUES, -480, 400)
    write_vital(tmp_path / "a.vital", [(0.0, values)])
    assert _read(tmp_path / "a.vital")[0].limits_mv == pytest.approx((-0.4795, 0.3995))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    content = write_vital(tmp_path / "a.vital", _packets(VALUES, 0.0))
    whole = (tmp_path / "a.vital").read_bytes()
    for cut in (whole[: int(share * len(whole))], gzip.compress(content[: int(share * len(content)) - 1])):
        (tmp_path / "a.vital").write_bytes(cut)
        with pytest.raises(UnreadableRecordingError, match=r"a\.vital: (ends|is damaged|is empty)") as caught:
            _read(tmp_path / "a.vital")
        assert "\n" not in caught.value.detail


@given(st.data())
def test_damaged_bytes_raise_nothing_else(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.vital"
    content = bytearray(write_vital(path, _packets(VALUES[:300], 0.0)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(gzip.compress(bytes(content), 1))
    with suppress(UnreadableRecordingError):  # any other exception fails the test
        _read(path)


def test_a_flipped_bit_of_the_compressed_file_is_refused(tmp_path):
    write_vital(tmp_path / "a.vital", _packets(VALUES, 0.0))
    content = bytearray((tmp_path / "a.vital").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.vital").write_bytes(content)
    with pytest.raises(UnreadableRecordingError, match=r"a\.vital: "):
        _read(tmp_path / "a.vital")


@pytest.mark.parametrize(
    "content", [b"", b"VITA", gzip.compress(b"PK\x03\x04" * 9), gzip.compress(b"VITA\x04" + bytes(40))]
)
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "a.vital").write_bytes(content)
    with pytest.raises(UnreadableRecordingError, match=r"a\.vital: "):
        _read(tmp_path / "a.vital")


def test_a_packet_with_another_number_of_samples_than_it_says_is_refused(tmp_path):
    content = write_vital(tmp_path / "a.vital", [(0.0, VALUES)])
    (tmp_path / "a.vital").write_bytes(gzip.compress(content.replace(struct.pack("<I", 6000), struct.pack("<I", 5999))))
    with pytest.raises(UnreadableRecordingError, match="has a packet that cannot be read"):
        _read(tmp_path / "a.vital")


def test_a_rate_that_is_no_power_of_two_is_read_as_it_was_written(tmp_path):
    write_vital(tmp_path / "a.vital", [(0.0, VALUES)], rate_hz=249.89)
    assert _read(tmp_path / "a.vital")[0].rate_hz == Fraction("249.89")


GENUINE = "vitaldb/ecg_ii_case5377_60s_500hz.npy"


@pytest.mark.realdata
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_genuine_minute_comes_back_to_the_last_bit(tmp_path, real_data, is_packed):
    """A made file with the samples of VitalDB's case 5377."""
    genuine_mv = np.load(real_data / GENUINE)
    pieces = [(8.0, genuine_mv)] if is_packed else _packets(genuine_mv, 8.0)
    write_vital(tmp_path / "a.vital", pieces, format_=1, n_header=27 if is_packed else 10, is_packed=is_packed)
    _, ecg_mv = _read(tmp_path / "a.vital")
    assert np.isnan(ecg_mv[:4000]).all()
    np.testing.assert_array_equal(ecg_mv[4000:], genuine_mv)


@pytest.mark.realdata
def test_files_made_by_others_give_every_reading_and_the_gap(real_data):
    """Their makers left out the offset of 0.8 uV, so that readings of the converter are compared, not millivolts."""
    genuine_mv = np.load(real_data / GENUINE)
    gain = 0.0098745
    genuine = np.rint((genuine_mv - 0.000774) / gain)
    _, ecg_mv = _read(real_data / "vitaldb/made_streaming_header10.vital")
    assert np.isnan(ecg_mv[:4000]).all()
    np.testing.assert_array_equal(np.rint(ecg_mv[4000:] / gain), genuine)
    _, ecg_mv = _read(real_data / "vitaldb/made_packed_gap.vital")
    assert np.isnan(ecg_mv[:4000]).all()
    np.testing.assert_array_equal(np.rint(ecg_mv[4000:19_000] / gain), genuine[:15_000])
    assert np.isnan(ecg_mv[19_000:24_000]).all()
    np.testing.assert_array_equal(np.rint(ecg_mv[24_000:] / gain), genuine[15_000:])


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its files open
def test_the_library_agrees_in_its_packets_and_errs_as_the_docs_say(real_data):
    """Runs where vitaldb 1.7.2 happens to be installed; Kalemia does not need it (docs/dependencies.md)."""
    vitaldb = pytest.importorskip("vitaldb")
    streaming, packed = (real_data / f"vitaldb/made_{name}.vital" for name in ("streaming_header10", "packed_gap"))
    file = vitaldb.VitalFile(str(streaming), [LEAD])
    packets = np.concatenate([packet["val"] for packet in file.trks[LEAD].recs])
    np.testing.assert_array_equal(packets * file.trks[LEAD].gain, _read(streaming)[1][4000:])
    assert np.isnan(file.to_numpy([LEAD], 1 / 500)).sum() == 120
    assert file.dtstart == EPOCH_S + 8
    assert (vitaldb.VitalFile(str(packed), [LEAD]).to_numpy([LEAD], 1 / 500) < -300).sum() == 5000
