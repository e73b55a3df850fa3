"""Simulated stays: potassium in episodes, labels in runs, and recordings that know nothing of either."""

from itertools import pairwise

import numpy as np
import pytest

from kalemia.core.config import Range
from kalemia.core.seeds import rng
from kalemia.simulate.potassium_course import (
    USABLE,
    Classes,
    Draw,
    draws_elsewhere,
    draws_with_episodes,
    draws_with_one_episode,
    few_draws,
    potassium_course,
    stretches_of_recording,
)

HYPER = Classes(Range(above=5.5), Range(from_=3.5, to=5.0), 10.0)
HYPO = Classes(Range(below=3.5), Range(from_=3.5, to=5.0), 10.0)


def runs_of(draws):
    """(label, length) of each run among the draws with a label."""
    labels = np.array([draw.label for draw in draws if draw.label is not None])
    turns = np.flatnonzero(np.diff(labels)) + 1
    return [(int(run[0]), len(run)) for run in np.split(labels, turns)]


def usable_labels(draws):
    return [draw.label for draw in draws if draw.coverage in USABLE and draw.label is not None]


@pytest.mark.parametrize(("reported", "label"), [(5.6, 1), (5.5, None), (5.1, None), (5.0, 0), (3.5, 0), (3.4, None)])
def test_label_bounds(reported, label):
    assert HYPER.label(reported) == label


def test_potassium_relaxes_to_the_level_of_each_episode():
    hours = np.arange(0, 60, 0.5)
    courses = [potassium_course(hours, [(0, 6.4), (24, 4.2)], 10.0, rng(seed)) for seed in range(40)]
    mean = np.mean(courses, axis=0)
    assert abs(mean[:48] - 6.4).max() < 0.2
    assert abs(mean[64:] - 4.2).max() < 0.2
    assert mean[48] > mean[50] > mean[54] > mean[60]


@pytest.mark.parametrize("seed", range(5))
def test_too_little_potassium_can_be_the_positive_class(seed):
    for draws in (draws_with_episodes(20, HYPO, 1.0, rng(seed)), draws_with_one_episode(20, HYPO, 1.0, rng(seed))):
        assert min(np.bincount(usable_labels(draws))) >= 10
        assert all((draw.reported < 3.5) == (draw.label == 1) for draw in draws)
    assert 1 not in [draw.label for draw in few_draws(3, False, HYPO, 1.0, rng(seed))]


@pytest.mark.parametrize("n", [18, 26])
@pytest.mark.parametrize("seed", range(5))
def test_personal_patients_have_ten_usable_draws_of_each_class(n, seed):
    for draws in (draws_with_episodes(n, HYPER, 1.0, rng(seed)), draws_with_one_episode(n, HYPER, 1.0, rng(seed))):
        assert min(np.bincount(usable_labels(draws))) >= 10
        assert n <= len(draws) <= n + 12


def test_labels_come_in_runs():
    lengths = [length for seed in range(10) for _, length in runs_of(draws_with_episodes(26, HYPER, 1.0, rng(seed)))]
    assert 2.5 <= np.mean(lengths) <= 5
    assert np.mean(np.array(lengths) >= 2) > 0.8


@pytest.mark.parametrize("seed", range(10))
def test_last_quarter_of_a_personal_stay_holds_both_classes(seed):
    labels = usable_labels(draws_with_episodes(26, HYPER, 1.0, rng(seed)))
    assert min(np.bincount(labels[-(len(labels) // 4) :], minlength=2)) >= 2


def test_personal_stays_have_several_episodes_of_hyperkalemia():
    episodes = [
        sum(label for label, _ in runs_of(draws_with_episodes(26, HYPER, 1.0, rng(seed)))) for seed in range(10)
    ]
    assert np.median(episodes) >= 3


@pytest.mark.parametrize("seed", range(10))
def test_single_episode_patient_has_one_positive_run_at_one_end(seed):
    labels = [label for label, _ in runs_of(draws_with_one_episode(26, HYPER, 1.0, rng(seed)))]
    assert labels in ([0, 1], [1, 0])


@pytest.mark.parametrize("seed", range(10))
def test_half_of_the_generic_people_are_never_hyperkalemic(seed):
    assert 1 in usable_labels(few_draws(3, True, HYPER, 1.0, rng(seed)))
    never = few_draws(3, False, HYPER, 1.0, rng(seed))
    assert 0 in usable_labels(never)
    assert 1 not in [draw.label for draw in never]


def test_draws_come_every_three_to_eight_hours_at_whole_minutes():
    hours = np.array([draw.hours for draw in draws_elsewhere(200, HYPER, rng(1))])
    assert np.all(np.diff(hours) > 2.98)
    assert np.all(np.diff(hours) < 8.02)
    np.testing.assert_allclose(hours * 60, np.round(hours * 60), atol=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_stretches_hold_every_draw_and_do_not_overlap(seed):
    draws = draws_with_episodes(26, HYPER, 1.0, rng(seed))
    stretches, numbers = stretches_of_recording(draws, rng(seed, "stretches"))
    for draw, number in zip(draws, numbers, strict=True):
        assert stretches[number].start + 1.6 < draw.hours < stretches[number].stop
    for before, after in pairwise(stretches):
        assert before.stop < after.start
    assert all(9 < stretch.stop - stretch.start <= 48 for stretch in stretches)


def test_stretches_do_not_depend_on_potassium():
    draws = draws_with_episodes(26, HYPER, 1.0, rng(1))
    others = [Draw(draw.hours, 4.0, 4.0, draw.coverage, 0) for draw in draws]
    assert stretches_of_recording(draws, rng(2)) == stretches_of_recording(others, rng(2))


def test_some_episodes_are_severe_and_none_exceeds_the_highest():
    random = rng(1)
    levels = np.array([HYPER.positive_level(random) for _ in range(4000)])
    assert levels.min() >= 5.8
    assert 0.1 < np.mean(levels > 6.9) < 0.18
    assert 0.01 < np.mean(levels > 9.0) < 0.06
    assert 9.5 < levels.max() <= 10.0
    mild = Classes(HYPER.positive, HYPER.negative, 7.5)
    draws = [draw for seed in range(20) for draw in draws_with_episodes(20, mild, 1.0, rng(seed))]
    assert 7.0 < max(draw.potassium for draw in draws) <= 7.5
