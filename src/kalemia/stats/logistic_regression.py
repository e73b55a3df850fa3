"""Logistic regression with a ridge penalty, written here because scikit-learn would add 1.0 s to each job."""

from dataclasses import dataclass

import numpy as np

_STEPS = 50
_NEAR = 1e-10
_OVERLAP = 1e-3  # in SDs of the scores; with less the classes are practically separated, and the slope is meaningless


@dataclass(frozen=True)
class Linear:
    """A score of rows x (n, p): (x - center) / scale @ weights + intercept; above 0 is positive."""

    center: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: float

    def score(self, values: np.ndarray) -> np.ndarray:
        """float64 (n,); a missing value (NaN) counts as the training mean."""
        standard = np.nan_to_num((values - self.center) / self.scale)
        return standard @ self.weights + self.intercept


def fit_logistic(values: np.ndarray, labels: np.ndarray, ridge: float = 1.0) -> Linear:
    """Fit labels (n,) of 0 and 1 to values (n, p), each column standardized over the n.

    Minimizes the cross entropy plus `ridge` / 2 times the squared weights, without the intercept, by Newton's method
    (Hastie, The Elements of Statistical Learning, section 4.4.1). A column without a known value has weight 0.
    """
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, values, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, values - center, 0.0) ** 2).sum(axis=0) / count)
    scale = np.where(spread > 1e-12, spread, 1.0)
    standard = np.nan_to_num((values - center) / scale)
    basis, reduced = _row_space(standard)
    design = np.column_stack([reduced, np.ones(len(values))])
    penalty = np.diag([*[ridge] * reduced.shape[1], 1e-9])
    solution = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        probability = sigmoid(design @ solution)
        gradient = design.T @ (probability - labels) + penalty @ solution
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        solution -= step
        if np.abs(step).max() < _NEAR:
            break
    return Linear(center, scale, basis @ solution[:-1], float(solution[-1]))


def fit_offset(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The offset that, added to scores (n,), makes them the most likely logits of labels (n,), and its variance.

    With both classes present it is finite (Platt scaling with the slope held at 1).
    """
    offset = 0.0
    for _ in range(_STEPS):
        probability = sigmoid(scores + offset)
        information = max(float(np.sum(probability * (1 - probability))), 1e-6)
        step = float(np.sum(labels - probability)) / information
        offset += float(np.clip(step, -2, 2))
        if abs(step) < _NEAR:
            break
    return offset, 1 / information


def fit_slope(scores: np.ndarray, labels: np.ndarray) -> float:
    """The calibration slope: the factor that, with an offset, makes scores (n,) the most likely logits of labels (n,).

    NaN where the likelihood has no maximum: without one of the classes, or if a threshold on the scores separates
    them (Albert and Anderson, Biometrika 1984;71:1). Newton's method, its steps halved until the likelihood rises.
    """
    scale = scores.std()
    if len(np.unique(labels)) < 2 or scale < _NEAR:
        return float("nan")
    standard = (scores - scores.mean()) / scale
    positive, negative = standard[labels == 1], standard[labels == 0]
    if min(negative.max() - positive.min(), positive.max() - negative.min()) < _OVERLAP:
        return float("nan")
    design = np.column_stack([np.ones(len(scores)), standard])
    solution, loss = np.zeros(2), np.inf
    for _ in range(_STEPS):
        probability = sigmoid(design @ solution)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design
        step = np.linalg.solve(curvature, design.T @ (labels - probability))
        while (tried := _cross_entropy(design @ (solution + step), labels)) > loss + _NEAR:
            step /= 2
        solution, loss = solution + step, tried
        if np.abs(step).max() < _NEAR:
            break
    return float(solution[1] / scale)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """The probabilities of logits, computed without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def _row_space(standard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An orthonormal basis (p, r) of the rows (n, p), and the rows in it: a ridge has no weight outside of it."""
    if standard.shape[1] <= len(standard):
        return np.eye(standard.shape[1]), standard
    _, singular, rows = np.linalg.svd(standard, full_matrices=False)
    basis = rows[singular > 1e-10 * max(singular[0], 1e-300)].T
    return basis, standard @ basis


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.sum(np.logaddexp(0, logits) - labels * logits))
