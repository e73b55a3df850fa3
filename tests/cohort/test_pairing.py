"""Draws paired with the nearest short recording."""

from datetime import datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kalemia.cohort.matching import Match, Unmatched, nearest_draws, pair_draws
from kalemia.sources import Recording

START = datetime(2150, 1, 1)
minutes = st.lists(st.integers(0, 600), max_size=8)


def _times(offsets):
    return [START + timedelta(minutes=offset) for offset in offsets]


def _pairs(draws, ecgs, hours):
    found = _paired(draws, ecgs, hours)
    return [(pair.recording, pair.minutes) if isinstance(pair, Match) else None for pair in found]


def _paired(draws, ecgs, hours):
    recordings = [Recording(1, f"e{at}", time, 125.0, 1250, ()) for at, time in enumerate(_times(ecgs))]
    return pair_draws(_times(draws), recordings, hours)


def test_each_draw_has_the_nearest_ecg_before_or_after_it():
    assert _pairs([0, 100, 300], [30, 90, 260], 1.0) == [("e0", -30.0), ("e1", 10.0), ("e2", 40.0)]


def test_of_two_ecgs_of_one_draw_the_nearer_is_taken():
    assert _pairs([100], [50, 80, 130], 1.0) == [("e1", 20.0)]


def test_an_ecg_serves_the_nearest_draw_alone():
    assert _pairs([0, 20], [18], 1.0) == [None, ("e0", 2.0)]


def test_a_draw_without_an_ecg_says_whether_another_draw_has_it():
    far, beaten, _ = _paired([-200, 0, 20], [18], 1.0)
    assert far == Unmatched("not recording at the time")
    assert beaten == Unmatched("ECG nearer to another draw", "e0")


def test_a_draw_at_exactly_the_longest_distance_counts():
    assert _pairs([60, 181], [0, 120], 1.0) == [("e0", 60.0), None]
    assert _pairs([61, 181], [0, 119], 1.0) == [("e1", -58.0), None]


@given(minutes, minutes, st.floats(0.1, 5))
def test_pairs_match_a_plain_search(draws, ecgs, hours):
    for ecg, found in zip(ecgs, nearest_draws(*_arrays(ecgs, draws), hours).tolist(), strict=True):
        distances = [abs(draw - ecg) for draw in draws]
        if not draws or min(distances) > 60 * hours:
            assert found == -1
        else:
            assert distances[found] == min(distances)
    for draw, found in zip(draws, _paired(draws, ecgs, hours), strict=True):
        is_near = any(abs(draw - ecg) <= 60 * hours for ecg in ecgs)
        assert is_near != (found == Unmatched("not recording at the time"))
    used = [pair[0] for pair in _pairs(draws, ecgs, hours) if pair]
    assert len(used) == len(set(used))


def _arrays(*of):
    return [np.array(_times(offsets), "datetime64[us]") for offsets in of]
