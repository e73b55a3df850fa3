import numpy as np

from kalemia.ecg.quality import BEAT_REASONS, beat_correlations, beat_verdicts


def _beats(n=20):
    return np.tile(np.sin(np.linspace(0, 6, 120)), (n, 1))


def _reasons(beats_mv, before, after):
    quality, reason = beat_verdicts(beats_mv, before, after, (300, 2000), 0.9)
    assert ((quality >= 0) & (quality <= 1)).all()
    return [None if i < 0 else BEAT_REASONS[i] for i in reason]


def test_equal_beats_are_all_good():
    assert _reasons(_beats(), np.full(20, 800.0), np.full(20, 800.0)) == [None] * 20


def test_each_fault_is_named():
    beats_mv, before, after = _beats(), np.full(20, 800.0), np.full(20, 800.0)
    beats_mv[0, 5] = np.nan
    beats_mv[1] = 0.3
    before[2], after[3], after[4] = 299, 2001, np.nan
    beats_mv[5] *= -1
    reasons = _reasons(beats_mv, before, after)
    assert reasons[0] == "at the edge of a recorded run"
    assert reasons[1] == "flat"
    assert reasons[2:5] == ["interval out of range"] * 3
    assert reasons[5] == "unlike the draw's median beat"
    assert reasons[6:] == [None] * 14


def test_correlation_is_pearson_s_with_the_median_beat():
    beats_mv = np.random.default_rng(0).normal(size=(9, 120))
    expected = [np.corrcoef(beat, np.median(beats_mv - beats_mv.mean(1)[:, None], axis=0))[0, 1] for beat in beats_mv]
    np.testing.assert_allclose(beat_correlations(beats_mv), expected)


def test_no_beats_have_no_correlations():
    assert len(beat_correlations(np.empty((0, 120)))) == 0
