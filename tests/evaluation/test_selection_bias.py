from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from kalemia.cohort.inclusion_flow import CHOICES, REASONS
from kalemia.evaluation.selection_bias import ECG_RULES, evaluable_rows, loss_rows

VALUES = {1: 6.5, 0: 4.25, None: 5.25}


def _outcomes(*draws):
    """From (subject, label, reason, how many)."""
    ids = count()
    return [
        {"subject_id": subject, "draw_id": next(ids), "value": VALUES[label], "label": label, "reason": reason}
        for subject, label, reason, n in draws
        for _ in range(n)
    ]


def _by_rule(rows):
    return {(row["step"], row["reason"]): row for row in rows}


def test_losses_by_hand():
    outcomes = _outcomes(
        (1, 1, None, 6), (1, 0, None, 9), (1, 1, "too few good beats", 3), (1, 0, "too few good beats", 1),
        (2, 1, None, 8), (2, 0, None, 10), (2, 1, "too few good beats", 2), (2, None, "too few good beats", 1),
        (2, 1, "no recording", 1), (3, 0, "surplus of the class", 4),
    )  # fmt: skip
    rows = _by_rule(loss_rows(outcomes))
    beats = rows["enough good beats", "too few good beats"]
    assert (beats["positive_entered"], beats["positive_lost"]) == (19, 5)
    assert (beats["negative_entered"], beats["negative_lost"]) == (24, 1)
    assert (beats["unlabeled_entered"], beats["unlabeled_lost"]) == (1, 1)
    assert [beats[f"positive_{name}"] for name in ("median", "lowest", "highest")] == [6.5, 6.5, 6.5]
    assert beats["unlabeled_median"] == 5.25
    assert beats["difference"] == pytest.approx(5 / 19 - 1 / 24)
    assert beats["difference_low"] < beats["difference"] < beats["difference_high"]
    together = rows[ECG_RULES, None]
    assert (together["positive_entered"], together["positive_lost"]) == (19, 5)
    assert rows["in a population", "surplus of the class"]["difference"] is None
    assert rows["recorded before the draw", None]["positive_entered"] == 20
    assert ("value usable", None) not in rows


def test_a_rule_that_takes_positive_draws_excludes_no_difference():
    lost = _outcomes(*[(s, 1, "too few good beats", 4) for s in range(20)], *[(s, 1, None, 6) for s in range(20)])
    kept = _outcomes(*[(s, 0, None, 10) for s in range(20)])
    row = _by_rule(loss_rows(lost + kept))[ECG_RULES, None]
    assert row["difference"] == pytest.approx(0.4)
    assert row["difference_low"] > 0


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from([1, 0, None]), st.sampled_from([None, *REASONS]), st.just(1)),
        max_size=40,
    )
)
def test_the_reasons_of_a_step_add_up_to_it(draws):
    rows = loss_rows(_outcomes(*draws))
    for step in rows:
        parts = [row for row in rows if row["step"] == step["step"] and row["reason"]]
        if step["reason"] is None and step["step"] != ECG_RULES:
            for name in ("positive", "negative", "unlabeled"):
                assert sum(row[f"{name}_lost"] for row in parts) == step[f"{name}_lost"] <= step[f"{name}_entered"]
        assert (step["difference"] is None) >= (step["step"] in CHOICES)


def test_evaluable_patients_beside_the_others_by_hand():
    outcomes = _outcomes((1, 1, None, 3), (1, 0, None, 5), (2, 1, None, 1), (3, 0, "no recording", 2), (4, 1, None, 1))
    outcomes += _outcomes((5, None, None, 3))
    people = [
        {"subject_id": subject, "age_years": age, "gender": gender}
        for subject, age, gender in [(1, 50, "M"), (2, 60, "F"), (3, 80, None), (4, None, "M"), (5, 20, "F")]
    ]
    rows = {row["measure"]: row for row in evaluable_rows(outcomes, people, {1, 4})}
    assert (rows["age"]["evaluable_people"], rows["age"]["evaluable_mean"]) == (1, 50)
    assert (rows["age"]["others_people"], rows["age"]["others_mean"]) == (2, 70)
    assert rows["age"]["difference"] == -20
    assert rows["age"]["difference_low"] is None
    assert (rows["men"]["evaluable_mean"], rows["men"]["others_mean"], rows["men"]["others_people"]) == (1, 0, 1)
    assert (rows["draws"]["evaluable_mean"], rows["draws"]["others_mean"]) == (4.5, 1.5)
    assert rows["draws"]["difference_low"] < 3 < rows["draws"]["difference_high"]
    assert rows["positive_draws"]["evaluable_mean"] == 2
    assert rows["highest_value"]["evaluable_mean"] == 6.5
    assert rows["value"]["others_mean"] == pytest.approx((6.5 + 4.25) / 2)


def test_means_have_welchs_interval():
    ages = {1: 40.0, 2: 52.0, 3: 61.0, 4: 70.0, 5: 71.0, 6: 88.0, 7: 66.0}
    people = [{"subject_id": subject, "age_years": age, "gender": None} for subject, age in ages.items()]
    row = evaluable_rows(_outcomes(*[(subject, 0, None, 1) for subject in ages]), people, {1, 2, 3})[0]
    expected = ttest_ind([40, 52, 61], [70, 71, 88, 66], equal_var=False).confidence_interval()
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((expected.low, expected.high))


def test_without_evaluable_patients_there_is_nothing_to_compare():
    rows = evaluable_rows(_outcomes((1, 1, None, 3)), [], set())
    assert [row["difference"] for row in rows] == [None] * 6
    assert evaluable_rows([], [], set())[0]["others_people"] == 0
