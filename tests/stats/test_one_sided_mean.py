import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kalemia.stats.one_sided_mean import detectable_gain, estimate_mean, patients_needed, power

VALUES = st.lists(st.floats(-1, 1), min_size=3, max_size=40).filter(lambda values: np.ptp(values) > 1e-3)


@given(VALUES)
def test_equal_weights_give_the_t_test(values):
    estimate = estimate_mean(np.array(values))
    low = stats.ttest_1samp(values, 0, alternative="greater").confidence_interval(0.95).low
    assert estimate.lower == pytest.approx(low, abs=1e-9)
    assert estimate.mean - estimate.lower == pytest.approx(estimate.upper - estimate.mean)
    assert estimate.spread == pytest.approx(np.std(values, ddof=1))


@given(VALUES, st.floats(0.1, 10))
def test_the_scale_of_weights_does_not_matter(values, scale):
    values = np.array(values)
    weights = np.arange(1, len(values) + 1)
    one, other = estimate_mean(values, weights), estimate_mean(values, scale * weights)
    assert (one.lower, one.upper) == pytest.approx((other.lower, other.upper))


def test_a_patient_without_weight_does_not_count():
    with_all = estimate_mean(np.array([0.1, 0.3, 0.2, 5.0]), np.array([1, 1, 1, 0]))
    assert with_all == estimate_mean(np.array([0.1, 0.3, 0.2]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [8, 12, 16, 30])
def test_the_lower_bound_of_a_mean_of_0_is_above_0_in_5_percent(n, weighted):
    random = np.random.default_rng(n)
    weights = random.choice([1.0, 2.0, 3.0, 4.0], (4000, n)) if weighted else np.ones((4000, n))
    values = random.standard_normal((4000, n)) / np.sqrt(weights)
    false = np.mean([estimate_mean(*one).lower > 0 for one in zip(values, weights, strict=True)])
    assert 0.035 < false < 0.065


def test_too_few_patients_have_no_bounds():
    assert estimate_mean(np.empty(0)).n == 0
    one = estimate_mean(np.array([0.2]))
    assert one.mean == pytest.approx(0.2)
    assert np.isnan([one.lower, one.upper, detectable_gain(one.spread, 1)]).all()
    assert patients_needed(one.spread, 0.1) is None


@pytest.mark.parametrize(("gain", "n"), [(0.05, 183), (0.10, 48), (0.15, 23), (0.20, 14)])
def test_the_patients_needed_are_those_of_the_noncentral_t(gain, n):
    assert abs(patients_needed(0.27, gain) - n) <= 1  # the published figures round up
    assert (
        detectable_gain(0.27, patients_needed(0.27, gain))
        <= gain
        < detectable_gain(0.27, patients_needed(0.27, gain) - 1)
    )


def test_a_detectable_gain_is_found_in_80_percent():
    random = np.random.default_rng(1)
    gain = detectable_gain(0.27, 12)
    found = [estimate_mean(gain + 0.27 * random.standard_normal(12)).lower > 0 for _ in range(4000)]
    assert 0.78 < np.mean(found) < 0.82


@pytest.mark.parametrize(
    ("n", "published"), [(8, (0.22, 0.38, 0.58)), (16, (0.39, 0.65, 0.86)), (30, (0.59, 0.88, 0.98))]
)
def test_the_power_is_that_of_the_simulations_behind_the_rule(n, published):
    """Of AUCs of 0.60, 0.65 and 0.70 with eight test draws, by which the rule was chosen."""
    assert [power(gain, 0.27, n) for gain in (0.1, 0.15, 0.2)] == pytest.approx(published, abs=0.05)


@given(st.floats(0.01, 0.6), st.integers(2, 200))
def test_the_power_of_a_detectable_gain_is_80_percent(spread, n):
    gain = detectable_gain(spread, n)
    assert power(gain, spread, n) == pytest.approx(0.8, abs=1e-6)
    assert power(0.0, spread, n) == pytest.approx(0.05, abs=1e-9)


@given(st.floats(0.01, 0.6), st.floats(0.03, 0.4))
def test_no_fewer_patients_than_needed_are_enough(spread, gain):
    n = patients_needed(spread, gain)
    assert detectable_gain(spread, n) <= gain
    assert n == 2 or detectable_gain(spread, n - 1) > gain


def test_an_impossible_number_of_patients_is_not_given():
    assert patients_needed(10.0, 1e-3) is None
