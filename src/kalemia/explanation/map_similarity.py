"""Similarity of two maps over a beat: rank correlation and structural similarity."""

import numpy as np

from kalemia.stats.tests_and_intervals import average_ranks

_SSIM_WINDOW = 11  # samples
_SSIM_CONSTANTS = (0.01**2, 0.03**2)  # C1 and C2 of the paper, for values from 0 to 1


def spearman(map_: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation of two maps (n,), with average ranks for ties.

    NaN if `map_` is constant, because then nothing can change in it; 0 if only `other` is constant, because it has no
    preferred position.
    """
    ranks, other_ranks = (average_ranks(values) - (len(values) + 1) / 2 for values in (map_, other))
    if not ranks.any():
        return float("nan")
    norm = np.sqrt((ranks @ ranks) * (other_ranks @ other_ranks))
    return float(ranks @ other_ranks / norm) if norm > 0 else 0.0


def structural_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return the SSIM of two maps (n,) with values from 0 to 1, in one dimension (Wang et al. 2004); 1 if equal.

    The mean over windows of 11 samples; maps are mirrored at their ends. Source: IEEE Trans Image Process 2004;13:600.
    """
    mean_one, mean_other = _local_mean(one), _local_mean(other)
    variances = _local_mean(one * one) - mean_one**2 + _local_mean(other * other) - mean_other**2
    covariance = _local_mean(one * other) - mean_one * mean_other
    c1, c2 = _SSIM_CONSTANTS
    numerator = (2 * mean_one * mean_other + c1) * (2 * covariance + c2)
    return float(np.mean(numerator / ((mean_one**2 + mean_other**2 + c1) * (variances + c2))))


def _local_mean(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values.astype(np.float64), _SSIM_WINDOW // 2, mode="symmetric")
    return np.convolve(padded, np.full(_SSIM_WINDOW, 1 / _SSIM_WINDOW), mode="valid")
