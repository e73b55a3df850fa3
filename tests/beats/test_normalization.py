from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalemia.beats.normalization import NO_BEATS, normalize_beats, sums_after

START = np.datetime64(datetime(2150, 3, 1))


def subject(sizes=(3, 4, 2), seed=1):
    """The beats of draws with gains and offsets of their own, in order of time."""
    random = np.random.default_rng(seed)
    beats = [random.normal(place, 1 + place, (n, 120)) for place, n in enumerate(sizes)]
    place = np.repeat(np.arange(len(sizes)), sizes)
    times = START + place * np.timedelta64(timedelta(hours=6))
    return np.concatenate(beats).astype(np.float32), 70 + place, times


def moments(values):
    return np.mean(values, dtype=np.float64), np.std(values, dtype=np.float64)


def test_none_leaves_beats_unchanged():
    beats_mv, *of_draws = subject()
    assert normalize_beats(beats_mv, *of_draws, "none") is beats_mv


def test_beat_has_mean_0_and_sd_1_in_every_beat():
    for beat in normalize_beats(*subject(), "beat"):
        assert moments(beat) == pytest.approx((0, 1), abs=1e-5)


def test_draw_has_mean_0_and_sd_1_in_every_draw():
    beats_mv, draw_ids, times = subject()
    scaled = normalize_beats(beats_mv, draw_ids, times, "draw")
    for draw in np.unique(draw_ids):
        assert moments(scaled[draw_ids == draw]) == pytest.approx((0, 1), abs=1e-5)


def test_subject_is_scaled_by_draws_up_to_this_one():
    beats_mv, draw_ids, times = subject()
    scaled = normalize_beats(beats_mv, draw_ids, times, "subject")
    for draw in np.unique(draw_ids):
        mean, sd = moments(beats_mv[draw_ids <= draw])
        assert scaled[draw_ids == draw] == pytest.approx((beats_mv[draw_ids == draw] - mean) / sd, abs=1e-4)


def test_later_draws_do_not_change_earlier_ones():
    beats_mv, draw_ids, times = subject()
    other = beats_mv.copy()
    other[draw_ids == draw_ids.max()] *= 5
    one, two = (normalize_beats(beats, draw_ids, times, "subject") for beats in (beats_mv, other))
    early = draw_ids < draw_ids.max()
    assert np.array_equal(one[early], two[early])


@given(st.permutations(range(9)), st.sampled_from(["beat", "draw", "subject"]))
@settings(deadline=None, max_examples=20)
def test_order_of_the_beats_does_not_matter(order, over):
    beats_mv, draw_ids, times = subject()
    order = np.array(order)
    turned = normalize_beats(beats_mv[order], draw_ids[order], times[order], over)
    assert turned == pytest.approx(normalize_beats(beats_mv, draw_ids, times, over)[order], abs=1e-5)


@pytest.mark.parametrize("over", ["beat", "draw"])
def test_gain_and_offset_are_removed(over):
    beats_mv, draw_ids, times = subject()
    louder = 3 * beats_mv + 0.7
    assert normalize_beats(louder, draw_ids, times, over) == pytest.approx(
        normalize_beats(beats_mv, draw_ids, times, over), abs=1e-4
    )


def test_flat_line_stays_flat():
    flat = np.full((1, 120), 0.3, np.float32)
    assert np.abs(normalize_beats(flat, np.array([1]), np.array([START]), "beat")).max() < 0.01


def test_draw_by_draw_with_the_sums_so_far_no_bit_differs():
    random = np.random.default_rng(3)
    draws, times = np.repeat([7, 3, 9, 4], [5, 1, 8, 3]), np.repeat([2, 1, 4, 3], [5, 1, 8, 3])
    beats_mv = random.normal(0.2, 1, (17, 120)).astype(np.float32)
    together = normalize_beats(beats_mv, draws, times, "subject")
    sums = NO_BEATS
    for draw in (3, 7, 4, 9):  # in the order of time
        mine = draws == draw
        part = beats_mv[mine], draws[mine], times[mine]
        assert np.array_equal(normalize_beats(*part, "subject", sums), together[mine])
        sums = sums_after(*part, sums)
    assert sums == sums_after(beats_mv, draws, times)
