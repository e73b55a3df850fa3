import numpy as np
import pytest

from kalemia.ecg.rhythm import cosen, median_cosen

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
