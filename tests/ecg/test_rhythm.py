import numpy as np
import pytest

from ecg_signals import RATE_HZ, clean_ecg, regular_r_samples
from kalemia.ecg.rhythm import cosen, median_cosen, pacing_spike_ratio

RANDOM = np.random.default_rng(8)


def test_cosen_by_hand():
    """Of 800, 1000, 800, 1000, 800, 1000, 800: six pairs of first intervals alike, and all of them go on alike."""
    rr_ms = np.array([800.0, 1000, 800, 1000, 800, 1000, 800])
    assert cosen(rr_ms) == pytest.approx(np.log(60) - np.log(rr_ms.mean()))


def test_cosen_is_nan_without_matching_intervals():
    assert np.isnan(cosen(200.0 * 2 ** np.arange(5)))


def test_sinus_rhythm_is_regular_and_fibrillation_is_not():
    breathing = 800 + 40 * np.sin(np.arange(600) / 3) + RANDOM.normal(scale=15, size=600)
    assert median_cosen(breathing) < -1.4
    assert median_cosen(RANDOM.uniform(450, 1100, 600)) > -0.7


def test_cosen_is_nan_for_too_few_intervals():
    assert np.isnan(median_cosen(np.full(29, 800.0)))


def test_pacing_spikes_before_the_r_peak_are_detected():
    r_peaks = regular_r_samples(7500)
    ecg_mv = clean_ecg(r_peaks, 7500) + RANDOM.normal(scale=0.005, size=7500)
    assert pacing_spike_ratio(ecg_mv, r_peaks, RATE_HZ) < 0.01
    ecg_mv[r_peaks - 10] += 0.3
    assert pacing_spike_ratio(ecg_mv, r_peaks, RATE_HZ) > 0.03


@pytest.mark.parametrize("n_peaks", [0, 1])
def test_no_pacing_without_beats(n_peaks):
    assert pacing_spike_ratio(np.zeros(500), np.arange(n_peaks) + 200, RATE_HZ) == 0
    assert pacing_spike_ratio(np.full(500, np.nan), np.array([200, 300]), RATE_HZ) == 0
