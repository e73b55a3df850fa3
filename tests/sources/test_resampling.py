from fractions import Fraction

import numpy as np

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
