import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from kalemia.stats.logistic_regression import fit_logistic, fit_offset, sigmoid


def _data(n, p, seed=1):
    random = np.random.default_rng(seed)
    values = random.standard_normal((n, p)) * np.arange(1, p + 1) + 3
    labels = (random.random(n) < sigmoid(values[:, 0] - 3)).astype(int)
    return values, labels


@pytest.mark.parametrize(("n", "p"), [(40, 3), (10, 60)])
def test_the_fit_is_sklearn_s(n, p):
    values, labels = _data(n, p)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    reference = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(standard, labels)
    np.testing.assert_allclose(
        fit_logistic(values, labels).score(values), reference.decision_function(standard), atol=1e-4
    )


def test_an_unknown_value_counts_as_the_mean():
    values, labels = _data(40, 2)
    fitted = fit_logistic(values, labels)
    assert fitted.score(np.array([[np.nan, 3.0]])) == pytest.approx(
        fitted.score(np.array([[values[:, 0].mean(), 3.0]]))
    )


def test_a_column_without_values_has_no_weight():
    values, labels = _data(40, 2)
    values[:, 1] = np.nan
    alone = fit_logistic(values[:, :1], labels)
    np.testing.assert_allclose(fit_logistic(values, labels).score(values), alone.score(values[:, :1]), atol=1e-8)


def test_the_offset_makes_the_labels_as_likely_as_they_are_frequent():
    scores = np.linspace(-2, 2, 30)
    labels = (np.arange(30) % 3 == 0).astype(int)
    offset, variance = fit_offset(scores, labels)
    probability = sigmoid(scores + offset)
    assert probability.mean() == pytest.approx(labels.mean())
    assert variance == pytest.approx(1 / np.sum(probability * (1 - probability)))


def test_the_offset_is_finite_where_the_classes_are_far_apart():
    offset, _ = fit_offset(np.array([50.0, 60.0, 90.0]), np.array([0, 1, 1]))
    assert -60 < offset < -50
