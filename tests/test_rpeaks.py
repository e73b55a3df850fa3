import numpy as np
import pytest

from ecg_signals import RATE_HZ, clean_ecg, regular_r_samples
from kalemia.ecg.rpeaks import detect_r_peaks

N = 7500


def _r_samples():
    return np.cumsum(np.random.default_rng(3).integers(85, 115, 70)) + 50


@pytest.mark.parametrize("sign", [1, -1])
def test_r_peaks_are_found_to_the_sample(sign):
    r_samples = _r_samples()
    found = detect_r_peaks(sign * clean_ecg(r_samples, 7500), RATE_HZ)
    expected = r_samples[(r_samples > 10) & (r_samples < N - 10)]
    assert found.dtype == np.int64
    assert set(found) <= set(expected)
    assert len(found) >= len(expected) - 2  # the detector may pass over the first and the last


def test_peaks_after_a_gap_are_found():
    ecg_mv = clean_ecg(regular_r_samples(N), N)
    ecg_mv[2000:3000] = np.nan
    found = detect_r_peaks(ecg_mv, RATE_HZ)
    assert not ((found >= 2000) & (found < 3000)).any()
    assert np.sum(found >= 3000) >= 43


@pytest.mark.parametrize("ecg_mv", [np.empty(0), np.full(5000, np.nan), np.ones(400)])
def test_nothing_to_find_is_no_error(ecg_mv):
    assert len(detect_r_peaks(ecg_mv.astype(np.float32), RATE_HZ)) == 0


def test_scaling_does_not_move_a_peak():
    ecg_mv = clean_ecg(_r_samples(), N)
    np.testing.assert_array_equal(detect_r_peaks(ecg_mv, RATE_HZ), detect_r_peaks(3 * ecg_mv, RATE_HZ))
