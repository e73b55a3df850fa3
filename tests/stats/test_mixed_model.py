import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalemia.stats.mixed_model import MixedModel, fit_mixed_model


def _people(n, rows_each, spread, noise, seed=1):
    """Persons (n * rows_each,), values (..., p), targets: around the line 4.5 + 0.3 x, and the persons' own lines."""
    random = np.random.default_rng(seed)
    persons = np.repeat(np.arange(n), rows_each)
    values = random.standard_normal((len(persons), len(spread) - 1))
    lines = np.array([4.5, *[0.3] * (len(spread) - 1)]) + np.array(spread) * random.standard_normal((n, len(spread)))
    design = np.column_stack([np.ones(len(persons)), values])
    return persons, values, (design * lines[persons]).sum(axis=1) + noise * random.standard_normal(len(persons)), lines


def test_a_balanced_one_way_layout_has_the_variances_of_its_analysis_of_variance():
    persons, _, targets, _ = _people(30, 4, [0.5, 0.0], 0.3)
    model = fit_mixed_model(persons, np.zeros((120, 1)), targets)
    table = targets.reshape(30, 4)
    within = table.var(axis=1, ddof=1).mean()
    between = table.mean(axis=1).var(ddof=1) - within / 4
    assert model.noise**2 == pytest.approx(within * 90 / 89, rel=0.02)  # a column of zeros takes a degree of freedom
    assert model.spread[0] ** 2 == pytest.approx(between, rel=0.03)
    assert model.coefficients[0] == pytest.approx(targets.mean())


def test_it_is_statsmodels_to_five_digits():
    persons, values, targets, _ = _people(40, 3, [0.5, 0.2, 0.1], 0.3)
    model = fit_mixed_model(persons, values, targets)
    # statsmodels 0.15.0, MixedLM(reml=True) with a diagonal cov_re, by bfgs to a gradient of 1e-8
    assert model.coefficients == pytest.approx([4.4697225, 0.25025299, 0.25495516], abs=1e-5)
    assert model.spread == pytest.approx([0.53725662, 0.19488062, 0.04628682], abs=1e-5)
    assert model.noise == pytest.approx(0.26380159, abs=1e-5)
    first = persons == 0
    fitted = model.predict(values[first], targets[first], values[first])
    assert fitted == pytest.approx([4.95841, 4.37502, 4.96247], abs=2e-5)


def test_many_people_show_what_was_planted():
    persons, values, targets, _ = _people(1500, 4, [0.5, 0.2, 0.0], 0.3)
    model = fit_mixed_model(persons, values, targets)
    assert model.coefficients == pytest.approx([4.5, 0.3, 0.3], abs=0.05)
    assert model.spread == pytest.approx([0.5, 0.2, 0.0], abs=0.04)
    assert model.noise == pytest.approx(0.3, abs=0.02)


def test_a_new_person_begins_at_the_mean_person_and_comes_to_their_own_line():
    persons, values, targets, _ = _people(300, 3, [0.5, 0.4], 0.3)
    model = fit_mixed_model(persons, values, targets)
    random = np.random.default_rng(5)
    known = random.standard_normal((400, 1))
    own = 3.0 - 0.9 * known[:, 0] + 0.05 * random.standard_normal(400)
    at = np.array([[-1.0], [0.0], [1.0]])
    everybodys = np.polynomial.Polynomial([4.5, 0.3])(at[:, 0])
    assert model.predict(known[:0], own[:0], at) == pytest.approx(everybodys, abs=0.1)
    assert model.predict(known, own, at) == pytest.approx([3.9, 3.0, 2.1], abs=0.03)
    error = [np.abs(model.predict(known[:n], own[:n], at) - [3.9, 3.0, 2.1]).max() for n in (0, 4, 400)]
    assert error[0] > error[1] > error[2]


def test_the_estimate_of_a_person_is_least_squares_with_the_other_people_as_its_prior():
    model = MixedModel(np.zeros(1), np.ones(1), np.array([5.0, 0.2]), np.array([0.5, 0.3]), 0.4)
    known, own = np.array([[0.3], [-1.2], [2.0]]), np.array([5.9, 4.0, 6.6])
    design = np.column_stack([np.ones(3), known])
    prior = np.diag(1 / np.array([0.5, 0.3]) ** 2)
    line = np.linalg.solve(design.T @ design / 0.4**2 + prior, design.T @ own / 0.4**2 + prior @ model.coefficients)
    assert model.predict(known, own, np.array([[1.0]])) == pytest.approx([line.sum()])


def test_a_missing_value_counts_as_the_mean():
    model = MixedModel(np.array([7.0]), np.array([2.0]), np.array([5.0, 0.2]), np.array([0.5, 0.3]), 0.4)
    known, own = np.array([[7.5], [6.0]]), np.array([5.9, 4.0])
    missing, mean = (model.predict(known, own, np.array([[value]])) for value in (np.nan, 7.0))
    assert missing == pytest.approx(mean)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_neither_the_order_of_rows_nor_the_unit_of_a_value_matters(seed):
    persons, values, targets, _ = _people(40, 3, [0.5, 0.3], 0.3, seed)
    order = np.random.default_rng(seed).permutation(len(persons))
    model = fit_mixed_model(persons, values, targets)
    other = fit_mixed_model(-persons[order], 1000 * values[order] + 7, targets[order])
    known, at = values[:3], np.array([[0.5]])
    expected = model.predict(known, targets[:3], at)
    assert other.predict(1000 * known + 7, targets[:3], 1000 * at + 7) == pytest.approx(expected, abs=1e-3)


def test_people_with_one_row_each_and_constant_values_still_give_numbers():
    random = np.random.default_rng(1)
    values = np.column_stack([np.full(12, 3.0), random.standard_normal(12)])
    model = fit_mixed_model(np.arange(12), values, random.standard_normal(12))
    assert np.isfinite(model.predict(values[:2], np.ones(2), values)).all()


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="takes at least 5 rows, not 4"):
        fit_mixed_model(np.arange(4), np.zeros((4, 2)), np.zeros(4))
