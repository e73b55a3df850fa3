"""A linear mixed model: what holds for everybody, and what a person's own measurements say beyond it."""

from dataclasses import dataclass

import numpy as np

_FIRST_RATIO = 0.5  # where the search begins: SD of a person's effect over that of the noise
_RIDGE = 1e-9  # on the squares of standardized values, so that one that is constant has the slope 0


@dataclass(frozen=True)
class MixedModel:
    """A target as a line in p values, whose intercept and slopes differ from person to person.

    center, scale: (p,) of the values. coefficients: (1 + p,), intercept and slopes of the mean person, for values
    (x - center) / scale. spread: (1 + p,), SDs of these between persons. noise: SD of what is left.

    >>> model = fit_mixed_model(persons, values, potassium)
    >>> model.predict(values_before, potassium_before, values_now)
    """

    center: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    spread: np.ndarray
    noise: float

    def predict(self, known: np.ndarray, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The targets of rows `values` (m, p) of a person with rows `known` (n, p) and their `targets` (n,).

        float64 (m,). The person's own intercept and slopes are the empirical Bayes estimate (best linear unbiased
        prediction: Laird and Ware, Biometrics 1982;38:963): those of the mean person if n is 0, a regression of the
        person's own if n is large. A missing value (NaN) counts as the mean.
        """
        design, ratio = self._design(known), self.spread / self.noise
        scaled = design * ratio
        left = targets - design @ self.coefficients
        own = ratio * (scaled.T @ np.linalg.solve(np.eye(len(left)) + scaled @ scaled.T, left))
        return self._design(values) @ (self.coefficients + own)

    def _design(self, values: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(values)), np.nan_to_num((values - self.center) / self.scale)])


def fit_mixed_model(persons: np.ndarray, values: np.ndarray, targets: np.ndarray) -> MixedModel:
    """Fit targets (n,) to values (n, p), all finite, of the persons (n,), by restricted maximum likelihood.

    The intercept and the slopes vary between persons independently of each other. With one row a person, their
    variances cannot be told from the noise. Raises `ValueError` with fewer than p + 3 rows.
    """
    from scipy.optimize import minimize  # here, because jobs that only predict start sooner without it

    n, p = values.shape
    if n < p + 3:
        raise ValueError(f"a mixed model of {p} values takes at least {p + 3} rows, not {n}")
    center, spread = values.mean(axis=0), values.std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    rows = _rows_by_person(persons, np.column_stack([np.ones(n), (values - center) / scale, targets]))

    def deviance(ratio: np.ndarray) -> float:
        log_determinant, gram = _weighted_products(rows, ratio)
        _, error = _least_squares(gram)
        return log_determinant + np.linalg.slogdet(_normal_matrix(gram))[1] + (n - p - 1) * np.log(error)

    found = minimize(deviance, np.full(p + 1, _FIRST_RATIO), method="L-BFGS-B", bounds=[(0, None)] * (p + 1))
    coefficients, error = _least_squares(_weighted_products(rows, found.x)[1])
    noise = np.sqrt(error / (n - p - 1))
    return MixedModel(center, scale, coefficients, found.x * noise, float(noise))


def _rows_by_person(persons: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows (n, columns) as (persons, most rows of a person, columns); rows of zeros, which have no effect, fill up."""
    _, person, counts = np.unique(persons, return_inverse=True, return_counts=True)
    order = np.argsort(person, kind="stable")
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    filled = np.zeros((len(counts), counts.max(), rows.shape[1]))
    filled[person[order], place] = rows[order]
    return filled


def _weighted_products(rows: np.ndarray, ratio: np.ndarray) -> tuple[float, np.ndarray]:
    """The log determinant of the covariance of all rows, and their products (columns, columns) under its inverse.

    The covariance is in units of the noise: between rows of a person as `ratio` (columns - 1,) of the effects gives.
    """
    scaled = rows[..., :-1] * ratio
    root = np.linalg.cholesky(np.eye(rows.shape[1]) + scaled @ scaled.transpose(0, 2, 1))
    white = np.linalg.solve(root, rows).reshape(-1, rows.shape[2])
    return 2 * float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum()), white.T @ white


def _least_squares(gram: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and the sum of squared errors, from products whose last column is the target's."""
    coefficients = np.linalg.solve(_normal_matrix(gram), gram[:-1, -1])
    return coefficients, max(float(gram[-1, -1] - coefficients @ gram[:-1, -1]), 1e-12)


def _normal_matrix(gram: np.ndarray) -> np.ndarray:
    return gram[:-1, :-1] + _RIDGE * np.eye(len(gram) - 1)
