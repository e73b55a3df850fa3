"""The simulated heart: what potassium does to a beat, and that the sum of waves is the sum it claims to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core.seeds import rng
from kalemia.simulate.heart_rhythm import SINUS, Rhythm, random_rhythm
from kalemia.simulate.heartbeats import beats_of_draw, waves_of_beats, waves_of_draw
from kalemia.simulate.physiology import RESTING_POTASSIUM, P, Q, R, S, T, Waves, ecg_mv, pulse, random_heart
from kalemia.simulate.potassium_effect import Excess, waves_under_potassium

ONE_LEAD = np.ones((1, 5))


def heart_of(sensitivity=1.0, fibrillates=False, name="somebody"):
    return random_heart(rng(1, name), sensitivity, fibrillates)


def excess(mild, marked=0.0):
    """The same excess in every sign."""
    return Excess(np.full(4, mild), np.full(4, marked))


def rhythm_at(r_s, rr_s, ectopic):
    return Rhythm(SINUS, np.array(r_s), np.array(rr_s), np.array(ectopic), np.empty(0))


def lone_beat_mv(waves):
    """Two seconds of ECG with one beat, its R peak at sample 125."""
    beat = Waves(*(values[None] for values in vars(waves).values()))
    return ecg_mv(beat, np.array([1.0]), 250, ONE_LEAD)[0]


def test_one_wave_is_a_gaussian_at_its_place():
    amplitude_mv, center_ms = np.array([0, 0, 1.5, 0, 0]), np.zeros(5)
    beat_mv = lone_beat_mv(Waves(amplitude_mv, center_ms, np.full(5, 16.0), np.full(5, 32.0)))
    assert beat_mv.argmax() == 125
    expected = 1.5 * np.exp(-0.5 * np.array([2.0, 1.0, 0.0, 0.5, 1.0]) ** 2)
    np.testing.assert_allclose(beat_mv[[121, 123, 125, 127, 129]], expected)


def test_lead_factors_scale_the_leads():
    waves = waves_of_beats(heart_of().waves, heart_of(), rhythm_at([1.0], [1.0], [False]), rng(1))
    leads_mv = ecg_mv(waves, np.array([1.0]), 250, np.array([1.0, 2.5])[:, None] * np.ones(5))
    np.testing.assert_allclose(leads_mv[1], 2.5 * leads_mv[0])


def test_beats_outside_the_recording_do_not_wrap_around():
    waves = Waves(*(np.repeat(values[None], 2, axis=0) for values in vars(heart_of().waves).values()))
    assert not ecg_mv(waves, np.array([-3.0, 9.0]), 250, ONE_LEAD).any()


def test_potassium_at_rest_changes_nothing():
    waves = heart_of().waves
    for name, values in vars(waves_under_potassium(waves, excess(0.0))).items():
        np.testing.assert_array_equal(values, getattr(waves, name))


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_t_wave_rises_and_narrows_and_p_wave_falls_with_potassium(name):
    beats = [waves_under_potassium(heart_of(name=name).waves, excess(mild)) for mild in (-1.0, 0.0, 1.0, 2.0, 3.0)]
    amplitude_mv = np.array([waves.amplitude_mv for waves in beats])
    assert np.all(np.diff(amplitude_mv[:, T]) > 0)
    assert np.all(np.diff(amplitude_mv[:, P]) < 0)
    assert np.all(np.diff([waves.rise_ms[T] for waves in beats]) < 0)
    assert np.all(np.diff([waves.center_ms[P] for waves in beats]) < 0)


def test_t_peak_of_a_drawn_beat_is_higher_at_7_than_at_4():
    heart = heart_of()
    low_mv, high_mv = (
        lone_beat_mv(waves_under_potassium(heart.waves, excess(k - RESTING_POTASSIUM))) for k in (4.0, 7.0)
    )
    assert high_mv[145:180].max() > 1.5 * low_mv[145:180].max()
    assert high_mv[100:115].max() < 0.8 * low_mv[100:115].max()


def test_marked_hyperkalemia_widens_the_qrs_and_flattens_p():
    waves = heart_of().waves
    mild, marked = (
        waves_under_potassium(waves, excess(2.0)),
        waves_under_potassium(waves, excess(3.5, marked=1.3)),
    )
    assert all(marked.rise_ms[wave] > 1.15 * mild.rise_ms[wave] for wave in (Q, R, S))
    assert marked.amplitude_mv[P] < 0.6 * mild.amplitude_mv[P]


def test_effect_of_zero_leaves_no_trace_of_potassium():
    heart = heart_of()
    low, high = (beats_of_draw(heart, potassium, 0.0, 0.01, 60.0, rng(5)) for potassium in (3.0, 10.0))
    for part in ("rhythm", "waves"):
        for values, others in zip(vars(getattr(low, part)).values(), vars(getattr(high, part)).values(), strict=True):
            np.testing.assert_array_equal(values, others)
    severe = beats_of_draw(heart, 10.0, 1.0, 0.01, 60.0, rng(5))
    assert severe.waves.amplitude_mv[:, T].mean() > 1.5 * low.waves.amplitude_mv[:, T].mean()


def test_people_differ_more_in_their_t_wave_than_a_draw_does():
    across = [np.log(abs(heart_of(name=i).waves.amplitude_mv[T])) for i in range(200)]
    within = [np.log(waves_of_draw(heart_of(), excess(0.0), False, rng(i)).amplitude_mv[T]) for i in range(200)]
    assert np.std(across) > 1.5 * np.std(within)


def test_t_wave_comes_later_when_the_heart_is_slow():
    heart = heart_of()
    fast, slow = (
        waves_of_beats(heart.waves, heart, rhythm_at(np.arange(5) * rr, np.full(5, rr), np.zeros(5, bool)), rng(1))
        for rr in (0.6, 1.2)
    )
    np.testing.assert_allclose(slow.center_ms[:, T] / fast.center_ms[:, T], np.sqrt(2))


def test_extrasystole_has_no_p_wave_and_a_wide_qrs():
    heart = heart_of()
    rhythm = rhythm_at(np.arange(3.0), np.ones(3), [False, True, False])
    beats = waves_of_beats(heart.waves, heart, rhythm, rng(1))
    assert beats.amplitude_mv[1, P] == 0
    assert beats.rise_ms[1, R] > 2 * beats.rise_ms[0, R]


def test_extrasystole_comes_early_and_is_followed_by_a_pause():
    rhythm = random_rhythm(heart_of(), 75.0, 600.0, 0.05, rng(1))
    early = np.flatnonzero(rhythm.ectopic[1:-1]) + 1
    assert len(early) > 10
    assert np.all(rhythm.rr_s[early] < 0.7)
    assert np.all(rhythm.rr_s[early + 1] > 0.9)


def test_atrial_fibrillation_is_irregular_and_has_no_p_wave():
    fibrillating = heart_of(fibrillates=True)
    irregular, regular = (random_rhythm(heart, 80.0, 600.0, 0.0, rng(1)) for heart in (fibrillating, heart_of()))
    assert irregular.rr_s.std() > 3 * regular.rr_s.std()
    assert waves_of_draw(fibrillating, excess(0.0), False, rng(1)).amplitude_mv[P] == 0


def test_pulse_follows_the_r_peak_by_a_quarter_of_a_second():
    assert abs(pulse(np.array([1.0]), 300).argmax() - 125 - 30) <= 1


@given(rate_bpm=st.floats(45, 130), duration_s=st.floats(1, 120), seed=st.integers(0, 2**32))
def test_rhythm_covers_the_whole_duration(rate_bpm, duration_s, seed):
    rhythm = random_rhythm(heart_of(), rate_bpm, duration_s, 0.05, rng(seed))
    assert rhythm.r_s[0] <= 0
    assert rhythm.r_s[-1] > duration_s - 3
    assert np.all(np.diff(rhythm.r_s) >= 0.3 - 1e-9)
    np.testing.assert_allclose(np.diff(rhythm.r_s), rhythm.rr_s[1:])
