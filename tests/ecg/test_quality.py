import dataclasses

import numpy as np
import pytest

from ecg_signals import RATE_HZ, clean_ecg
from kalemia.ecg.assess_excerpt import cut_beats
from kalemia.ecg.quality import BEAT_REASONS, any_in_ranges, ends_clipped_run, ends_flat_run, label_beats
from severe_shapes import draw_waves, severe_heart

R_INDEX = 40
N = 40
NARROW = [(0.1, -0.15, 0.02, 0.02), (1.0, 0.0, 0.011, 0.011), (-0.2, 0.032, 0.01, 0.01)]
QRS_OF_160_MS = [(0.7, 0.0, 0.028, 0.028), (-0.75, 0.08, 0.026, 0.026)]
QRS_OF_240_MS = [(0.7, 0.0, 0.04, 0.04), (-0.6, 0.12, 0.04, 0.04)]


@pytest.fixture
def beats_mv():
    noise_mv = np.random.default_rng(2).normal(scale=0.01, size=(N, 120))
    return clean_ecg(np.array([R_INDEX]), 120) + noise_mv


def _labels(study, beats_mv, rr_ms=None, flat=(), clipped=(), **changed):
    n = len(beats_mv)
    marks = [np.isin(np.arange(n), beats) for beats in (flat, clipped)]
    rr_ms = np.full(max(n - 1, 0), 800.0) if rr_ms is None else rr_ms
    settings = dataclasses.replace(study.quality, **changed)
    return label_beats(beats_mv, *marks, rr_ms, np.full(n, 115), R_INDEX, settings)


def _reasons(*arguments, **named):
    labels = _labels(*arguments, **named)
    assert ((labels.quality >= 0) & (labels.quality <= 1)).all()
    assert (labels.quality[~labels.is_good] == 0).all()
    assert sum(count for _, count in labels.rejection_counts()) == np.count_nonzero(~labels.is_good)
    return [None if i < 0 else BEAT_REASONS[i] for i in labels.reason_index]


def test_beats_of_one_morphology_are_all_good(study, beats_mv):
    assert _reasons(study, beats_mv)[1:-1] == [None] * (N - 2)


@pytest.mark.parametrize("n", [6, 8, 10, 12])
def test_the_beats_of_ten_seconds_are_judged_like_those_of_minutes(study, beats_mv, n):
    few = beats_mv[:n].copy()
    few[2] = few[2, ::-1]
    reasons = _reasons(study, few)
    assert reasons[2] == "unlike the draw's other beats"
    assert [reasons[i] for i in range(1, n - 1) if i != 2] == [None] * (n - 3)


def test_two_usable_beats_are_no_morphology(study, beats_mv):
    assert _reasons(study, beats_mv[:4])[1:3] == ["unlike the draw's other beats"] * 2


def test_each_fault_is_named(study, beats_mv):
    rr_ms = np.full(N - 1, 800.0)
    rr_ms[10] = 249
    beats_mv[3, 5] = np.nan
    beats_mv[6] *= 3
    beats_mv[7] = beats_mv[7, ::-1]
    reasons = _reasons(study, beats_mv, rr_ms, flat=[4], clipped=[5])
    assert reasons[3:8] == [
        "missing samples",
        "flat line",
        "clipped",
        "amplitude jump",
        "unlike the draw's other beats",
    ]
    assert [i for i, reason in enumerate(reasons) if reason == "interval out of range"] == [0, 10, 11, N - 1]
    assert sum(reason is None for reason in reasons) == N - 9


def test_premature_beat_of_another_morphology_is_ectopic(study, beats_mv):
    rr_ms = np.full(N - 1, 800.0)
    beats_mv[20] = np.roll(-2 * beats_mv[20], 3)
    rr_ms[19:21] = 500, 1100
    assert _reasons(study, beats_mv, rr_ms)[20] == "ectopic"


def test_bigeminy_is_half_ectopic(study, beats_mv):
    beats_mv[::2] = clean_ecg(np.array([40]), 120)[::-1] * np.hanning(120) + beats_mv[::2] * 0.1
    rr_ms = np.where(np.arange(N - 1) % 2, 500.0, 1100.0)
    labels = _labels(study, beats_mv, rr_ms)
    assert labels.ectopic_fraction == pytest.approx(0.5, abs=0.03)
    assert not labels.is_good[2:-1:2].any()
    assert labels.is_good[1:-1:2].all()


def test_second_morphology_at_regular_intervals_is_normal(study):
    shapes = [clean_ecg(np.array([R_INDEX]), 120), clean_ecg(np.array([R_INDEX]), 120)]
    shapes[1] = shapes[1] - 0.6 * np.exp(-0.5 * ((np.arange(120) - 45) / 3) ** 2)
    beats_mv = np.concatenate([np.tile(shapes[0], (30, 1)), np.tile(shapes[1], (15, 1))])
    assert _reasons(study, beats_mv)[1:-1] == [None] * 43


def _good_share(study, ecg_mv, r_s):
    """Of the beats but the first and last, with the R peaks known."""
    r_peaks = np.round(r_s * RATE_HZ).astype(np.int64)
    rr_ms = np.diff(r_peaks) * 1000 / RATE_HZ
    next_onset = (np.append(rr_ms, 0) - 200) / 1000 * RATE_HZ
    n_compared = np.clip(R_INDEX + next_onset, R_INDEX + 1, 120).astype(np.int64)
    none = np.zeros(len(r_peaks), bool)
    settings = dataclasses.replace(study.quality, rr_range_ms=(240.0, 4500.0))
    beats_mv = cut_beats(ecg_mv.astype(np.float32), r_peaks)
    labels = label_beats(beats_mv, none, none, rr_ms, n_compared, R_INDEX, settings)
    assert labels.ectopic_fraction < 0.02
    return labels.is_good[1:-1].mean()


@pytest.mark.parametrize("rate_bpm", [20, 35, 60, 100, 140, 180, 220])
@pytest.mark.parametrize("qrs", [NARROW, QRS_OF_160_MS, QRS_OF_240_MS], ids=["narrow", "160 ms", "240 ms"])
def test_beats_that_are_all_alike_are_good_however_wide_and_at_any_rate(study, qrs, rate_bpm):
    """From 140 a minute on, T runs into the next beat."""
    random, rr_s = np.random.default_rng(rate_bpm), 60 / rate_bpm
    time_s = np.arange(round(40 * rr_s * RATE_HZ)) / RATE_HZ
    r_s = rr_s * np.cumsum(1 + 0.03 * min(1, rr_s) * random.standard_normal(38))  # faster hearts vary less
    t_wave = (1.2, max(0.3 * np.sqrt(min(rr_s, 1.0)), 0.2), 0.05 * min(1, rr_s), 0.04 * min(1, rr_s))
    ecg_mv = draw_waves(time_s, r_s, [*qrs, t_wave]) + 0.01 * random.standard_normal(len(time_s))
    assert _good_share(study, ecg_mv, r_s) > 0.95


@pytest.mark.parametrize("seed", range(12))
def test_the_cycles_of_a_sine_wave_are_good(study, seed):
    heart = severe_heart("sine wave", seed, seconds=60)
    assert _good_share(study, heart.ecg_mv, heart.r_s) > 0.9


def test_samples_after_the_next_onset_are_ignored(study, beats_mv):
    beats_mv[10, 116:] += 3
    beats_mv[11, 100:] += 3
    reasons = _reasons(study, beats_mv)
    assert reasons[10] is None
    assert reasons[11] is not None


def test_flat_stretches_are_found():
    ecg_mv = np.array([1, 2, 2, 2, 3, np.nan, np.nan, np.nan, 4, 4])
    assert np.flatnonzero(ends_flat_run(ecg_mv, 3)).tolist() == [3]
    assert np.flatnonzero(ends_flat_run(ecg_mv, 2)).tolist() == [2, 3, 9]
    assert not ends_flat_run(ecg_mv, 20).any()


def test_clipping_is_at_the_ends_of_the_range():
    ecg_mv = np.array([0, 5, 5, 5, 1, 1, 1, -2, -2, np.nan])
    assert np.flatnonzero(ends_clipped_run(ecg_mv, 2)).tolist() == [2, 3, 8]
    assert not ends_clipped_run(np.full(4, np.nan), 2).any()


def test_marks_within_ranges():
    marked = np.array([False, True, False, False])
    assert any_in_ranges(marked, np.array([-3, 1, 2, 0]), np.array([1, 2, 9, 9])).tolist() == [False, True, False, True]


def test_no_beats_have_no_labels(study):
    labels = _labels(study, np.empty((0, 120)), rr_ms=np.empty(0))
    assert (len(labels.reason_index), labels.ectopic_fraction, labels.rejection_counts()) == (0, 0.0, [])
