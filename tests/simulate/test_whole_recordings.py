"""Recordings that are written whole: what is added between the draws, and that nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core.config import Analyte, Simulation
from kalemia.core.schemas import RATE_HZ
from kalemia.simulate.between_draws import AROUND_DRAW, free_pieces, moment_between_draws
from kalemia.simulate.patients import cohort
from kalemia.simulate.potassium_course import USABLE
from kalemia.simulate.recordings import _segments_and_rates, stretch_samples

SEED = 5
SETTINGS = Simulation(generic_patients=2, personal_patients=3, single_episode_patients=1, unresponsive_fraction=0.34)
WHOLE = replace(SETTINGS, whole_recordings=1)
INTERVALS = st.lists(st.tuples(st.integers(-20, 120), st.integers(0, 30)).map(lambda pair: (pair[0], sum(pair))))


@pytest.fixture(scope="module")
def person():
    """The one whose recording is written whole."""
    (found,) = [person for person in cohort(WHOLE, Analyte(), SEED) if person.whole_stretch is not None]
    return found


def test_the_pieces_between_two_stretches_are_at_most_so_long():
    assert list(free_pieces([(3, 5)], 10, 4)) == [(0, 3), (5, 9), (9, 10)]
    assert list(free_pieces([(-2, 12)], 10, 4)) == []


@given(taken=INTERVALS, n_samples=st.integers(0, 100), longest=st.integers(1, 40))
def test_each_sample_is_in_one_piece_or_taken(taken, n_samples, longest):
    times = np.zeros(n_samples, int)
    for first, last in free_pieces(taken, n_samples, longest):
        assert 0 < last - first <= longest
        times[first:last] += 1
    free = np.ones(n_samples, int)
    for first, last in taken:
        free[max(first, 0) : max(last, 0)] = 0
    np.testing.assert_array_equal(times, free)


def test_potassium_is_linear_from_draw_to_draw(person):
    first, second = person.monitored.draws[:2]
    moment = moment_between_draws(person.monitored.draws, (first.hours + second.hours) / 2, 0)
    assert moment.potassium == pytest.approx((first.potassium + second.potassium) / 2)
    assert moment.label is None


def test_it_is_the_recording_of_a_patient_who_responds_in_which_potassium_changes_most(person):
    def change(of, stretch):
        draws = of.monitored.draws[len(of.monitored.draws) // 2 :]
        return np.ptp([draw.potassium for draw in draws if draw.stretch == stretch and draw.coverage in USABLE] or [0])

    others = [
        change(other, stretch)
        for other in cohort(WHOLE, Analyte(), SEED)
        if other.population == "personal" and other.responsive
        for stretch in range(len(other.stretches))
    ]
    assert person.responsive
    assert change(person, person.whole_stretch) == max(others)


def test_patients_are_the_same_but_for_the_recording_that_is_whole():
    without = cohort(SETTINGS, Analyte(), SEED)
    assert [replace(person, whole_stretch=None, heart=None) for person in cohort(WHOLE, Analyte(), SEED)] == [
        replace(person, heart=None) for person in without
    ]


def test_a_whole_recording_has_the_same_minutes_before_its_draws_and_all_between(person):
    whole, rates = _segments_and_rates(person, person.whole_stretch, WHOLE, SEED)
    around, _ = _segments_and_rates(replace(person, whole_stretch=None), person.whole_stretch, SETTINGS, SEED)
    by_start = {segment.start: segment for segment in whole}
    for segment in around:
        np.testing.assert_array_equal(by_start[segment.start].values, segment.values)
    starts = np.array([segment.start for segment in whole])
    stops = starts + [segment.values.shape[1] for segment in whole]
    assert (starts[1:] >= stops[:-1]).all()
    longest_gap = max(0, *(starts[1:] - stops[:-1])) / RATE_HZ / 60
    assert longest_gap < AROUND_DRAW[0]
    assert starts[0] == 0
    assert stops[-1] == stretch_samples(person, person.whole_stretch)
    assert sorted(rates) == rates
    assert len(rates) > len(around)
