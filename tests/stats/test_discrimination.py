import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from kalemia.core.seeds import rng
from kalemia.stats.discrimination import (
    CALIBRATION_BINS,
    MIN_DRAWS_PER_BIN,
    MIN_RESAMPLED,
    discrimination,
    roc_and_pr_auc,
    within_auroc,
)
from kalemia.stats.draw_metrics import area_under_roc
from kalemia.stats.tests_and_intervals import auc_interval


def people(n_people: int, per_person: int, spread: float = 1.0, seed: int = 1):
    """Labels, logits and subjects of people with both classes, and an offset of the logit of their own."""
    random = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_people) + 500, per_person)
    labels = random.integers(0, 2, len(subjects))
    offset = np.repeat(random.normal(0, spread, n_people), per_person)
    return labels, labels + offset + random.normal(0, 1, len(subjects)), subjects


def measured(labels, logits, subjects, seed=1):
    return discrimination(labels, logits, logits > 0, subjects, rng(seed, "test"))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 3)), min_size=2, max_size=40))
@settings(deadline=None)
def test_areas_are_those_of_scikit_learn_with_ties_and_weights(rows):
    labels, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    groups = [scores == score for score in np.unique(scores)[::-1]]
    found = roc_and_pr_auc(
        *(np.array([w[group].sum() for group in groups], float) for w in (weights * labels, weights))
    )
    if not weights[labels == 1].sum() or not weights[labels == 0].sum():
        assert np.isnan(found).all()
        return
    kept = weights > 0  # scikit-learn's curve has a warning for leading zero weights
    expected = [
        score(labels[kept], scores[kept], sample_weight=weights[kept])
        for score in (roc_auc_score, average_precision_score)
    ]
    assert found == pytest.approx(expected)


def test_pooled_area_is_the_one_of_pairs():
    labels, logits, subjects = people(20, 9)
    assert measured(labels, logits, subjects)["auroc"][0] == pytest.approx(area_under_roc(labels, logits))


def test_many_scores_in_groups_give_the_interval_around_the_exact_value():
    labels, logits, subjects = people(2000, 10)
    value, low, high = measured(labels, logits, subjects)["auroc"]
    assert value == pytest.approx(roc_auc_score(labels, logits), abs=1e-12)
    assert (low + high) / 2 == pytest.approx(value, abs=1e-3)


def test_what_differs_between_people_lowers_the_pooled_area_and_not_the_one_within():
    alike, unlike = (measured(*people(60, 40, spread)) for spread in (0.0, 5.0))
    assert alike["within_auroc"][0] == pytest.approx(unlike["within_auroc"][0], abs=0.02)
    assert alike["auroc"][0] - unlike["auroc"][0] > 0.1


def test_a_person_known_by_a_label_of_their_own_has_no_area_within():
    labels = np.array([1, 1, 0, 0, 1, 0])
    logits = np.array([2.0, 3.0, -1.0, -2.0, 0.0, 1.0])
    subjects = np.array([1, 1, 2, 2, 3, 3])
    assert np.isnan(within_auroc(labels, logits, subjects - 1)).tolist() == [True, True, False]
    found = measured(labels, logits, subjects)
    assert (found["subjects"], found["subjects_with_both"]) == (3, 1)
    assert found["within_auroc"][0] == 0
    assert found["auroc"][0] == pytest.approx(8 / 9)


def test_intervals_count_people_and_so_are_wider_than_those_of_beats():
    _, logits, subjects = people(30, 50, spread=3.0)
    labels = subjects % 2
    by_person = measured(labels, logits, subjects)
    by_beat = measured(labels, logits, np.arange(len(labels)))
    for name in ("accuracy", "auroc", "auprc"):
        value, low, high = by_person[name]
        assert low < value < high
        assert by_beat[name][0] == value
        assert high - low > 2 * (by_beat[name][2] - by_beat[name][1])


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    truth = 0.7602  # AUROC of two normal distributions one SD apart
    covered = []
    for seed in range(60):
        labels, logits, subjects = people(60, 4, spread=0.0, seed=seed)
        _, low, high = measured(labels, logits, subjects)["auroc"]
        covered.append(low <= truth <= high)
    assert np.mean(covered) > 0.85


@pytest.mark.parametrize("sign", [1, -1])
def test_few_people_who_are_all_told_apart_leave_a_wide_interval(sign):
    labels = np.array([1, 1, 1, 0, 0, 0])
    found = measured(labels, sign * (labels - 0.5), np.arange(6))
    value, low, high = found["auroc"]
    assert (value, low, high) == (1, *auc_interval(1, 3, 3)) if sign > 0 else (0, *auc_interval(0, 3, 3))
    assert high - low > 0.4
    assert found["accuracy"][2] - found["accuracy"][1] > 0.4
    assert np.isnan(found["auprc"][1:]).all()


def test_many_beats_of_few_people_are_worth_few_people():
    """Twenty beats each of six people: as uncertain as one each."""
    labels, subjects = np.repeat([1, 1, 1, 0, 0, 0], 20), np.repeat(np.arange(6), 20)
    assert measured(labels, labels - 0.5, subjects)["auroc"] == [1, *auc_interval(1, 3, 3)]


def test_resamples_of_few_people_or_without_any_spread_give_no_interval():
    for n, has_interval in ((MIN_RESAMPLED - 1, False), (MIN_RESAMPLED, True)):
        labels, logits, subjects = people(n, 12)
        found = measured(labels, logits, subjects)
        assert found["subjects_with_both"] == n
        assert np.isfinite(found["within_auroc"]).tolist() == [True, has_interval, has_interval]
        assert np.isfinite(found["auprc"]).tolist() == [True, has_interval, has_interval]
    perfect = measured(labels, labels - 0.5, subjects)
    assert perfect["within_auroc"][0] == perfect["auprc"][0] == 1
    assert np.isnan([*perfect["within_auroc"][1:], *perfect["auprc"][1:]]).all()


def test_calibration_has_tenths_that_hold_what_they_predict():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, 20_000)
    labels = (random.random(20_000) < 1 / (1 + np.exp(-logits))).astype(int)
    probability_deciles = measured(labels, logits, np.arange(20_000) // 10)["calibration"]
    assert len(probability_deciles) == CALIBRATION_BINS
    assert sum(tenth["n"] for tenth in probability_deciles) == 20_000
    for tenth in probability_deciles:
        assert tenth["observed"][0] == pytest.approx(tenth["predicted"], abs=0.03)
        assert tenth["observed"][1] <= tenth["observed"][0] <= tenth["observed"][2]


def test_same_seed_gives_the_same_intervals_and_another_others():
    sample = people(20, 5)
    assert measured(*sample) == measured(*sample)
    assert measured(*sample, seed=2)["auprc"] != pytest.approx(measured(*sample)["auprc"], rel=1e-6)


def test_one_class_alone_has_an_accuracy_and_no_area():
    found = measured(np.ones(4, int), np.array([1.0, -1.0, 2.0, 3.0]), np.array([1, 1, 2, 2]))
    assert found["accuracy"][0] == 0.75
    assert np.isnan(found["auroc"]).all()
    assert np.isnan(found["within_auroc"]).all()


def test_calibration_of_few_draws_has_few_parts():
    random = rng(3, "test")
    for n, parts in ((5, 1), (17, 2), (35, 4), (200, CALIBRATION_BINS)):
        labels, logits = random.integers(0, 2, n), random.normal(size=n)
        found = measured(labels, logits, np.arange(n))["calibration"]
        assert len(found) == parts
        assert sum(part["n"] for part in found) == n
        assert min(part["n"] for part in found) >= min(n, MIN_DRAWS_PER_BIN)
