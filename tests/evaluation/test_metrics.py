import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from kalemia.evaluation.effective_sample_size import Episodes
from kalemia.evaluation.metrics import (
    ALL_METRICS,
    DECISION_METRICS,
    calibration_intercept,
    metric_value,
    one_patient_interval,
    weighted_metric,
)
from kalemia.evaluation.patient_scores import DECISION_RULES, ScoredDraws
from kalemia.stats.draw_metrics import best_threshold, draw_metrics
from kalemia.stats.logistic_regression import fit_slope
from kalemia.stats.tests_and_intervals import auc_interval, clopper_pearson


def draws_of(labels, logit, decisions=None) -> ScoredDraws:
    """Draws of one round, decided alike in every way."""
    logit = np.array([logit], float)
    said = np.array([decisions], np.int8) if decisions is not None else (logit > 0).astype(np.int8)
    days = np.full(len(labels), np.datetime64("2150-01-01"))
    probability = 1 / (1 + np.exp(-logit))
    return ScoredDraws(
        np.arange(len(labels)),
        np.array(labels),
        np.array(labels),
        days,
        logit,
        probability,
        dict.fromkeys(DECISION_RULES, said),
    )


cases = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-4, 4), st.integers(0, 1), st.integers(1, 3)), min_size=2, max_size=25
).filter(lambda rows: len({row[0] for row in rows}) == 2)


@given(cases)
@settings(deadline=None)
def test_metrics_are_scikit_learn_s_for_draws_that_count_several_times(rows):
    labels, logit, said, times = np.array(rows).T
    draws = draws_of(labels, logit, said)

    def ours(metric):
        return weighted_metric(metric, draws, 0, "vote" if metric in DECISION_METRICS else None, times[None, :])[0]

    repeated = [np.repeat(one, times) for one in (labels, logit, draws.probability[0], said)]
    truth, scores, probability, decided = repeated
    assert ours("auc") == pytest.approx(roc_auc_score(truth, scores))
    assert ours("auprc") == pytest.approx(average_precision_score(truth, scores))
    assert ours("brier") == pytest.approx(brier_score_loss(truth, probability))
    assert ours("accuracy") == pytest.approx(accuracy_score(truth, decided))
    assert ours("sensitivity") == pytest.approx(recall_score(truth, decided))
    assert ours("specificity") == pytest.approx(recall_score(truth, decided, pos_label=0))
    for metric, sign in (("ppv", 1), ("npv", 0)):
        if np.any(decided == sign):
            assert ours(metric) == pytest.approx(precision_score(truth, decided, pos_label=sign))
        else:
            assert np.isnan(ours(metric))


def test_each_draw_once_is_what_the_rounds_say():
    random = np.random.default_rng(1)
    labels, logit = random.integers(0, 2, 30), random.normal(0, 1, 30)
    draws = draws_of(labels, logit)
    for metric, expected in draw_metrics(labels, logit, draws.decisions["vote"][0]).items():
        decision = None if metric == "auc" else "vote"
        assert metric_value(metric, draws, 0, decision) == pytest.approx(expected)


def test_no_patient_has_a_calibration_slope_of_a_few_draws():
    """Scores that are right average well above 1, because patients whose classes do not overlap have no slope."""
    random = np.random.default_rng(5)
    slopes = []
    for _ in range(400):
        labels = np.repeat([1, 0], 4)
        slopes.append(fit_slope(random.normal(2 * labels - 1, np.sqrt(2)), labels))  # logits: these scores themselves
    assert np.nanmean(slopes) > 1.5
    assert "calibration_slope" not in {metric for _, metric in ALL_METRICS}


def test_every_metric_has_a_value_where_both_classes_overlap():
    draws = draws_of([1, 1, 0, 0], [1.0, -1.0, 0.5, -2.0])
    assert all(np.isfinite(metric_value(metric, draws, 0, decision)) for decision, metric in ALL_METRICS)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_slope_and_intercept_are_those_of_an_unpenalized_regression(seed):
    random = np.random.default_rng(seed)
    logit = random.normal(0, 3, 40)
    labels = (random.random(40) < 1 / (1 + np.exp(-(0.5 * logit - 0.4)))).astype(int)
    if len(set(labels)) < 2 or np.isnan(fit_slope(logit, labels)):
        return
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit[:, None], labels)
    assert fit_slope(logit, labels) == pytest.approx(fitted.coef_[0, 0], rel=1e-3, abs=1e-4)
    best = minimize(lambda a: np.sum(np.logaddexp(0, logit + a[0]) - labels * (logit + a[0])), [0.0], tol=1e-12)
    assert calibration_intercept(logit, labels) == pytest.approx(best.x[0], abs=1e-4)


def test_probabilities_that_are_right_have_slope_one_and_intercept_zero():
    random = np.random.default_rng(2)
    logit = random.normal(-1, 2, 50_000)
    labels = (random.random(50_000) < 1 / (1 + np.exp(-logit))).astype(int)
    assert fit_slope(logit, labels) == pytest.approx(1, abs=0.04)
    assert fit_slope(3 * logit, labels) == pytest.approx(1 / 3, abs=0.02)
    assert calibration_intercept(logit, labels) == pytest.approx(0, abs=0.04)
    assert calibration_intercept(logit + 1, labels) == pytest.approx(-1, abs=0.04)


@pytest.mark.parametrize(
    ("labels", "logit"),
    [
        ([1, 1, 0, 0], [2.0, 1.0, -1.0, -2.0]),
        ([1, 1, 0, 0], [2.0, 0.0, 0.0, -2.0]),
        ([1, 0], [-5.0, 900.0]),
        ([1, 1, 1], [0.0, 1.0, 2.0]),
        ([1, 0], [1.0, 1.0]),
    ],
)
def test_draws_that_a_threshold_tells_apart_have_no_slope_and_raise_no_warning(labels, logit):
    assert np.isnan(fit_slope(np.array(logit), np.array(labels)))


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(-300, 300)), min_size=2, max_size=12))
@settings(deadline=None)
def test_a_slope_is_finite_or_not_known(rows):
    labels, logit = (np.array(column) for column in zip(*rows, strict=True))
    assert not np.isinf(fit_slope(logit, labels))


def test_intervals_of_a_patient_are_exact_on_the_draws_that_the_metric_rests_on():
    draws = draws_of([1, 1, 1, 0, 0], [2.0, 1.0, -1.0, 1.0, -1.0])
    independent = Episodes(np.arange(5), 0.0)
    for metric, right, n in (
        ("accuracy", 3, 5),
        ("sensitivity", 2, 3),
        ("specificity", 1, 2),
        ("ppv", 2, 3),
        ("npv", 1, 2),
    ):
        found = one_patient_interval(metric, draws, 0, "vote", right / n, independent)
        assert found == pytest.approx((n, *clopper_pearson(right, n)))
    auc = metric_value("auc", draws, 0, None)
    assert one_patient_interval("auc", draws, 0, None, auc, independent) == (5, *auc_interval(auc, 3, 2))
    assert np.isnan(one_patient_interval("brier", draws, 0, None, 0.2, independent)[1:]).all()


def test_draws_of_one_episode_count_as_their_effective_number():
    """Two episodes of four draws that are all alike are two draws; with a correlation of 1/3 they are four."""
    draws = draws_of([1] * 4 + [0] * 4, [1.0] * 4 + [-1.0] * 4)
    for correlation, worth in ((1.0, 1), (float("nan"), 1), (1 / 3, 2), (0.0, 4)):
        alike = Episodes(np.repeat([7, 8], 4), correlation)
        assert one_patient_interval("auc", draws, 0, None, 1.0, alike)[1:] == pytest.approx(
            auc_interval(1.0, worth, worth)
        )
        found = one_patient_interval("sensitivity", draws, 0, "vote", 1.0, alike)
        assert found == pytest.approx((4, *clopper_pearson(worth, worth)))
    silent = draws_of([1, 0], [-1.0, -1.0])
    assert one_patient_interval("ppv", silent, 0, "vote", float("nan"), Episodes(np.arange(2), 0.0))[0] == 0


def test_the_threshold_is_youden_s():
    scores, labels = np.array([-2.0, -1.0, 0.2, 1.0, 3.0]), np.array([0, 0, 1, 0, 1])
    threshold = best_threshold(scores, labels)

    def youden(t):
        return np.mean(scores[labels == 1] > t) + np.mean(scores[labels == 0] <= t) - 1

    assert youden(threshold) == max(youden(t) for t in np.linspace(-4, 4, 401))


def test_of_equally_good_thresholds_that_in_the_widest_gap_is_taken():
    scores, labels = np.array([10.0, 5, 4, 3, 2, 1, 0, -1, -2, -3]), np.tile([1, 0], 5)
    assert 1.0 + 0.2 != 0.8 + 0.4  # which both are 1.2: one positive above 7.5, or two and a negative above 3.5
    assert best_threshold(scores, labels) == 7.5
