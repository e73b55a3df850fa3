import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_signals import RATE_HZ, clean_ecg, regular_r_samples
from kalemia.ecg.rpeaks import detect_r_peaks

N = 7500


def _r_samples():
    return np.cumsum(np.random.default_rng(3).integers(85, 115, 70)) + 50


@pytest.mark.parametrize("sign", [1, -1])
def test_r_peaks_are_exact_to_the_sample(sign):
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
def test_ecg_without_beats_has_no_peaks(ecg_mv):
    assert len(detect_r_peaks(ecg_mv.astype(np.float32), RATE_HZ)) == 0


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1e-3, 1e3), sign=st.sampled_from([-1, 1]), seed=st.integers(0, 99))
def test_neither_scale_nor_polarity_moves_a_peak(factor, sign, seed):
    noise_mv = np.random.default_rng(seed).normal(scale=0.05, size=N)
    ecg_mv = clean_ecg(_r_samples(), N) + noise_mv
    scaled_mv = (sign * factor * ecg_mv).astype(np.float32)
    np.testing.assert_array_equal(
        detect_r_peaks(ecg_mv.astype(np.float32), RATE_HZ), detect_r_peaks(scaled_mv, RATE_HZ)
    )


def test_tall_t_wave_is_not_a_beat():
    r_samples = regular_r_samples(N)
    t_wave_mv = sum(np.exp(-0.5 * ((np.arange(N) - r - 35) / 3.5) ** 2) for r in r_samples)
    found = detect_r_peaks((clean_ecg(r_samples, N) + 1.1 * t_wave_mv).astype(np.float32), RATE_HZ)
    assert set(found) <= set(r_samples)
    assert len(found) >= len(r_samples) - 2


def test_weak_beat_in_a_long_interval_is_found_by_search_back():
    r_samples = regular_r_samples(N)
    scale = np.ones(N)
    for r in r_samples[10:70:10]:
        scale[r - 50 : r + 50] = 0.4
    found = detect_r_peaks((clean_ecg(r_samples, N) * scale).astype(np.float32), RATE_HZ)
    assert set(r_samples[10:70:10]) <= set(found)
