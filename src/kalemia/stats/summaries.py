"""Means and quotients that are NaN where they are undefined."""

import numpy as np


def mean(values: np.ndarray) -> float:
    """The mean of values (n,) in float64; NaN for n = 0."""
    return float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")


def ratio(part: float, whole: float) -> float:
    """part / whole; NaN if `whole` is 0."""
    return float(part / whole) if whole else float("nan")


def ratios(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """parts / wholes, (n,) each; NaN where a whole is 0."""
    return np.divide(parts, wholes, out=np.full(len(wholes), np.nan), where=wholes > 0)
