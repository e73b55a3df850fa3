import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotated_ecg import n_matched
from ecg_signals import RATE_HZ, clean_ecg, regular_r_samples
from kalemia.ecg.filters import bandpass, bandpass_taps
from kalemia.ecg.rpeaks import detect_qrs, detect_r_peaks
from kalemia.ecg.sine_waves import mark_cycles, sine_stretches
from severe_shapes import SHAPES, draw_waves, severe_heart

N = 7500
TAPS = bandpass_taps(RATE_HZ, (0.5, 40.0), 0.5, 50.0)
TOLERANCE = 0.15 * RATE_HZ
NARROW_QRS = [(-0.1, -0.028, 0.008, 0.008), (1.0, 0.0, 0.011, 0.011), (-0.2, 0.032, 0.01, 0.01)]


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


def _regular_heart(rate_bpm, t_wave=None, seed=0, seconds=60.0):
    """R times (s) of the beats inside a filtered ECG, and the ECG (samples,)."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    intervals_s = 60 / rate_bpm * (1 + 0.02 * random.standard_normal(int(seconds * rate_bpm / 60) + 10))
    r_s = np.cumsum(intervals_s)
    ecg_mv = draw_waves(time_s, r_s, [*NARROW_QRS, *([t_wave] if t_wave else [])])
    ecg_mv += 0.01 * random.standard_normal(len(time_s))
    return r_s[r_s < seconds - 0.2], bandpass(ecg_mv.astype(np.float32), TAPS)


def _wrong_marks(r_s, marks):
    """How many beats have no mark of their own, and how many marks have no beat."""
    matched = n_matched(r_s * RATE_HZ, marks, TOLERANCE)
    return len(r_s) - matched, len(marks) - matched


@settings(max_examples=30, deadline=None)
@given(
    rate_bpm=st.floats(45, 110),
    ratio=st.floats(-3, 3),
    delay_s=st.floats(0.22, 0.3),
    width_s=st.floats(0.03, 0.05),
    seed=st.integers(0, 99),
)
def test_however_tall_its_t_waves_a_regular_heart_has_one_mark_a_beat(rate_bpm, ratio, delay_s, width_s, seed):
    r_s, ecg_mv = _regular_heart(rate_bpm, (ratio, delay_s, width_s, 0.85 * width_s), seed)
    missed, wrong = _wrong_marks(r_s, detect_qrs(ecg_mv, RATE_HZ))
    assert missed <= 1
    assert wrong <= 2  # the T waves of beats before the beginning and after the end


@pytest.mark.parametrize("rate_bpm", [20, 25, 40, 100, 150, 180, 200, 220])
def test_rates_from_20_to_220_a_minute_are_found(rate_bpm):
    cycle_s = 60 / rate_bpm
    r_s, ecg_mv = _regular_heart(
        rate_bpm, (0.25, 0.3 * np.sqrt(cycle_s), 0.05 * np.sqrt(cycle_s), 0.04 * np.sqrt(cycle_s))
    )
    assert max(_wrong_marks(r_s, detect_qrs(ecg_mv, RATE_HZ))) <= 1


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "sine wave"])
def test_every_beat_of_severe_hyperkalemia_is_marked_once(shape, sign):
    wrong, n_beats = np.zeros(2), 0
    for seed in range(200, 203):
        heart = severe_heart(shape, seed, seconds=90)
        marks = detect_qrs(bandpass(sign * heart.ecg_mv, TAPS), RATE_HZ)
        wrong += _wrong_marks(heart.r_s, marks)
        n_beats += len(heart.r_s)
    assert wrong.max() <= 0.02 * n_beats


@pytest.mark.parametrize("seed", range(200, 206))
def test_a_sine_wave_is_marked_once_a_cycle_at_one_phase(seed):
    heart = severe_heart("sine wave", seed, seconds=90)
    marks = detect_qrs(bandpass(heart.ecg_mv, TAPS), RATE_HZ)
    phase = np.interp(marks / RATE_HZ, heart.r_s, np.arange(len(heart.r_s)))[3:-3]
    usual = np.angle(np.mean(np.exp(2j * np.pi * phase))) / (2 * np.pi)
    assert (np.diff(np.rint(phase - usual)) == 1).mean() > 0.98
    assert np.quantile(np.abs(phase - usual - np.rint(phase - usual)), 0.95) < 0.06


def test_a_heart_that_turns_into_a_sine_wave_is_marked_throughout():
    before, after = severe_heart("QRS 200 ms", 200, seconds=90), severe_heart("sine wave", 200, seconds=90)
    marks = detect_qrs(bandpass(np.concatenate([before.ecg_mv, after.ecg_mv]), TAPS), RATE_HZ) / RATE_HZ
    assert np.sum(marks < 80) == pytest.approx(np.sum(before.r_s < 80), abs=2)
    assert np.sum(marks > 105) == pytest.approx(np.sum(after.r_s > 15), abs=2)


def test_a_wandering_baseline_without_a_heart_is_no_sine_wave():
    random = np.random.default_rng(4)
    wander_mv = np.convolve(random.standard_normal(3 * N), np.hanning(250) / 20, mode="same")
    assert len(list(sine_stretches(wander_mv, np.zeros(3 * N), RATE_HZ))) == 1
    assert len(mark_cycles(wander_mv, RATE_HZ)) == 0


def test_a_p_wave_alone_between_two_beats_is_no_beat():
    """2:1 block: every second P wave stands alone."""
    time_s = np.arange(N) / RATE_HZ
    r_s = np.arange(1, 59, 1.5)
    ecg_mv = draw_waves(time_s, r_s, [(0.15, -0.17, 0.025, 0.025), *NARROW_QRS, (0.6, 0.33, 0.05, 0.04)])
    ecg_mv += draw_waves(time_s, r_s + 0.58, [(0.15, 0.0, 0.025, 0.025)])
    ecg_mv += 0.01 * np.random.default_rng(5).standard_normal(N)
    assert _wrong_marks(r_s, detect_qrs(bandpass(ecg_mv.astype(np.float32), TAPS), RATE_HZ)) == (0, 0)


def test_weak_beat_in_a_long_interval_is_found_by_search_back():
    r_samples = regular_r_samples(N)
    scale = np.ones(N)
    for r in r_samples[10:70:10]:
        scale[r - 50 : r + 50] = 0.4
    found = detect_r_peaks((clean_ecg(r_samples, N) * scale).astype(np.float32), RATE_HZ)
    assert set(r_samples[10:70:10]) <= set(found)


def test_what_rounding_leaves_of_a_filtered_ecg_has_no_beats():
    ecg_mv = clean_ecg(regular_r_samples(7500), 7500)
    assert len(detect_qrs(ecg_mv, 125.0)) > 50
    for scale in (1e-40, 1e-30, 1e-10):
        assert len(detect_qrs((scale * ecg_mv.astype(np.float64)).astype(np.float32), 125.0)) == 0
