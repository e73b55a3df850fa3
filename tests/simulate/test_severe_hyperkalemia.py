"""Simulated hearts from 4 to 11 mEq/L: tented T, lost P, wide QRS, sine wave, and rhythms that fail."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import find_peaks

from kalemia.core.seeds import rng
from kalemia.simulate.heart_rhythm import (
    FIBRILLATION,
    JUNCTIONAL,
    SECOND_DEGREE,
    SINOVENTRICULAR,
    SINUS,
    THIRD_DEGREE,
    VENTRICULAR,
    rhythm_of,
)
from kalemia.simulate.heartbeats import beats_of_draw
from kalemia.simulate.physiology import FAILURES, P, Q, R, S, T, random_heart
from kalemia.simulate.potassium_effect import excess_of, waves_under_potassium

HEARTS, LEAD_II = range(60), np.ones((1, 5))


def heart_of(number=0, sensitivity=None, failure=None):
    spread = rng(number, "sensitivity").standard_normal()
    own = float(np.clip(np.exp(0.2 * spread), 0.65, 1.6))
    heart = random_heart(rng(1, number), sensitivity or own, fibrillates=False)
    return replace(heart, failure=failure or heart.failure)


def beats_at(heart, potassium, seconds=20.0):
    return beats_of_draw(heart, potassium, 1.0, 0.0, seconds, rng(2, "draw"))


def ecg_mv_of(beats, seconds=20.0):
    return beats.ecg_mv(int(seconds * 125), LEAD_II)[0]


def apart_at(potassium):
    """The mean waves (5,) of each heart in which QRS and T are still apart."""
    beats = [beats_at(heart_of(number), potassium) for number in HEARTS]
    return [
        {name: values.mean(axis=0) for name, values in vars(one.waves).items()} for one in beats if one.merged < 0.1
    ]


def qrs_ms(waves):
    """From two standard deviations before the center of Q to as many after that of S."""
    onset = waves["center_ms"][Q] - 2 * waves["rise_ms"][Q]
    return waves["center_ms"][S] + 2 * waves["fall_ms"][S] - onset


def t_to_r(waves):
    return waves["amplitude_mv"][T] / waves["amplitude_mv"][R]


def test_t_wave_outgrows_r_up_to_three_times():
    hearts = [heart_of(number) for number in HEARTS]
    ratios = [
        [t_to_r(vars(waves_under_potassium(heart.waves, excess_of(heart, potassium, 1.0)))) for heart in hearts]
        for potassium in (4.3, 7.0, 9.0)
    ]
    normal, raised, severe = map(np.median, ratios)
    assert 0.15 < normal < 0.35
    assert normal < raised < 0.8 < severe
    assert 2.5 < max(ratios[2]) <= 3 + 1e-9


def test_p_wave_is_lowered_and_delays_qrs_and_is_then_lost():
    at_rest, raised, severe = (apart_at(potassium) for potassium in (4.3, 7.5, 10.0))

    def p_mv(hearts):
        return np.median([abs(waves["amplitude_mv"][P]) for waves in hearts])

    def p_ms(hearts):
        return np.array([waves["center_ms"][P] for waves in hearts])

    assert 0.3 * p_mv(at_rest) < p_mv(raised) < 0.8 * p_mv(at_rest)
    assert p_mv(severe) < 0.05 * p_mv(at_rest)
    assert np.median(p_ms(raised)) < np.median(p_ms(at_rest)) - 20
    assert p_ms(raised).min() < -200  # first-degree block


def test_qrs_widens_to_240_ms():
    normal, severe = (np.array([qrs_ms(waves) for waves in apart_at(potassium)]) for potassium in (4.3, 9.5))
    assert 70 < np.median(normal) < 95
    assert np.median(severe) > 120
    assert 220 < severe.max() < 290


@pytest.mark.parametrize("number", range(5))
def test_qrs_and_t_end_in_a_sine_wave_of_one_cycle_a_beat(number):
    heart = replace(heart_of(number, sensitivity=1.6, failure="sinoventricular"), rate_bpm=115.0)
    beats = beats_at(heart, 13.5, 60.0)
    assert beats.merged == pytest.approx(1.0)
    r_s, ecg_mv = beats.rhythm.r_s, ecg_mv_of(beats, 60.0)
    inside = (r_s > 2) & (r_s < 58)
    within = np.arange(len(ecg_mv)) / 125
    crests = find_peaks(ecg_mv)[0] / 125
    assert abs(np.count_nonzero((crests > 2) & (crests < 58)) - np.count_nonzero(inside)) <= 1
    phase = 2 * np.pi * np.interp(within, r_s, np.arange(len(r_s)))
    power = [abs(np.mean(ecg_mv * np.exp(-1j * k * phase))) ** 2 for k in (1, 2, 3)]
    assert power[0] > 10 * (power[1] + power[2])


@pytest.mark.parametrize("number", range(4))
def test_the_way_to_the_sine_wave_has_no_jump(number):
    heart = heart_of(number, sensitivity=1.4, failure="sinoventricular")
    waves = [beats_at(heart, potassium, 5.0).waves for potassium in np.arange(4.0, 11.0, 0.05)]
    amplitude_mv = np.array([of.amplitude_mv.mean(axis=0) for of in waves])
    center_ms = np.array([of.center_ms.mean(axis=0)[[Q, R, S, T]] for of in waves])
    assert np.abs(np.diff(amplitude_mv, axis=0)).max() < 0.15
    assert np.abs(np.diff(center_ms, axis=0)).max() < 40


def test_some_hearts_show_little_even_at_9():
    calm, resting = (beats_at(heart_of(3, sensitivity=0.05), potassium) for potassium in (9.0, 4.3))
    assert calm.rhythm.name == SINUS
    np.testing.assert_allclose(calm.waves.rise_ms[0, [Q, R, S]], resting.waves.rise_ms[0, [Q, R, S]], rtol=0.05)
    responses = [t_to_r(waves) for waves in apart_at(9.0)]
    assert np.quantile(responses, 0.9) > 3 * np.quantile(responses, 0.1)


def test_r_peaks_stay_where_they_are_said_to_be():
    beats = beats_at(heart_of(0), 8.5)
    ecg_mv = ecg_mv_of(beats)
    samples = np.rint(beats.rhythm.r_s[(beats.rhythm.r_s > 1) & (beats.rhythm.r_s < 19)] * 125).astype(int)
    highest = ecg_mv[samples[:, None] + np.arange(-5, 6)].argmax(axis=1) - 5
    assert np.abs(highest).max() <= 1
    assert np.all(beats.waves.center_ms[:, R] == 0)


def test_rhythm_fails_only_when_potassium_is_severe():
    hearts = [heart_of(number) for number in range(200)]

    def names(potassium):
        return {rhythm_of(heart, excess_of(heart, potassium, 1.0)) for heart in hearts}

    assert names(7.0) == {SINUS}
    assert names(9.5) == {SINUS, SINOVENTRICULAR, SECOND_DEGREE, THIRD_DEGREE, JUNCTIONAL, VENTRICULAR}
    assert {heart.failure for heart in hearts} == set(FAILURES)
    fibrillating = replace(hearts[0], fibrillates=True)
    assert rhythm_of(fibrillating, excess_of(fibrillating, 5.0, 1.0)) == FIBRILLATION


def test_second_degree_block_leaves_p_waves_without_qrs():
    heart = heart_of(1, sensitivity=1.0, failure="AV block")
    potassium = next(k for k in np.arange(7, 11, 0.1) if rhythm_of(heart, excess_of(heart, k, 1.0)) == SECOND_DEGREE)
    beats = beats_at(heart, potassium, 60.0)
    rr_s = beats.rhythm.rr_s
    assert 0.1 < np.mean(rr_s > 1.7 * np.median(rr_s)) < 0.6
    before = np.searchsorted(beats.rhythm.r_s, beats.rhythm.blocked_s)
    inside = (before > 0) & (before < len(beats.rhythm.r_s))
    assert np.all(rr_s[before[inside]] > 1.5 * np.median(rr_s))
    assert np.all(beats.blocked.amplitude_mv[:, P] > 0)
    assert not beats.blocked.amplitude_mv[:, P + 1 :].any()


def test_third_degree_block_has_two_rhythms():
    beats = beats_at(heart_of(2, sensitivity=1.6, failure="AV block"), 10.0, 120.0)
    assert beats.rhythm.name == THIRD_DEGREE
    assert 20 < beats.rhythm.rate_bpm < 45 < len(beats.rhythm.blocked_s) / 2
    assert not beats.waves.amplitude_mv[:, P].any()


@pytest.mark.parametrize(
    ("failure", "potassium", "name", "slowest", "fastest"),
    [("junctional", 8.3, JUNCTIONAL, 40, 58), ("ventricular", 9.0, VENTRICULAR, 20, 42)],
)
def test_escape_rhythms_are_slow_regular_and_without_p(failure, potassium, name, slowest, fastest):
    for number in range(8):
        beats = beats_at(heart_of(number, sensitivity=1.3, failure=failure), potassium, 600.0)
        if beats.rhythm.name != name:
            continue
        rr_s = beats.rhythm.rr_s
        assert slowest < beats.rhythm.rate_bpm < fastest + 1
        assert not beats.waves.amplitude_mv[:, P].any()
        assert np.quantile(rr_s, 0.9) < 1.1 * np.median(rr_s)
        assert (rr_s.max() > np.median(rr_s) + 1) == (name == VENTRICULAR)  # pauses


def test_the_same_draw_is_the_same_whatever_was_drawn_before():
    heart = heart_of(5)
    beats_at(heart, 9.0)
    np.testing.assert_array_equal(ecg_mv_of(beats_at(heart, 10.0)), ecg_mv_of(beats_at(heart_of(5), 10.0)))
