"""How alike two maps over a beat are: by the order of their samples, and by their structure."""

import numpy as np

_SSIM_WINDOW = 11  # samples
_SSIM_STEADY = (0.01**2, 0.03**2)


def spearman(map_: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, ties at their mean rank, of a map (n,) with another.

    0 where the other is the same everywhere, for it says nothing of where; NaN where the map itself is, for there is
    nothing then that could change.
    """
    ranks = [_ranks(values) - (len(values) + 1) / 2 for values in (map_, other)]
    if not ranks[0].any():
        return float("nan")
    size = np.sqrt((ranks[0] @ ranks[0]) * (ranks[1] @ ranks[1]))
    return float(ranks[0] @ ranks[1] / size) if size > 0 else 0.0


def structural_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """SSIM (Wang et al., IEEE Trans Image Process 2004;13:600) of two maps (n,) from 0 to 1, in one dimension.

    Mean over windows of 11 samples, mirrored where they stick out; 1 for the same map.
    """
    mean_one, mean_other = _local_mean(one), _local_mean(other)
    variances = _local_mean(one * one) - mean_one**2 + _local_mean(other * other) - mean_other**2
    covariance = _local_mean(one * other) - mean_one * mean_other
    steady_mean, steady_variance = _SSIM_STEADY
    likeness = (2 * mean_one * mean_other + steady_mean) * (2 * covariance + steady_variance)
    return float(np.mean(likeness / ((mean_one**2 + mean_other**2 + steady_mean) * (variances + steady_variance))))


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _local_mean(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values.astype(np.float64), _SSIM_WINDOW // 2, mode="symmetric")
    return np.convolve(padded, np.full(_SSIM_WINDOW, 1 / _SSIM_WINDOW), mode="valid")
