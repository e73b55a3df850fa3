import csv

import numpy as np
import pytest

from conftest import ROOT
from kalemia.cli import main
from kalemia.core.config import Verdict
from kalemia.core.errors import UserError
from kalemia.core.wording import display_name
from kalemia.evaluation.claims.plan import SimulatedSpreads, plan_lines, plan_outlook
from kalemia.evaluation.claims.rule import CLAIMS, MIN_PATIENTS, SHOWN, arm_claims
from kalemia.stats.one_sided_mean import power

SPREADS = SimulatedSpreads.read()
COMPARISONS = [one for claim in CLAIMS.values() for one in claim.comparisons]
N_DRAWS = 34  # of the simulated studies in benchmarks/claims.csv


def _rates():
    with (ROOT / "benchmarks/claims.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["planted"].startswith("own effect")]


@pytest.mark.parametrize("claim", [name for name, claim in CLAIMS.items() if len(claim.comparisons) == 1])
def test_the_formula_gives_the_power_that_the_rule_has_in_simulated_studies(claim):
    """500 studies a rate, so that it has a standard error of up to .022."""
    (one,) = CLAIMS[claim].comparisons
    rates = [row for row in _rates() if row["claim"] == claim]
    assert len(rates) >= 16
    for row in rates:
        gain = float(row["gain"])
        expected = power(gain, SPREADS.spread(one.against, gain, N_DRAWS), int(row["patients"]))
        assert float(row["alone"]) == pytest.approx(expected, abs=0.07), row


def test_a_claim_of_two_comparisons_has_at_most_the_power_of_either():
    for row in (row for row in _rates() if row["claim"] == "personal"):
        gain, n = float(row["gain"]), int(row["patients"])
        least = min(
            power(gain, SPREADS.spread(one.against, gain, N_DRAWS), n) for one in CLAIMS["personal"].comparisons
        )
        assert float(row["alone"]) <= least + 0.07


def test_the_formula_is_the_power_of_the_rule_where_differences_are_normal():
    random, n, gain, spread = np.random.default_rng(1), 12, 0.15, 0.25
    shown = 0
    for _ in range(400):
        rows = [
            {"subject_id": i, "n_positive": 4, "n_negative": 4, "rolling": True, "auc": gain, "auc_shifted": value}
            | {"n_shifted": 19, "n_strangers": 1}
            | dict.fromkeys(("auc_generic", "auc_strangers", "auc_comparator"))
            | dict.fromkeys(("concordance_last_value", "concordance_with_last_value"))
            for i, value in enumerate(random.normal(0, spread, n))
        ]
        shown += arm_claims(rows, Verdict(), "potassium")["reads"]["state"] == SHOWN
    assert shown / 400 == pytest.approx(power(gain, spread, n), abs=0.06)


def test_every_comparison_has_a_spread():
    for one in COMPARISONS:
        assert 0 < SPREADS.spread(one.against, 0.05, N_DRAWS) < 0.5


@pytest.mark.parametrize("against", [one.against for one in COMPARISONS])
def test_more_patients_and_larger_gains_have_more_power(against):
    few, many = (plan_outlook(against, (0.02, 0.05, 0.2), n, N_DRAWS, 0.05, SPREADS) for n in (16, 40))
    assert list(few.powers.values()) == sorted(few.powers.values())
    assert all(few.powers[gain] <= many.powers[gain] for gain in few.powers)
    assert many.detectable <= few.detectable
    assert many.patients_needed == few.patients_needed


def test_the_patients_needed_have_the_power():
    outlook = plan_outlook("auc_shifted", (), 16, N_DRAWS, 0.05, SPREADS)
    again = plan_outlook("auc_shifted", (0.05,), outlook.patients_needed, N_DRAWS, 0.05, SPREADS)
    assert again.powers[0.05] == pytest.approx(0.8, abs=0.01)


def test_the_plan_speaks_of_every_claim(capsys):
    assert main(["plan", "--patients", "16", "--draws", "34"]) == 0
    said = capsys.readouterr().out
    for name in CLAIMS:
        assert f"\n{display_name(name).capitalize()}. " in said
    assert "about potassium from the patient's ECG" in said
    assert said.count("with 80% power") == len(COMPARISONS)
    assert said.splitlines()[-1].startswith("It may miss a gain of 0.05, the smallest that matters, in “reads”")


def test_too_few_patients_can_show_nothing():
    lines = plan_lines(MIN_PATIENTS - 1, N_DRAWS, Verdict(), "potassium")
    assert lines[-1].startswith("No claim can be shown or excluded")


@pytest.mark.parametrize("draws", [1, 1000])
def test_draws_that_were_not_simulated_are_refused_in_one_line(draws):
    with pytest.raises(UserError, match=f"--draws {draws}: spreads are known for"):
        plan_lines(16, draws, Verdict(), "potassium")


@pytest.mark.parametrize("patients", [0, -3])
def test_fewer_patients_than_one_are_refused_in_one_line(patients):
    with pytest.raises(UserError, match=f"--patients {patients}: a study has at least one"):
        plan_lines(patients, N_DRAWS, Verdict(), "potassium")


def test_the_plan_says_what_it_assumes_and_promises_no_gain_of_zero():
    said = "\n".join(plan_lines(100_000, N_DRAWS, Verdict(), "potassium"))
    assert "84,500 can be evaluated" in said
    assert "simulated patients" in said
    assert "from 0.00 on" not in said


def test_a_very_small_gain_of_interest_is_not_printed_as_zero():
    said = "\n".join(plan_lines(40, N_DRAWS, Verdict(smallest_gain=0.001), "potassium"))
    assert "; a gain of 0.001 takes" in said
    assert "a gain of 0.001, the smallest" in said
