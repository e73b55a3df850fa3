import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.explanation.planted_places import area_found, occlusion_map, planted_samples
from kalemia.explanation.summary import Summary
from kalemia.explanation.wave_windows import wave_windows, window_limits_ms
from kalemia.report.results import Explanation

WINDOWS = wave_windows(1000.0)
J_POINT = {"place": "J point", "from_ms": 16.0, "to_ms": 76.0}
END_OF_P = {"place": "end of P", "from_ms": -130.0, "to_ms": -90.0}


def test_a_place_has_the_samples_from_its_start_to_its_end():
    assert np.flatnonzero(planted_samples([J_POINT])).tolist() == list(range(42, 50))
    assert planted_samples([J_POINT, END_OF_P]).sum() == 8 + 5
    assert not planted_samples([]).any()


def test_a_map_of_the_places_finds_all_and_its_opposite_none():
    planted = planted_samples([J_POINT, END_OF_P])
    assert area_found(planted.astype(float), planted, WINDOWS) == pytest.approx(1)
    assert area_found((~planted).astype(float), planted, WINDOWS) == pytest.approx(0)


def test_a_uniform_map_is_at_chance_and_an_empty_one_says_nothing():
    planted = planted_samples([J_POINT])
    assert area_found(np.ones(120), planted, WINDOWS) == pytest.approx(0.5)
    assert np.isnan(area_found(np.zeros(120), planted, WINDOWS))
    assert np.isnan(area_found(np.ones(120), planted_samples([]), WINDOWS))


@given(st.integers(0, 2**32 - 1))
def test_random_maps_are_at_chance_on_average_wherever_the_place_is(seed):
    random = np.random.default_rng(seed)
    start = random.uniform(-200, 300)
    planted = planted_samples([{"from_ms": start, "to_ms": start + 80}])
    areas = [area_found(map_, planted, WINDOWS) for map_ in random.random((200, 120))]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.05)


def test_samples_outside_all_waves_do_not_count():
    planted, map_ = planted_samples([J_POINT]), np.ones(120)
    map_[:5] = map_[110:] = 9.0
    assert area_found(map_, planted, WINDOWS) == pytest.approx(0.5)


def test_occlusion_finds_the_wave_that_holds_the_place():
    planted = planted_samples([J_POINT])
    map_ = occlusion_map({"P": 0.1, "QRS": 2.0, "ST": 0.1, "T": 0.1}, WINDOWS)
    assert map_[WINDOWS["QRS"]].tolist() == [2.0] * 18
    assert map_[0] == map_[-1] == 0
    # of the 8 planted samples 7 are in the QRS window, and 11 others are: ties count half
    others = sum(window.stop - window.start for window in WINDOWS.values()) - 8
    qrs, rest = 7 * (others - 11 + 11 / 2), 1 * (others - 11) / 2
    assert area_found(map_, planted, WINDOWS) == pytest.approx((qrs + rest) / (8 * others))


def _patient(place, changes):
    """A patient whose map after training is the place, and with all weights random everything but the place."""
    planted = planted_samples([place]).astype(float)
    limits = {wave: window_limits_ms(window) for wave, window in WINDOWS.items()}
    return Explanation(
        mean_beat_mv={},
        attention={("paper", 4, label): planted for label in (0, 1)},
        embedding={},
        waves=[{"wave": wave, "from_ms": start, "to_ms": stop} for wave, (start, stop) in limits.items()],
        sanity=[{"model": "paper", "stage": 4, "reference": "stem", "attention": 1 - planted}],
        occlusion=[
            {"arm": "paper", "model": "paper", "wave": wave, "logit_change": change} for wave, change in changes.items()
        ],
        projections=[],
        acts_at=[place],
    )


def test_patients_are_held_against_their_own_places_those_of_others_and_random_weights():
    to_p, to_qrs = ({"P": 1.0, "QRS": change, "ST": 0.0, "T": 0.0} for change in (0.5, 2.0))
    summary = Summary([_patient(END_OF_P, to_p), _patient(J_POINT, to_qrs)], 2026)
    n = sum(window.stop - window.start for window in WINDOWS.values())
    assert summary.found("paper", "paper", 4).mean == pytest.approx(1)
    # no sample is at both places: where the map is 0, ties count half against the others that are neither
    of_p, of_j = (0.5 * (n - 13) / (n - 8), 0.5 * (n - 13) / (n - 5))
    assert summary.found_of_others("paper", "paper", 4).mean == pytest.approx((of_p + of_j) / 2)
    assert summary.found_more("paper", "paper", 4).mean == pytest.approx(1 - (of_p + of_j) / 2)
    assert summary.found_at_random("paper", 4).mean == pytest.approx(0)
    assert summary.found("paper", "paper", None).mean > 0.8 > summary.found_of_others("paper", "paper", None).mean
    assert np.isnan(summary.found("paper", "generic", None).mean)
