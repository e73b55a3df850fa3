"""Ridge classification, written here because scikit-learn would add 1.0 s to each job."""

import numpy as np

from kalemia.stats.logistic_regression import Linear

PENALTIES = np.logspace(-3, 3, 10)


def fit_ridge(values: np.ndarray, labels: np.ndarray) -> Linear:
    """Regress labels (n,) of 0 and 1, as -1 and 1, on values (n, p), each column standardized over the n.

    Of `PENALTIES` that with the least squared error is taken when each row is predicted from the others (a closed form;
    Hastie, The Elements of Statistical Learning, section 7.10), the smallest of several.
    """
    center, spread = values.mean(axis=0), values.std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    standard = (values - center) / scale
    target = np.where(labels == 1, 1.0, -1.0)
    intercept = target.mean()
    left, singular, right = np.linalg.svd(standard, full_matrices=False)
    kept = singular > 1e-9 * max(singular[0], 1e-300)
    left, singular, right = left[:, kept], singular[kept], right[kept]
    projected = left.T @ (target - intercept)

    def left_out_error(penalty: float) -> float:
        shrunk = singular**2 / (singular**2 + penalty)
        leverage = 1 / len(target) + (left**2) @ shrunk
        return float(np.mean(((target - intercept - left @ (shrunk * projected)) / (1 - leverage)) ** 2))

    penalty = min(PENALTIES, key=left_out_error)
    return Linear(center, scale, right.T @ (singular / (singular**2 + penalty) * projected), float(intercept))
