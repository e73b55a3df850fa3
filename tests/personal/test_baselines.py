import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core.config import Range
from kalemia.core.settings.verdict import COMPARATORS
from kalemia.personal.baselines import (
    BASELINES,
    COMPARATOR,
    CROSS_PATIENT,
    DECISION,
    HISTORY,
    ROLES,
    Background,
    DrawSet,
    best_threshold,
    of_role,
    score_baselines,
    shrink_intercepts,
)
from kalemia.stats.draw_metrics import area_under_roc
from kalemia.stats.mixed_model import MixedModel

DIFFERENT = MixedModel(np.zeros(6), np.ones(6), np.array([5.0, *[0.0] * 6]), np.array([0.5, *[0.3] * 6]), 0.5)
HIGH = Background(Range(above=5.5), DIFFERENT)
NAMES = [
    "generic", "mean_beat", "minirocket", "ecg_measures", "boosted_measures", "mixed_model", "heart_rate",
    "linear_probe", "nearest_mean", "recalibrated", "threshold", "platt_offset", "time_since_admission", "last_value",
    "last_label",
]  # fmt: skip


def _draws(n, seed=1, **columns):
    """Draws whose columns say nothing, but for those given; labels take turns."""
    random = np.random.default_rng(seed)
    plain = {
        "labels": np.arange(n) % 2,
        "values": 4.2 + 2.0 * (np.arange(n) % 2) + 0.2 * random.standard_normal(n),
        "logit": random.standard_normal(n),
        "decision": np.zeros(n, np.int8),
        "pooled": random.standard_normal((n, 4)),
        "mean_beat": random.standard_normal((n, 60)),
        "measures": random.standard_normal((n, 6)),
        "heart_rate_bpm": random.standard_normal(n),
        "last_value": np.full(n, np.nan),
        "last_label": np.full(n, np.nan),
        "hours_since_last": np.full(n, np.nan),
        "hours_since_admission": random.standard_normal(n),
    }
    return DrawSet(**plain | columns)


def _aucs(train, test):
    judged = score_baselines(train, test, HIGH)
    return {name: area_under_roc(test.labels, scores) for name, (scores, _) in judged.items()}


def test_every_baseline_scores_every_test_draw():
    judged = score_baselines(_draws(10), _draws(8, 2), HIGH)
    assert list(judged) == NAMES
    for scores, decisions in judged.values():
        assert scores.shape == decisions.shape == (8,)
        assert np.isfinite(scores).all()


def test_every_baseline_has_a_role_and_comparators_are_the_choices_of_the_configuration():
    assert BASELINES.keys() == {*NAMES, CROSS_PATIENT}
    assert [name for role in ROLES for name in of_role(role)] == list(BASELINES)
    assert list(COMPARATORS) == of_role(COMPARATOR)
    assert of_role(HISTORY) == ["last_value", "last_label"]


def test_decisions_keep_the_order_of_the_generic_network():
    aucs = _aucs(_draws(10), _draws(8, 2))
    assert of_role(DECISION) == ["threshold", "platt_offset", "random_intercept"]
    assert {aucs[name] for name in of_role(DECISION) if name in aucs} == {aucs["generic"]}


@pytest.mark.parametrize(
    ("column", "baseline"),
    [
        ("heart_rate_bpm", "heart_rate"),
        ("measures", "ecg_measures"),
        ("mean_beat", "mean_beat"),
        ("mean_beat", "minirocket"),
        ("measures", "boosted_measures"),
        ("measures", "mixed_model"),
        ("heart_rate_bpm", "boosted_measures"),
        ("logit", "recalibrated"),
        ("pooled", "linear_probe"),
        ("pooled", "nearest_mean"),
        ("hours_since_admission", "time_since_admission"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_baseline_uses_its_column_in_either_direction(column, baseline, sign):
    def told(n, seed):
        plain = _draws(n, seed)
        values, signal = getattr(plain, column), 8.0 * sign * plain.labels
        signal = signal[:, None] * (np.arange(values.shape[1]) % 5 == 0) if values.ndim == 2 else signal
        return dataclasses.replace(plain, **{column: values + signal})

    assert _aucs(told(12, 1), told(20, 2))[baseline] > 0.9


def test_a_notch_somewhere_in_the_beat_is_seen_by_minirocket_alone():
    def notched(n, seed):
        random = np.random.default_rng(seed)
        labels, beats = np.arange(n) % 2, 0.05 * random.standard_normal((n, 60))
        for beat in np.flatnonzero(labels):
            place = random.integers(8, 50)
            beats[beat, place : place + 3] += [0.5, -1, 0.5]
        return _draws(n, seed, labels=labels, mean_beat=beats)

    aucs = _aucs(notched(40, 1), notched(60, 2))
    others = [name for name in of_role(COMPARATOR) if name != "minirocket"]
    assert aucs["minirocket"] > 0.95
    assert max(aucs[name] for name in others) < 0.75


def test_boosting_sees_a_range_of_a_measure_that_a_line_does_not():
    def told(n, seed):
        plain = _draws(n, seed)
        measures = plain.measures.copy()
        measures[:, 2] = np.where(plain.labels == 1, 0.3, 2.0) * np.sign(measures[:, 2])
        return dataclasses.replace(plain, measures=measures)

    aucs = _aucs(told(40, 1), told(60, 2))
    assert aucs["boosted_measures"] > 0.95
    assert aucs["ecg_measures"] < 0.75


def test_a_generic_network_that_is_wrong_way_round_is_turned_by_its_slope():
    def turned(n, seed):
        plain = _draws(n, seed)
        return dataclasses.replace(plain, logit=plain.logit - 4.0 * plain.labels)

    aucs = _aucs(turned(12, 1), turned(20, 2))
    assert aucs["recalibrated"] == pytest.approx(1 - aucs["generic"])
    assert aucs["recalibrated"] > 0.9


def test_without_a_mixed_model_of_the_generic_patients_the_others_score_all_the_same():
    judged = score_baselines(_draws(10), _draws(8, 2), Background(Range(above=5.5), None))
    assert list(judged) == [name for name in NAMES if name != "mixed_model"]


def test_the_mixed_model_says_the_value_and_decides_by_the_positive_range():
    everybodys = MixedModel(np.zeros(6), np.ones(6), np.array([5.0, 1.0, *[0.0] * 5]), np.zeros(7), 0.5)
    measures = np.zeros((3, 6))
    measures[:, 0] = [0.2, 0.6, 1.5]
    test = _draws(3, measures=measures)
    for positive, expected in ((Range(above=5.5), [-0.3, 0.1, 1.0]), (Range(below=5.5), [0.3, -0.1, -1.0])):
        scores, decisions = score_baselines(_draws(6), test, Background(positive, everybodys))["mixed_model"]
        np.testing.assert_allclose(scores, expected)
        assert decisions.tolist() == [int(score > 0) for score in expected]


def test_the_mixed_model_learns_from_values_where_labels_are_all_the_others_have():
    def graded(n, seed):
        random = np.random.default_rng(seed)
        measures = random.standard_normal((n, 6))
        values = 5.0 + 0.9 * measures[:, 3] + 0.05 * random.standard_normal(n)
        return _draws(n, seed, labels=(values > 5.5).astype(int), values=values, measures=measures)

    aucs = [_aucs(graded(12, seed), graded(60, 100 + seed)) for seed in range(10)]
    means = {name: np.mean([of_one[name] for of_one in aucs]) for name in ("mixed_model", "ecg_measures")}
    assert means["mixed_model"] > 0.97 > means["ecg_measures"] + 0.05


def test_recalibration_corrects_decisions():
    train, test = (_draws(n, logit=20.0 + 2 * (np.arange(n) % 2)) for n in (10, 20))
    for name in ("threshold", "platt_offset"):
        _, decisions = score_baselines(train, test, HIGH)[name]
        assert (decisions == test.labels).all()


def test_the_last_value_is_carried_forward():
    values = np.array([6.0, 4.0, np.nan, 5.6])
    scores, decisions = score_baselines(_draws(6), _draws(4, last_value=values), HIGH)["last_value"]
    np.testing.assert_allclose(scores, [0.5, -1.5, 0, 0.1])
    assert decisions.tolist() == [1, 0, 0, 1]


def test_the_last_value_is_reversed_if_low_values_are_positive():
    values = np.array([3.0, 4.0, np.nan, 3.4])
    low = Background(Range(below=3.5), None)
    scores, _ = score_baselines(_draws(6), _draws(4, last_value=values), low)["last_value"]
    np.testing.assert_allclose(scores, [0.5, -0.5, 0, 0.1])


@pytest.mark.parametrize(
    ("positive", "values", "said"),
    [
        (Range(from_=5.5), [5.5, 5.4, np.nan], [1, 0, 0]),
        (Range(to=3.5), [3.5, 3.6, np.nan], [1, 0, 0]),
        (Range(above=5.3), [5.3, 5.4, np.nan], [0, 1, 0]),
    ],
)
def test_a_last_value_on_the_bound_is_decided_as_the_label(positive, values, said):
    last = np.array(values, np.float32)  # as the table of contexts has it
    _, decisions = score_baselines(_draws(6), _draws(3, last_value=last), Background(positive, None))["last_value"]
    assert decisions.tolist() == said


def test_the_last_label_is_carried_forward():
    scores, decisions = score_baselines(_draws(6), _draws(3, last_label=np.array([1.0, 0.0, np.nan])), HIGH)[
        "last_label"
    ]
    assert scores.tolist() == [1, -1, 0]
    assert decisions.tolist() == [1, 0, 0]


def test_the_best_threshold_by_hand():
    assert best_threshold(np.array([1.0, 2.0, 4.0, 9.0]), np.array([0, 0, 1, 1])) == 3.0


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 1)), min_size=4).filter(lambda x: len({b for _, b in x}) == 2)
)
def test_no_threshold_is_better_than_the_best(pairs):
    scores, labels = np.array(pairs, float).T

    def balanced(threshold):
        said = scores > threshold
        return said[labels == 1].mean() + (~said[labels == 0]).mean()

    assert balanced(best_threshold(scores, labels)) >= max(balanced(t) for t in np.arange(-6.5, 6.5)) - 1e-12


def test_different_patients_keep_their_offsets_and_similar_ones_are_shrunk():
    apart = shrink_intercepts(np.array([-5.0, 0.0, 5.0, 9.0]), np.full(4, 0.01))
    np.testing.assert_allclose(apart, [-5, 0, 5, 9], atol=0.1)
    alike = shrink_intercepts(np.array([-0.3, 0.0, 0.3, 0.1]), np.full(4, 10.0))
    assert np.ptp(alike) < 0.25


def test_an_uncertain_offset_is_shrunk_more():
    offsets, variances = np.array([4.0, 4.0, -2.0, 0.0, 2.0]), np.array([0.1, 10.0, 0.1, 0.1, 0.1])
    shrunk = shrink_intercepts(offsets, variances)
    assert shrunk[1] < shrunk[0] <= 4


def test_offsets_of_two_patients_are_not_shrunk():
    assert shrink_intercepts(np.array([1.0, 2.0]), np.ones(2)).tolist() == [1, 2]
