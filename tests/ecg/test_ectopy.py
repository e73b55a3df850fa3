import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopic_rhythms import RHYTHMS, ectopic_rhythm
from kalemia.beats.segment_beats import BeatSettings
from kalemia.ecg.assess_excerpt import assess_excerpt
from kalemia.ecg.ectopy import usual_rr_ms

SEEDS = range(3)


def _assess(study, rhythm, set_marks=None):
    settings = BeatSettings.from_study(study)
    judged_by = (settings.ecg, settings.quality, settings.rhythm, settings.beats)
    return assess_excerpt(rhythm.ecg_mv, *judged_by, set_marks=set_marks)


def _kinds_of_good_beats(rhythm, assessment):
    good_s = assessment.r_peaks[assessment.beat_labels.is_good] / 125
    return rhythm.kinds[np.abs(rhythm.r_s[:, None] - good_s).argmin(axis=0)]


@given(short_ms=st.floats(300, 700), difference_ms=st.floats(0, 600), n=st.integers(20, 60))
def test_the_usual_interval_of_bigeminy_is_the_mean_of_both(short_ms, difference_ms, n):
    rr_ms = np.tile([short_ms, short_ms + difference_ms], n)
    assert usual_rr_ms(rr_ms) == pytest.approx(short_ms + difference_ms / 2)


def test_neither_a_pause_nor_an_early_beat_changes_the_usual_interval():
    rr_ms = np.full(60, 800.0)
    rr_ms[[10, 30, 31]] = 2400, 500, 1100
    np.testing.assert_array_equal(usual_rr_ms(rr_ms), 800)


@pytest.mark.parametrize("n", [0, 1])
def test_the_usual_of_at_most_one_interval_is_itself(n):
    np.testing.assert_array_equal(usual_rr_ms(np.full(n, 700.0)), np.full(n, 700.0))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [name for name, rhythm in RHYTHMS.items() if rhythm.has_ectopy and "wide" not in name])
def test_no_ectopic_beat_is_kept_and_normal_ones_are_unless_the_draw_is_excluded_as_ectopic(study, name, seed):
    rhythm = ectopic_rhythm(name, seed)
    _check_that_no_ectopic_beat_is_kept(rhythm, _assess(study, rhythm))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ectopic_beats_of_a_wide_rhythm_are_not_kept_where_all_beats_are_known(study, seed):
    rhythm = ectopic_rhythm("bigeminy of a wide rhythm", seed)
    assessment = _assess(study, rhythm, np.round(rhythm.r_s * 125).astype(np.int64))
    assert assessment.reason is None
    _check_that_no_ectopic_beat_is_kept(rhythm, assessment)


def _check_that_no_ectopic_beat_is_kept(rhythm, assessment):
    if assessment.reason:
        assert assessment.reason == "ectopic beats"
    else:
        kinds = _kinds_of_good_beats(rhythm, assessment)
        assert len(kinds) > 0.3 * np.sum(rhythm.kinds != "ectopic")
        assert (kinds != "ectopic").all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [name for name, rhythm in RHYTHMS.items() if not rhythm.has_ectopy])
def test_rhythms_without_ectopy_are_kept_whole(study, name, seed):
    """Also where all beats are wide, alternate, or pause."""
    rhythm = ectopic_rhythm(name, seed)
    assessment = _assess(study, rhythm)
    assert assessment.reason is None
    assert assessment.beat_labels.ectopic_fraction < 0.02
    assert assessment.beat_labels.is_good.mean() > 0.9
