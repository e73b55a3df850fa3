import numpy as np
import pytest

from ecg_signals import RATE_HZ, clean_ecg, regular_r_samples
from kalemia.ecg.pacing import pacing_spike_ratio
from severe_shapes import draw_waves, severe_heart

N = 7500
R_SAMPLES = regular_r_samples(N)
WIDE = [(0.9, 0.03, 0.025, 0.03), (-0.6, 0.11, 0.03, 0.04), (0.5, 0.33, 0.06, 0.05)]
NARROW = [(-0.1, -0.028, 0.008, 0.008), (1.0, 0.0, 0.011, 0.011), (-0.25, 0.03, 0.01, 0.01), (0.4, 0.27, 0.045, 0.035)]


def _noise_mv(seed=8):
    return np.random.default_rng(seed).normal(scale=0.005, size=N)


def _wide_ecg_mv():
    return draw_waves(np.arange(N) / RATE_HZ, R_SAMPLES / RATE_HZ, WIDE) + _noise_mv()


def _kept_extremes(fine_mv, n=4):
    """Of each n samples the one furthest from the baseline, as some monitors thin 500 Hz to 125 Hz."""
    groups = fine_mv[: len(fine_mv) // n * n].reshape(-1, n)
    return groups[np.arange(len(groups)), np.abs(groups).argmax(axis=1)]


def test_pulses_apart_from_the_qrs_complex_are_paced():
    ecg_mv = clean_ecg(R_SAMPLES, N) + _noise_mv()
    assert pacing_spike_ratio(ecg_mv, R_SAMPLES, RATE_HZ) == 0
    ecg_mv[R_SAMPLES - 25] += 0.3
    assert pacing_spike_ratio(ecg_mv, R_SAMPLES, RATE_HZ) > 0.05


@pytest.mark.parametrize("mark", [0, 4, 14])
def test_a_pulse_at_the_onset_of_a_wide_complex_is_paced_wherever_its_mark_lies(mark):
    ecg_mv = _wide_ecg_mv()
    assert pacing_spike_ratio(ecg_mv, R_SAMPLES + mark, RATE_HZ) < 0.001
    ecg_mv[R_SAMPLES - 2] += 0.4
    assert pacing_spike_ratio(ecg_mv, R_SAMPLES + mark, RATE_HZ) > 0.01


def test_pulses_in_every_third_beat_are_paced():
    ecg_mv = clean_ecg(R_SAMPLES, N) + _noise_mv()
    ecg_mv[R_SAMPLES[::3] - 25] += 0.4
    assert pacing_spike_ratio(ecg_mv, R_SAMPLES, RATE_HZ) > 0.02


@pytest.mark.parametrize("shift", [-4, 0, 6])
def test_the_steep_upstroke_of_a_narrow_complex_is_no_pulse(shift, study):
    """The recorder keeps extremes: what it adds above 45 Hz exceeds what is left of pulses in paced recordings."""
    fine_s = np.arange(4 * N) / (4 * RATE_HZ)
    ecg_mv = _kept_extremes(draw_waves(fine_s, R_SAMPLES / RATE_HZ + 0.003, NARROW)) + _noise_mv()
    assert pacing_spike_ratio(ecg_mv, R_SAMPLES + shift, RATE_HZ) < 0.5 * study.rhythm.max_pacing_spike_ratio


@pytest.mark.parametrize(
    "shape", ["T three times R", "QRS 160 ms, deep S", "QRS 200 ms", "fusion with the next beat", "sine wave"]
)
def test_severe_hyperkalemia_is_not_paced(shape, study):
    for seed in range(4):
        heart = severe_heart(shape, seed, seconds=60)
        for shift_s in (0, 0.08):
            marks = np.round((heart.r_s + shift_s) * RATE_HZ).astype(int)
            assert pacing_spike_ratio(heart.ecg_mv, marks, RATE_HZ) < 0.3 * study.rhythm.max_pacing_spike_ratio


def test_the_gain_does_not_matter():
    ecg_mv = _wide_ecg_mv()
    ecg_mv[R_SAMPLES - 2] += 0.4
    ratio = pacing_spike_ratio(ecg_mv, R_SAMPLES, RATE_HZ)
    assert pacing_spike_ratio(200 * ecg_mv, R_SAMPLES, RATE_HZ) == pytest.approx(ratio)
    assert pacing_spike_ratio(-0.01 * ecg_mv, R_SAMPLES, RATE_HZ) == pytest.approx(ratio)


@pytest.mark.parametrize("n_peaks", [0, 1])
def test_no_pacing_without_beats(n_peaks):
    assert pacing_spike_ratio(np.zeros(500), np.arange(n_peaks) + 200, RATE_HZ) == 0
    assert pacing_spike_ratio(np.full(500, np.nan), np.array([200, 300]), RATE_HZ) == 0
