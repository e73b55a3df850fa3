import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from kalemia.explanation.map_similarity import spearman, structural_similarity

SEEDS = st.integers(0, 2**32 - 1)


def random_map(seed: int, digits: int = 1) -> np.ndarray:
    """With many ties, as rectified and interpolated maps have."""
    return np.round(np.random.default_rng(seed).random(120), digits)


@given(SEEDS, SEEDS)
def test_rank_correlation_equals_scipys(seed, other):
    one, two = random_map(seed), random_map(other)
    assert spearman(one, two) == pytest.approx(spearmanr(one, two).statistic)


def test_a_constant_map_has_no_correlation():
    assert spearman(random_map(1), np.zeros(120)) == 0
    assert np.isnan(spearman(np.zeros(120), random_map(1)))


def ssim_by_hand(one: np.ndarray, other: np.ndarray) -> float:
    """Window by window, as Wang 2004 defines it."""
    one, other = (np.concatenate([values[4::-1], values, values[:-6:-1]]) for values in (one, other))
    found = []
    for start in range(120):
        x, y = one[start : start + 11], other[start : start + 11]
        covariance = np.mean(x * y) - x.mean() * y.mean()
        likeness = (2 * x.mean() * y.mean() + 1e-4) * (2 * covariance + 9e-4)
        found.append(likeness / ((x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (x.var() + y.var() + 9e-4)))
    return float(np.mean(found))


@given(SEEDS, SEEDS)
def test_structural_similarity_equals_wangs_definition(seed, other):
    one, two = random_map(seed, 3), random_map(other, 3)
    assert structural_similarity(one, two) == pytest.approx(ssim_by_hand(one, two))
    assert structural_similarity(one, two) == pytest.approx(structural_similarity(two, one))
    assert -1 <= structural_similarity(one, two) <= 1


def test_a_map_has_similarity_1_to_itself():
    assert structural_similarity(random_map(3), random_map(3)) == pytest.approx(1)
