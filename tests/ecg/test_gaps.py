"""Gaps cost the beats that they touch, and hardly any other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_signals import RATE_HZ, clean_ecg
from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX
from kalemia.ecg.assess_excerpt import assess_excerpt
from kalemia.ecg.filters import bandpass, bandpass_taps, fill_short_gaps, join_runs

N_SAMPLES = 300 * 125


@pytest.fixture(scope="module")
def ecg():
    """R samples and samples of five minutes at about 75 a minute."""
    rng = np.random.default_rng(8)
    r_samples = 60 + np.cumsum(np.rint(100 + 3 * rng.standard_normal(374))).astype(int)
    r_samples = r_samples[r_samples < N_SAMPLES - BEAT_SAMPLES]
    return r_samples, clean_ecg(r_samples, N_SAMPLES) + 0.01 * rng.standard_normal(N_SAMPLES)


def _assess(ecg_mv, study):
    return assess_excerpt(ecg_mv, study.ecg, study.quality, study.rhythm, study.beats)


def _share(r_samples, found):
    return np.mean(np.abs(r_samples[:, None] - found).min(axis=1) <= 2) if len(found) else 0.0


@pytest.mark.parametrize("every_s", [9, 4, 1.7])
def test_a_lost_sample_costs_only_the_beats_that_contain_it(ecg, study, every_s):
    r_samples, ecg_mv = ecg[0], ecg[1].copy()
    lost = np.arange(310, N_SAMPLES, round(every_s * RATE_HZ))
    ecg_mv[lost] = np.nan
    assessment = _assess(ecg_mv, study)
    has_lost = ((r_samples[:, None] - R_INDEX <= lost) & (lost < r_samples[:, None] - R_INDEX + BEAT_SAMPLES)).any(1)
    good = assessment.r_peaks[assessment.beat_labels.is_good]
    assert _share(r_samples, assessment.r_peaks) > 0.99
    assert _share(r_samples[~has_lost], good) > 0.97
    assert np.isfinite(assessment.beats_mv[assessment.beat_labels.is_good]).all()


@pytest.mark.parametrize(("gap_s", "every_s"), [(0.2, 5), (0.5, 6), (1, 8), (2, 6), (4, 12), (20, 27)])
def test_runs_of_some_seconds_have_beats(ecg, study, gap_s, every_s):
    r_samples, ecg_mv = ecg[0], ecg[1].copy()
    for start_s in np.arange(2, 300, every_s):
        ecg_mv[round(start_s * RATE_HZ) : round((start_s + gap_s) * RATE_HZ)] = np.nan
    assessment = _assess(ecg_mv, study)
    whole = np.array([np.isfinite(ecg_mv[r - R_INDEX : r - R_INDEX + BEAT_SAMPLES]).all() for r in r_samples])
    good = assessment.r_peaks[assessment.beat_labels.is_good]
    assert _share(r_samples[whole], assessment.r_peaks) > 0.99
    assert _share(r_samples[whole], good) > 0.7  # those beside a gap have no interval if a beat is lost in it
    assert _share(assessment.r_peaks, r_samples) > 0.99


def test_what_lies_beyond_a_long_gap_is_filtered_by_itself(ecg):
    taps = bandpass_taps(RATE_HZ, (0.5, 40.0), 0.5, 50.0)
    ecg_mv = ecg[1].copy()
    ecg_mv[2000:2020] = np.nan
    alone = bandpass(ecg_mv[2020:], taps)
    ecg_mv[:2000] += 100.0
    np.testing.assert_array_equal(bandpass(ecg_mv, taps)[2020:], alone)


def test_a_lost_sample_hardly_changes_its_neighbors(ecg):
    taps = bandpass_taps(RATE_HZ, (0.5, 40.0), 0.5, 50.0)
    ecg_mv = ecg[1].copy()
    ecg_mv[310::1125] = np.nan
    with_gaps = bandpass(ecg_mv, taps)
    np.testing.assert_array_equal(np.isnan(with_gaps), np.isnan(ecg_mv))
    difference_mv = np.abs(with_gaps - bandpass(ecg[1], taps))
    assert np.nanmax(difference_mv) < 0.05


def test_short_gaps_are_filled_by_lines_and_long_ones_stay():
    filled = fill_short_gaps(np.array([np.nan, 1, np.nan, 3, np.nan, np.nan, np.nan, 5, np.nan]), 2)
    np.testing.assert_array_equal(filled, [np.nan, 1, 2, 3, np.nan, np.nan, np.nan, 5, np.nan])


def test_joined_runs_keep_their_samples_and_shorten_long_gaps():
    joined, index = join_runs(np.array([np.nan, 1, 3, np.nan, 5, np.nan, np.nan, np.nan, np.nan, 2, np.nan]), 2)
    np.testing.assert_allclose(joined, [1, 3, 4, 5, 4, 3, 2])
    assert index.tolist() == [1, 2, 2, 4, 4, 9, 9]


@given(st.lists(st.one_of(st.floats(-10, 10, width=32), st.just(float("nan"))), max_size=40), st.integers(0, 9))
def test_every_recorded_sample_is_joined_once(values, max_gap):
    ecg_mv = np.array(values, np.float32)
    joined, index = join_runs(ecg_mv, max_gap)
    recorded = np.flatnonzero(np.isfinite(ecg_mv))
    assert np.isfinite(joined).all()
    assert np.unique(index).tolist() == recorded.tolist()
    assert len(joined) <= len(ecg_mv)
    assert (np.diff(index) >= 0).all()


def test_an_interval_in_which_a_gap_hides_a_beat_is_not_taken_for_a_pause(ecg, study):
    """Every fifth beat is lost: no rhythm, and no interval of twice the length in what is kept."""
    r_samples, ecg_mv = ecg[0], ecg[1].copy()
    for r in r_samples[2::5]:
        ecg_mv[r - 30 : r + 60] = np.nan
    assessment = _assess(ecg_mv, study)
    assert assessment.reason is None
    assert assessment.rr_after_ms[assessment.beat_labels.is_good].max() < 1000
    assert assessment.median_cosen < study.rhythm.max_cosen
