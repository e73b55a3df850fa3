"""The sections of intervals, tests and real prevalence, filled from a made-up study."""

import pytest

from kalemia.report.formatting import signed_interval
from kalemia.report.inputs import read_study
from kalemia.report.section import Notes
from kalemia.report.sections import prevalence, statistics
from kalemia.report.sections.statistics import p_value
from report_fixture import N_ROUNDS, write_results


@pytest.fixture(scope="module")
def data(tmp_path_factory, study):
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, study)
    return read_study(folder)


def test_p_values_and_differences_in_words():
    assert [p_value(p) for p in (0.0004, 0.001, 0.25, None)] == ["< 0.001", "0.001", "0.250", "\N{EN DASH}"]
    assert signed_interval((0.25, -0.1, 0.5)) == "+0.25 (-0.10 to +0.50)"
    assert signed_interval((-0.25, None, None)) == "-0.25"
    assert signed_interval((-0.004, -0.1, -0.001)) == "+0.00 (-0.10 to -0.00)"  # a bound keeps its sign, which decides
    assert signed_interval((None, None, None)) == "\N{EN DASH}"


def test_every_round_is_tested_and_every_pair_of_arms_after_the_last(study, data):
    filled = statistics.build(study, data, Notes("statistics"))
    assert [(row["arm"], row["metric"], row["round"]) for row in filled["rounds"]] == [
        (arm, metric, round_)
        for metric in ("AUC", "Accuracy")
        for arm in study.arms
        for round_ in range(1, N_ROUNDS + 1)
    ]
    assert {(row["arm"], row["reference"], row["round"]) for row in filled["arms"]} == {("forward", "paper", N_ROUNDS)}
    assert [(row["arm"], row["patients"]) for row in filled["worth"]] == [("forward", 3), ("paper", 4)]
    assert len(filled["metrics"]) == 2 * 19
    assert {(row["arm"], row["of"]) for row in filled["metrics"]} == {("forward", 3), ("paper", 4)}
    assert all(row["patients"] <= row["of"] for row in filled["metrics"])
    assert [row["draws_each"] for row in filled["worth"]] == [row["draws"] / row["patients"] for row in filled["worth"]]
    assert all(row["draws"] >= row["effective"] >= row["episodes"] for row in filled["worth"])


def test_alerts_are_told_before_and_after_by_every_rule(study, data):
    filled = prevalence.build(study, data, Notes("prevalence"))
    rules = ["majority vote", "mean logit", "training threshold", "at sensitivity 0.8", "at sensitivity 0.9"]
    assert [(row["arm"], row["stage"], row["rule"]) for row in filled["alerts"]] == [
        (arm, stage, rule) for arm in study.arms for stage in ("generic", "last round") for rule in rules
    ]
    assert len(filled["worth"]) == 4
    assert [period["size"]["patients"] for period in filled["periods"]] == [3, 4]
