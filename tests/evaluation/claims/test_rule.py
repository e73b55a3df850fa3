import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core.config import Arm, Verdict
from kalemia.core.tables import read_json, table_from_rows, write_table
from kalemia.evaluation.claims.rule import (
    CLAIMS,
    EXCLUDED,
    MIN_PATIENTS,
    MIN_SHIFTED_RUNS,
    MIN_TEST_RUNS,
    OPEN,
    SHOWN,
    arm_claims,
    in_order,
    write_claims,
)

SETTINGS = Verdict()
AGAINST = ("auc_shifted", "auc_generic", "auc_strangers", "auc_comparator", "concordance_last_value")
GAINS = dict.fromkeys(AGAINST, 0.3)


def _rows(n=12, seed=1, spread=0.05, gains=GAINS, **changes):
    """Patients whose AUC exceeds each column by a gain, more or less."""
    random = np.random.default_rng(seed)
    plain = {"arm": "forward", "n_positive": 4, "n_negative": 4, "test_runs": MIN_TEST_RUNS, "rolling": False}
    plain |= {"n_shifted": MIN_SHIFTED_RUNS, "n_strangers": 3}
    rows = []
    for subject in range(n):
        auc = 0.9
        against = {name: auc - gain + spread * random.standard_normal() for name, gain in (GAINS | gains).items()}
        rows.append(plain | {"subject_id": subject, "auc": auc, "concordance_with_last_value": auc} | against | changes)
    return rows


def _states(rows, settings=SETTINGS):
    return {name: found["state"] for name, found in arm_claims(rows, settings, "potassium").items()}


def test_every_claim_is_shown_if_all_comparisons_are():
    assert _states(_rows()) == dict.fromkeys(CLAIMS, SHOWN)


@pytest.mark.parametrize("column", GAINS)
def test_a_comparison_without_a_gain_is_excluded_and_stops_the_claims_after_it(column):
    found = arm_claims(_rows(gains={column: 0.0}), SETTINGS, "potassium")
    of_claim = [name for name, claim in CLAIMS.items() if column in {one.against for one in claim.comparisons}]
    at = list(CLAIMS).index(*of_claim)
    states = [claim["state"] for claim in found.values()]
    assert states == [SHOWN] * at + [EXCLUDED] + [OPEN] * (len(CLAIMS) - at - 1)
    for name in list(CLAIMS)[at + 1 :]:
        assert found[name]["reason"] == f"not tested, because “{of_claim[0].replace('_', ' ')}” is not shown"
        assert all(np.isfinite(one["difference"]) for one in found[name]["comparisons"])


@pytest.mark.parametrize("gain", [0.3, 0.0])
def test_the_reason_names_the_comparator(gain):
    found = arm_claims(_rows(gains={"auc_comparator": gain}), SETTINGS, "potassium")["needs_network"]
    assert "against the comparator (mean beat)" in found["reason"]


def test_a_comparator_that_no_patient_has_is_named_in_the_reason():
    found = arm_claims(_rows(auc_comparator=None), Verdict(comparator="mixed_model"), "potassium")["needs_network"]
    assert found["state"] == OPEN
    assert found["reason"] == "against the comparator (mixed model): there is nothing to compare with in any patient"
    few = _rows(n=9)
    for row in few[:3]:
        row["auc_comparator"] = None
    assert "only 6 patients can be counted" in arm_claims(few, SETTINGS, "potassium")["needs_network"]["reason"]


def test_an_uncertain_gain_is_open_and_says_what_would_settle_it():
    (one,) = arm_claims(_rows(spread=0.4, gains={"auc_shifted": 0.05}), SETTINGS, "potassium")["reads"]["comparisons"]
    assert one["state"] == OPEN
    assert one["lower"] < 0 < 0.05 < one["upper"]
    assert one["detectable"] > 0.2
    assert one["patients_needed"] > 100


def test_a_small_gain_is_excluded_only_below_the_smallest_gain_of_interest():
    rows = _rows(spread=0.05, gains={"auc_shifted": 0.005})
    assert _states(rows)["reads"] == EXCLUDED
    assert _states(rows, Verdict(smallest_gain=0.001))["reads"] != EXCLUDED


@pytest.mark.parametrize(
    "changes",
    [
        {"n_shifted": MIN_SHIFTED_RUNS - 1},
        {"auc_shifted": None},
        {"test_runs": MIN_TEST_RUNS - 1},
    ],
)
def test_a_patient_without_enough_runs_is_not_counted(changes):
    (one,) = arm_claims(_rows(**changes), SETTINGS, "potassium")["reads"]["comparisons"]
    assert (one["patients"], one["not_counted"], one["state"]) == (0, 12, OPEN)


def test_a_rolling_test_may_have_few_runs():
    assert _states(_rows(test_runs=2, rolling=True))["reads"] == SHOWN


def test_few_patients_are_open_whatever_the_gain():
    assert set(_states(_rows(n=MIN_PATIENTS - 1)).values()) == {OPEN}
    assert _states(_rows(n=MIN_PATIENTS))["reads"] == SHOWN


def test_larger_tests_weigh_more():
    rows = _rows(n=8, spread=0.0, gains={"auc_shifted": 0.2})
    rows[0] |= {"auc_shifted": 0.9, "n_positive": 40, "n_negative": 40}
    (one,) = arm_claims(rows, SETTINGS, "potassium")["reads"]["comparisons"]
    assert one["difference"] == pytest.approx((7 * 0.2 * 2 + 0.0 * 20) / (7 * 2 + 20))


def test_personal_needs_both_of_its_comparisons():
    assert _states(_rows(gains={"auc_generic": 0.0}))["personal"] == EXCLUDED
    assert _states(_rows(gains={"auc_strangers": 0.0}))["personal"] == EXCLUDED


@given(st.permutations(range(12)))
def test_the_order_of_patients_does_not_matter(order):
    rows = _rows()
    found = arm_claims([rows[i] for i in order], SETTINGS, "potassium")
    (one,), (other,) = (of["reads"]["comparisons"] for of in (found, arm_claims(rows, SETTINGS, "potassium")))
    assert one["lower"] == pytest.approx(other["lower"])


def test_the_file_names_the_deciding_arm_and_keeps_the_order(tmp_path):
    table = table_from_rows("evidence", _rows())
    write_table(tmp_path / "evidence.parquet", "evidence", table)
    arms = {"paper": Arm(protocol="paper"), "forward": Arm(protocol="forward")}
    write_claims(tmp_path / "evidence.parquet", arms, SETTINGS, "potassium", tmp_path / "claims.json")
    content = read_json(tmp_path / "claims.json")
    assert content["arm"] == "forward"
    assert [name for name, _ in in_order(content["arms"]["forward"])] == list(CLAIMS)
    assert content["arms"]["paper"]["reads"]["state"] == OPEN
    assert "potassium" in content["arms"]["forward"]["reads"]["claim"]


def test_with_the_paper_s_protocol_alone_no_arm_decides():
    assert SETTINGS.deciding_arm({"paper": Arm(protocol="paper")}) is None
