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


def _wenckebach_ms(conducted):
    """Intervals of Wenckebach block at 0.7 s between P waves, for the number of beats conducted in each turn."""
    steps_s = 0.2 + np.cumsum([0, 0.12, 0.06, 0.03, 0.02])
    starts_s = 0.7 * np.cumsum([0, *(n + 1 for n in conducted[:-1])])
    beats_s = [start + 0.7 * i + steps_s[i] for start, n in zip(starts_s, conducted, strict=True) for i in range(n)]
    return 1000 * np.diff(beats_s)


REGULARLY_IRREGULAR = {
    "bigeminy": np.tile([600.0, 1000.0], 300),
    "trigeminy": np.tile([800.0, 550.0, 1050.0], 200),
    "interpolated extrasystoles": np.tile([800.0, 800.0, 420.0, 400.0], 150),
    "Wenckebach 4:3": _wenckebach_ms([3] * 200),
    "Wenckebach 3:2 to 5:4": _wenckebach_ms(RANDOM.integers(2, 5, 200)),
    "2:1 and 3:1 block": RANDOM.choice([1600.0, 2400.0], 300),
    "escape rhythm with pauses": np.where(RANDOM.random(300) < 0.15, RANDOM.uniform(2200, 4000, 300), 1600.0),
}


@pytest.mark.parametrize("name", REGULARLY_IRREGULAR)
def test_rhythms_that_are_regularly_irregular_are_no_fibrillation(study, name):
    rr_ms = REGULARLY_IRREGULAR[name]
    varied_ms = rr_ms * (1 + 0.02 * np.random.default_rng(3).standard_normal(len(rr_ms)))
    assert median_cosen(varied_ms) < study.rhythm.max_cosen
