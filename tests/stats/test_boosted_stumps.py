import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

from kalemia.stats.boosted_stumps import fit_boosted_stumps


def test_the_fit_is_sklearn_s():
    random = np.random.default_rng(3)
    values, tested = random.standard_normal((60, 5)), random.standard_normal((20, 5))
    labels = (values[:, 1] + random.standard_normal(60) > 0).astype(int)
    reference = GradientBoostingClassifier(max_depth=1, n_estimators=100, learning_rate=0.1).fit(values, labels)
    np.testing.assert_allclose(
        fit_boosted_stumps(values, labels).score(tested), reference.decision_function(tested), atol=1e-9
    )


def test_a_middle_range_is_learned_which_no_line_can():
    values = np.linspace(-3, 3, 40)[:, None]
    labels = (np.abs(values[:, 0]) < 1).astype(int)
    assert ((fit_boosted_stumps(values, labels).score(values) > 0) == labels).all()


def test_an_unknown_value_counts_as_the_median():
    values, labels = np.array([[1.0], [2.0], [np.nan], [4.0], [9.0]]), np.array([0, 0, 1, 1, 1])
    fitted = fit_boosted_stumps(values, labels)
    assert fitted.score(np.array([[np.nan]])) == fitted.score(np.array([[3.0]]))


def test_columns_without_a_known_value_or_a_change_say_nothing():
    values, labels = np.array([[np.nan, 1.0]] * 4), np.array([0, 1, 1, 1])
    np.testing.assert_allclose(fit_boosted_stumps(values, labels).score(np.zeros((2, 2))), np.log(3))
