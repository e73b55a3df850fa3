"""Beats of an ECG in memory."""

import doctest

import numpy as np
import pytest

from ecg_signals import regular_ecg
from kalemia import find_beats
from kalemia.beats import find_beats as module
from kalemia.beats.segment_beats import BeatSettings
from kalemia.core.config import Study
from kalemia.ecg.assess_excerpt import assess_excerpt


def test_the_example_gives_what_it_says():
    assert doctest.testmod(module).failed == 0


def test_beats_are_those_of_a_study():
    ecg_mv = regular_ecg(125, 120).astype(np.float32)
    settings = BeatSettings.from_study(Study())
    expected = assess_excerpt(ecg_mv, settings.ecg, settings.quality, settings.rhythm, settings.beats)
    found = find_beats(ecg_mv, 125, lead="V5")
    assert np.array_equal(found.beats_mv, expected.beats_mv, equal_nan=True)
    assert np.array_equal(found.r_peaks, expected.r_peaks)
    assert (found.lead, found.reason, len(found)) == ("V5", expected.reason, len(expected.r_peaks))


@pytest.mark.parametrize("rate_hz", [50, 125, 360.5, 1000])
def test_r_peaks_are_samples_of_the_ecg_that_was_given(rate_hz):
    found = find_beats(regular_ecg(rate_hz, 60), rate_hz)
    expected = (0.4 + 0.8 * np.arange(len(found))) * rate_hz
    assert np.abs(found.r_peaks - expected).max() <= 0.012 * rate_hz + 1


def test_a_beat_of_no_use_says_why():
    ecg_mv = regular_ecg(125, 60)
    ecg_mv[2056:2116] = ecg_mv[2056]
    found = find_beats(ecg_mv, 125)
    near = np.abs(found.r_peaks - 2050) < 10
    assert not found.is_good[near].all()
    assert set(found.reasons) > {None}
    assert len(found.reasons) == len(found.quality) == len(found)


def test_a_silent_ecg_has_no_beats_and_a_reason():
    found = find_beats(np.full(1250, np.nan), 125)
    assert (len(found), found.reason) == (0, "too few R peaks")


@pytest.mark.parametrize(
    ("ecg_mv", "rate_hz", "line"),
    [(np.zeros((2, 10)), 125, r"one lead; this one has \(2, 10\)"), (np.zeros(10), 12, "12 samples a second; 50 to")],
)
def test_what_is_no_ecg_is_refused(ecg_mv, rate_hz, line):
    with pytest.raises(ValueError, match=line):
        find_beats(ecg_mv, rate_hz)
