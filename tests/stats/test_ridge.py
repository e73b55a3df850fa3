import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifierCV

from kalemia.stats.ridge import PENALTIES, fit_ridge


@pytest.mark.parametrize(("n", "p"), [(40, 3), (12, 200), (9, 9)])
def test_the_fit_is_sklearn_s_with_its_choice_of_the_penalty(n, p):
    random = np.random.default_rng(n)
    values, tested = random.standard_normal((n, p)) * np.arange(1, p + 1) + 3, random.standard_normal((8, p))
    labels = (values[:, 0] + random.standard_normal(n) > 3).astype(int)
    center, scale = values.mean(axis=0), values.std(axis=0)
    reference = RidgeClassifierCV(PENALTIES).fit((values - center) / scale, labels)
    np.testing.assert_allclose(
        fit_ridge(values, labels).score(tested), reference.decision_function((tested - center) / scale), atol=1e-9
    )


def test_a_pair_that_differs_is_told_apart():
    fitted = fit_ridge(np.array([[1.0, 5.0, 2.0], [2.0, 5.0, 0.0]]), np.array([1, 0]))
    near, far = fitted.score(np.array([[1.0, 7.0, 2.0], [2.0, 3.0, 0.0]]))
    assert near > 0 > far


def test_columns_that_never_change_say_nothing():
    assert fit_ridge(np.ones((4, 3)), np.array([1, 0, 1, 0])).score(np.zeros((2, 3))).tolist() == [0, 0]
