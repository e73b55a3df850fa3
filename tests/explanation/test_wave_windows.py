from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.explanation.wave_windows import (
    REST,
    WAVES,
    flatten_wave,
    uniform_fractions,
    wave_fractions,
    wave_windows,
    window_limits_ms,
)

INTERVALS = st.floats(250, 2000)


def test_windows_contain_the_waves_of_a_slow_beat():
    windows = wave_windows(1000.0)
    assert windows == {"P": slice(10, 31), "QRS": slice(31, 49), "ST": slice(49, 56), "T": slice(56, 95)}
    assert window_limits_ms(windows["QRS"]) == (-72, 72)


def test_the_t_wave_ends_where_the_next_beat_begins():
    assert window_limits_ms(wave_windows(600.0)["T"]) == (128, 368)  # 600 - 230 ms, to whole samples
    assert window_limits_ms(wave_windows(300.0)["T"]) == (128, 208)


@given(INTERVALS)
def test_windows_have_no_gaps_or_overlaps(rr_ms):
    windows = list(wave_windows(rr_ms).values())
    assert all(one.stop == other.start for one, other in pairwise(windows))
    assert windows[0].start > 0
    assert windows[-1].stop < 120


@given(INTERVALS, st.integers(0, 2**32 - 1))
def test_fractions_sum_to_one(rr_ms, seed):
    windows = wave_windows(rr_ms)
    map_ = np.random.default_rng(seed).random(120)
    found = wave_fractions(map_, windows)
    assert set(found) == {*WAVES, REST}
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= 0


def test_a_constant_map_gives_each_wave_its_fraction_of_the_beat():
    assert uniform_fractions(wave_windows(1000.0)) == pytest.approx(
        {"P": 21 / 120, "QRS": 18 / 120, "ST": 7 / 120, "T": 39 / 120, REST: 35 / 120}
    )


def test_a_map_of_one_wave_is_all_of_it_and_a_zero_map_is_nan():
    windows, map_ = wave_windows(800.0), np.zeros(120)
    assert all(np.isnan(share) for share in wave_fractions(map_, windows).values())
    map_[windows["T"]] = 0.5
    assert wave_fractions(map_, windows) == {"P": 0, "QRS": 0, "ST": 0, "T": 1, REST: 0}


def test_a_straight_line_replaces_the_wave():
    beats = np.random.default_rng(1).standard_normal((3, 122)).astype(np.float32)
    flat = flatten_wave(beats, slice(31, 49))
    assert np.array_equal(np.delete(flat, range(32, 48), axis=1), np.delete(beats, range(32, 48), axis=1))
    assert np.abs(np.diff(flat[:, 31:49], n=2)).max() < 1e-5
    assert not np.array_equal(flat, beats)


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_flattening_commutes_with_scaling_and_shifting(scale, shift):
    beats = np.random.default_rng(2).standard_normal((2, 120))
    window = wave_windows(900.0)["T"]
    np.testing.assert_allclose(
        flatten_wave(scale * beats + shift, window), scale * flatten_wave(beats, window) + shift, atol=1e-9
    )
