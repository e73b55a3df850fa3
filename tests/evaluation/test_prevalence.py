import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_auc_score

from kalemia.evaluation.evaluation_period import period_row
from kalemia.evaluation.patient_scores import DECISION_RULES, PatientArmScores, ScoredDraws
from kalemia.evaluation.prevalence import (
    SENSITIVITIES,
    STATED_PREVALENCES,
    PooledDraws,
    alert_rows,
    decision_curve_rows,
    net_benefit,
    pool_draws,
    ppv_column,
    prevalence_row,
    threshold_at_sensitivity,
    weight_ppv,
)
from kalemia.stats.tests_and_intervals import bootstrap_counts


def pooled(positive, score, person=None, days=None, alerts=None) -> PooledDraws:
    positive, score = np.array(positive, bool), np.array(score, float)
    person = np.zeros(len(positive), int) if person is None else np.array(person)
    days = np.ones(person.max(initial=0) + 1, int) if days is None else np.array(days)
    said = score > 0 if alerts is None else np.array(alerts, bool)
    return PooledDraws(positive, person, score, 1 / (1 + np.exp(-score)), dict.fromkeys(DECISION_RULES, said), days)


def _times(of: PooledDraws) -> np.ndarray:
    return bootstrap_counts(len(of.patient_days), 1000, np.random.default_rng(1))


def test_alerts_by_hand():
    of = pooled([1, 1, 0, 0, 0, 0], [3, -1, 2, -2, -3, -4], person=[0, 0, 0, 1, 1, 1], days=[2, 3])
    row = alert_rows(of, _times(of))[0]
    assert (row["rule"], row["n_alerts"], row["sensitivity"], row["specificity"]) == ("vote", 2, 0.5, 0.75)
    assert (row["ppv"], row["npv"]) == (0.5, 0.75)
    assert (row["alerts_a_day"], row["false_alerts_a_day"]) == (0.4, 0.2)
    assert row["alerts_a_day_low"] == 0
    assert row["alerts_a_day_high"] == 1


def test_what_is_paid_for_a_sensitivity_is_read_off_the_curve():
    of = pooled([1, 0, 1, 1, 0, 1, 1, 0], [8, 7, 6, 5, 4, 3, 2, 1])
    assert [threshold_at_sensitivity(s, of) for s in (0.2, 0.8, 0.9, 1.0)] == [8, 3, 2, 2]
    rows = {row["rule"]: row for row in alert_rows(of, _times(of))}
    assert rows["sensitivity 0.8"]["ppv"] == pytest.approx(4 / 6)
    assert rows["sensitivity 0.9"]["ppv"] == pytest.approx(5 / 7)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=40).filter(
        lambda r: any(a for a, _ in r)
    )
)
@settings(deadline=None)
def test_the_ppv_at_a_sensitivity_is_on_scikit_learn_s_curve(rows):
    positive, score = zip(*rows, strict=True)
    of = pooled(positive, score)
    precision, recall, thresholds = precision_recall_curve(positive, score)
    found = {row["rule"]: row for row in alert_rows(of, _times(of))}
    for sensitivity in SENSITIVITIES:
        at = np.flatnonzero(recall[:-1] >= sensitivity - 1e-9)[-1]  # thresholds ascend
        assert threshold_at_sensitivity(sensitivity, of) == thresholds[at]
        assert found[f"sensitivity {sensitivity}"]["ppv"] == pytest.approx(precision[at])


def test_scores_over_all_draws_are_scikit_learn_s():
    random = np.random.default_rng(2)
    person = np.repeat(np.arange(10), 30)
    positive = random.random(300) < 0.15
    of = pooled(positive, random.normal(positive - 0.7, 1), person, np.full(10, 5))
    row = prevalence_row(of, _times(of))
    own = [roc_auc_score(positive[person == one], of.score[person == one]) for one in range(10)]
    assert (row["within_auroc"], row["patients_with_both"]) == (pytest.approx(np.mean(own)), 10)
    assert row["brier"] == pytest.approx(np.mean((of.probability - positive) ** 2))
    assert (row["prevalence"], row["patient_days"], row["n_draws"]) == (positive.mean(), 50, 300)
    for name in ("prevalence", "within_auroc", "brier"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]


def test_networks_without_a_common_scale_keep_what_each_tells_of_its_own_patient():
    """Twelve networks that each rank perfectly, from anywhere: pooled they rank hardly better than chance."""
    random = np.random.default_rng(3)
    person = np.repeat(np.arange(12), 20)
    positive = np.tile([True, False], 120)
    score = 20 * np.repeat(random.normal(0, 1, 12), 20) + positive
    assert roc_auc_score(positive, score) < 0.6
    row = prevalence_row(of := pooled(positive, score, person, np.ones(12)), _times(of))
    assert row["within_auroc"] == 1
    assert np.isnan([row["within_auroc_low"], row["within_auroc_high"]]).all()  # resamples cannot differ


@pytest.mark.parametrize("share", STATED_PREVALENCES)
def test_ppv_at_a_stated_prevalence_is_that_of_draws_with_this_prevalence(share):
    """Half of 200 positive and an eighth of 200 negative draws alarm; negative draws repeated until `share` is met."""
    alerts = np.concatenate([np.arange(200) < 100, np.arange(200) < 25])
    positive = np.repeat([True, False], 200)
    of = pooled(positive, alerts - 0.5, np.tile(np.arange(10), 40), np.ones(10))
    row = alert_rows(of, _times(of))[0]
    repeats = (1 - share) / share
    assert row[ppv_column(share)] == pytest.approx(100 / (100 + 25 * repeats))
    assert row[f"{ppv_column(share)}_low"] < row[ppv_column(share)] < row[f"{ppv_column(share)}_high"]
    assert row[ppv_column(share)] < row["ppv"] == 0.8


def test_ppv_at_the_patients_own_prevalence_is_the_ppv_itself():
    for true, false in ((0.8, 0.1), (0.5, 0.5), (0.2, 0.0)):
        assert weight_ppv(true, false, 0.4) == pytest.approx(0.4 * true / (0.4 * true + 0.6 * false))
    assert np.isnan(weight_ppv(0.0, 0.0, 0.05))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_net_benefit_counts_false_alerts_by_the_odds(rows, probability):
    positive, alerts = np.array(rows).T
    true = sum(a and p for p, a in rows) / len(rows)
    false = sum(a and not p for p, a in rows) / len(rows)
    assert net_benefit(positive, alerts, probability) == pytest.approx(true - false * probability / (1 - probability))
    assert net_benefit(positive, np.zeros(len(rows), bool), probability) == 0


def test_alerting_always_pays_up_to_the_prevalence():
    positive = np.arange(100) < 20
    rows = decision_curve_rows(pooled(positive, np.zeros(100)))
    paying = [row["probability"] for row in rows if row["treat_all"] > 1e-12]
    assert max(paying) == 0.19
    assert all(row["net_benefit"] == row["treat_all"] for row in rows if row["probability"] <= 0.5)
    assert all(row["net_benefit"] == 0 for row in rows if row["probability"] > 0.5)


def test_right_probabilities_are_never_worse_than_alerting_always_or_never():
    random = np.random.default_rng(4)
    score = random.normal(-1.5, 2, 100_000)
    positive = random.random(len(score)) < 1 / (1 + np.exp(-score))
    for row in decision_curve_rows(pooled(positive, score)):
        assert row["net_benefit"] >= max(0, row["treat_all"]) - 2e-3


def _trial(subject_id, labels, logits_of_rounds):
    n, logit = len(labels), np.array(logits_of_rounds, float)
    said = dict.fromkeys(DECISION_RULES, (logit > 0).astype(np.int8))
    days = np.datetime64("2150-01-01") + np.arange(n) // 2
    ids, labels = np.arange(n) + 10 * subject_id, np.array(labels)
    draws = ScoredDraws(ids, labels, labels + 4.0, days, logit, 1 / (1 + np.exp(-logit)), said)
    return PatientArmScores("paper", subject_id, draws, np.zeros(n, bool))


def test_draws_without_a_label_count_as_negative_and_rounds_are_carried_forward():
    trials = [_trial(1, [1, -1, 0], [[1, 2, 3], [4, 5, 6]]), _trial(2, [0, 1], [[7, 8]])]
    kept = [np.array([True, True, False]), np.array([True, True])]
    of = pool_draws(trials, kept, 1)
    assert of.positive.tolist() == [True, False, False, True]
    assert of.score.tolist() == [4, 5, 7, 8]
    assert of.person.tolist() == [0, 0, 1, 1]
    assert of.patient_days.tolist() == [1, 1]
    assert period_row(trials[0], np.ones(3, bool)) == {
        "arm": "paper",
        "subject_id": 1,
        "n_draws": 3,
        "n_positive": 1,
        "n_negative": 1,
        "n_neither": 1,
        "patient_days": 2,
    }


def test_no_positive_draw_leaves_what_needs_one_unknown():
    of = pooled([0, 0, 0], [1.0, 0.0, -1.0])
    rows = alert_rows(of, _times(of))
    assert all(np.isnan(row["sensitivity"]) for row in rows)
    assert np.isnan(prevalence_row(of, _times(of))["within_auroc"])
    assert rows[0]["alerts_a_day"] == 1
    assert rows[-1]["n_alerts"] == 0
