import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_signals import RATE_HZ, clean_ecg, regular_r_samples
from kalemia.ecg.filters import bandpass, bandpass_taps, recorded_runs


@pytest.fixture(scope="module")
def taps(study):
    return bandpass_taps(RATE_HZ, study.ecg.band_hz, study.ecg.transition_hz, study.ecg.stopband_db)


def _sine(hz, n=12_500):
    return np.sin(2 * np.pi * hz * np.arange(n) / RATE_HZ).astype(np.float32)


@pytest.mark.parametrize("hz", [1.0, 5.0, 20.0, 38.0])
def test_passband_passes_without_delay(taps, hz):
    middle = slice(2000, -2000)
    np.testing.assert_allclose(bandpass(_sine(hz), taps)[middle], _sine(hz)[middle], atol=0.01)


@pytest.mark.parametrize("hz", [0.0, 0.05, 0.2, 45.0, 50.0, 60.0])
def test_wander_and_mains_are_removed(taps, hz):
    wave = _sine(hz) + (1.0 if hz == 0 else 0.0)
    assert np.abs(bandpass(wave, taps)[2000:-2000]).max() < 0.01


def test_a_gap_does_not_ring_into_its_neighbors(taps):
    ecg_mv = clean_ecg(regular_r_samples(5000), 5000)
    with_gap = ecg_mv.copy()
    with_gap[2000:2500] = np.nan
    alone = bandpass(with_gap[2500:], taps)
    with_gap[:2000] += 100.0
    filtered = bandpass(with_gap, taps)
    assert np.isnan(filtered[2000:2500]).all()
    np.testing.assert_array_equal(filtered[2500:], alone)


def test_runs_of_finite_samples():
    ecg_mv = np.array([np.nan, 1, 2, np.nan, np.nan, 3, 4, 5])
    assert list(recorded_runs(ecg_mv)) == [slice(1, 3), slice(5, 8)]
    assert list(recorded_runs(np.full(3, np.nan))) == []


@given(st.lists(st.one_of(st.floats(-10, 10, width=32), st.just(float("nan"))), max_size=60))
def test_missing_samples_stay_missing_and_others_stay_finite(values):
    ecg_mv = np.array(values, np.float32)
    filtered = bandpass(ecg_mv, bandpass_taps(RATE_HZ, (0.5, 40.0), 0.5, 50.0))
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(ecg_mv))


def test_st_segment_and_t_wave_are_preserved(taps):
    """Measured from the PR segment, as one reads an ECG, on a beat with an ST elevation of 0.2 mV."""
    r_samples = regular_r_samples(12_500)
    time_s = np.arange(12_500) / RATE_HZ
    since_r_s = time_s - r_samples[:, None] / RATE_HZ
    elevation_mv = 0.1 * (np.tanh((since_r_s - 0.06) / 0.016) - np.tanh((since_r_s - 0.4) / 0.04)).sum(axis=0)
    ecg_mv = (clean_ecg(r_samples, 12_500) + elevation_mv).astype(np.float32)
    filtered_mv = bandpass(ecg_mv, taps)
    for r in r_samples[40:60]:
        for at in (r + round(0.12 * RATE_HZ), r + round(0.28 * RATE_HZ)):
            height = [signal[at] - signal[r - round(0.08 * RATE_HZ)] for signal in (ecg_mv, filtered_mv)]
            assert height[1] == pytest.approx(height[0], rel=0.02)


@pytest.mark.parametrize("hz", [50, 60])
def test_notch_removes_mains_from_a_wide_band_and_little_else(hz):
    taps = bandpass_taps(RATE_HZ, (0.5, 62.0), 0.5, 50.0, hz)
    assert np.abs(bandpass(_sine(hz), taps)[2000:-2000]).max() < 0.01
    middle = slice(2000, -2000)
    np.testing.assert_allclose(bandpass(_sine(hz - 5), taps)[middle], _sine(hz - 5)[middle], atol=0.01)


def test_no_notch_if_the_band_ends_below_the_mains(taps):
    np.testing.assert_array_equal(bandpass_taps(RATE_HZ, (0.5, 40.0), 0.5, 50.0, 60), taps)
