import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from kalemia.ecg.quality import ends_clipped_run
from kalemia.sources.resampling import resampled_samples, resampled_span


def _resample(ecg_mv, rate_hz):
    n_samples = resampled_samples(len(ecg_mv), rate_hz)
    return resampled_span(lambda start, stop: ecg_mv[start:stop], len(ecg_mv), rate_hz, 0, n_samples)


def test_resampling_keeps_gaps_and_the_place_of_waves():
    ecg_mv = np.sin(2 * np.pi * np.arange(3600) / 360)
    ecg_mv[1440:1800] = np.nan
    resampled = _resample(ecg_mv, Fraction(360))
    assert len(resampled) == 1250
    assert np.flatnonzero(np.isnan(resampled)).tolist() == list(range(500, 625))
    expected = np.sin(2 * np.pi * np.arange(1250) / 125)
    np.testing.assert_allclose(resampled[700:1200], expected[700:1200], atol=0.01)


def test_an_odd_rate_does_not_drift():
    rate_hz = Fraction("249.89")
    time_s = np.arange(int(1800 * rate_hz)) / float(rate_hz)
    ecg_mv = np.where(np.abs(time_s % 1.0 - 0.5) < 0.01, 1.0, 0.0)
    resampled = _resample(ecg_mv, rate_hz)
    last = resampled[-125 * 2 : -125]
    at_s = (len(resampled) - 250 + np.argmax(last)) / 125
    assert abs(at_s % 1.0 - 0.5) < 0.02


ODD_RATES = ["62.4725", "249.89", "333.33", "360.0001", "50.003", pytest.param("4999.9", marks=pytest.mark.slow)]


@pytest.mark.parametrize("rate", ODD_RATES)
def test_an_odd_rate_keeps_time_and_amplitude_over_ten_minutes(rate):
    rate_hz = Fraction(rate)
    time_s = np.arange(int(600 * rate_hz)) / float(rate_hz)
    resampled = _resample(np.sin(2 * np.pi * 5 * time_s), rate_hz)
    expected = np.sin(2 * np.pi * 5 * np.arange(len(resampled)) / 125)
    np.testing.assert_allclose(resampled[100:-100], expected[100:-100], atol=0.005)


@pytest.mark.parametrize("rate", ODD_RATES)
def test_a_window_of_an_odd_rate_equals_that_part_of_the_whole(rate):
    rate_hz = Fraction(rate)
    ecg_mv = np.random.default_rng(4).standard_normal(int(30 * rate_hz))
    ecg_mv[700:730] = np.nan
    whole = _resample(ecg_mv, rate_hz)
    for start, stop in ((0, 1), (500, 1700), (len(whole) - 300, len(whole))):
        window = resampled_span(lambda a, b: ecg_mv[a:b], len(ecg_mv), rate_hz, start, stop)
        np.testing.assert_allclose(window, whole[start:stop], atol=1e-5)


def test_both_filters_agree():
    ecg_mv = np.random.default_rng(5).standard_normal(7200)
    polyphase = _resample(ecg_mv, Fraction(360))[:-1]
    kernel = _resample(ecg_mv, Fraction("360.0000001"))
    np.testing.assert_allclose(kernel[50:-50], polyphase[50:-50], atol=2e-3)


@pytest.mark.parametrize("rate", ["100", "250", "360", "500", "1000", "249.89"])
def test_cut_off_waves_stay_cut_off(rate):
    """At 125 Hz as at the file's own rate: three samples or more at the highest value."""
    rate_hz = Fraction(rate)
    since_r_s = np.arange(int(60 * rate_hz)) / float(rate_hz) % 1.0 - 0.5
    ecg_mv = np.minimum(np.exp(-0.5 * (since_r_s / 0.02) ** 2), 0.55)
    resampled = _resample(ecg_mv, rate_hz)
    assert resampled.max() == np.float32(0.55)
    at_top = ends_clipped_run(resampled, 3)
    beats = np.arange(59)[:, None] * 125 + np.arange(125)
    assert at_top[beats].any(axis=1).sum() >= 57


@pytest.mark.parametrize("rate", ["250", "333.33", "1000"])
def test_a_flat_line_stays_flat(rate):
    rate_hz = Fraction(rate)
    ecg_mv = np.random.default_rng(6).standard_normal(int(20 * rate_hz))
    ecg_mv[int(8 * rate_hz) : int(9 * rate_hz)] = 0.3
    resampled = _resample(ecg_mv, rate_hz)
    assert np.ptp(resampled[1001:1124]) == 0


def test_a_peak_between_samples_is_not_cut_off():
    rate_hz = Fraction(50)
    ecg_mv = np.sin(2 * np.pi * 5 * (np.arange(3000) / 50 + 0.05 / 3))
    assert _resample(ecg_mv, rate_hz)[50:-50].max() > ecg_mv.max() + 1e-3


@pytest.mark.slow
def test_an_odd_rate_costs_little_memory():
    rate_hz = Fraction("4999.9")
    ecg_mv = np.zeros(int(600 * rate_hz))
    tracemalloc.start()
    _resample(ecg_mv, rate_hz)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 250e6
