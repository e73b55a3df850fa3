"""Draws kept, good beats and marks by shape: no shape of severe hyperkalemia makes a draw vanish."""

import numpy as np
import pytest

from kalemia.core.schemas import RATE_HZ
from kalemia.ecg.assess_excerpt import assess_excerpt
from severe_shapes import N_HEARTS, SHAPES, severe_heart

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "bigeminy"])
def test_severe_draws_are_kept_with_their_beats(study, shape):
    kept, good, marks = [], [], []
    for seed in range(N_HEARTS):
        heart = severe_heart(shape, seed)
        assessment = assess_excerpt(heart.ecg_mv, study.ecg, study.quality, study.rhythm, study.beats)
        kept.append(assessment.reason is None)
        good.append(np.count_nonzero(assessment.beat_labels.is_good) / len(heart.r_s))
        marks.append(len(assessment.fiducials.r_peaks) / len(heart.r_s))
    print(f"{shape}: {np.mean(marks):.3f} marks a beat, {sum(kept)} of {N_HEARTS} kept, {np.mean(good):.1%} good")
    assert sum(kept) >= N_HEARTS - 1
    assert np.mean(good) >= 0.9
    assert np.mean(marks) == pytest.approx(1, abs=0.01)


def test_bigeminy_keeps_only_normal_beats(study):
    for seed in range(N_HEARTS):
        heart = severe_heart("bigeminy", seed)
        assessment = assess_excerpt(heart.ecg_mv, study.ecg, study.quality, study.rhythm, study.beats)
        good_s = assessment.fiducials.r_peaks[assessment.beat_labels.is_good] / RATE_HZ
        nearest = np.abs(heart.r_s[:, None] - good_s).argmin(axis=0)
        assert assessment.reason == "ectopic beats" or not heart.is_ventricular[nearest].any()
