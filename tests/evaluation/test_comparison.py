"""The tables of metrics, averages and tests of a made-up study, recomputed another way from its prediction files."""

from itertools import combinations, product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from kalemia.core.config import GENERIC
from kalemia.core.schemas import EVALUATION
from kalemia.core.tables import read_json, read_table
from kalemia.evaluation.bootstrap import resample_patients
from kalemia.evaluation.build_evaluation import find_evaluation_inputs
from kalemia.evaluation.comparison import MetricCurves, adjust_between_arms, average_rows, comparison_rows
from kalemia.evaluation.effective_sample_size import effective_sample_size_rows, find_episodes
from kalemia.evaluation.patient_scores import read_patient_scores
from kalemia.stats.draw_metrics import METRICS, best_threshold
from kalemia.stats.tests_and_intervals import holm
from report_fixture import N_ROUNDS, write_results


@pytest.fixture(scope="module")
def results(tmp_path_factory, study):
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, study)
    return folder


@pytest.fixture(scope="module")
def tables(results):
    names = (
        "patient_metrics",
        "averages",
        "comparisons",
        "resampled_draws",
        "resampled_patients",
        "rounds",
        "effective_sample_size",
    )
    return {name: read_table(results / f"evaluation/{name}.parquet", name).to_pylist() for name in names}


def _predictions(results, arm, subject, round_):
    path = results / f"personal/{arm}/p{subject:06d}/round-{round_}/predictions.parquet"
    return read_table(path, "predictions").to_pylist()


def _auc(scores, ids):
    """By hand, from (label, logit) of every draw: the share of pairs that are in order."""
    positive, negative = ([scores[draw][1] for draw in ids if scores[draw][0] == label] for label in (1, 0))
    return np.mean([(a > b) + 0.5 * (a == b) for a, b in product(positive, negative)])


def test_the_evaluation_writes_every_declared_file_and_no_other(results):
    assert sorted(path.name for path in (results / "evaluation").iterdir()) == sorted(
        Path(file.path).name for file in EVALUATION
    )


def test_the_patients_table_says_what_the_rounds_table_says(tables):
    found = {
        (row["arm"], row["subject_id"], row["round"], row["metric"]): row["value"]
        for row in tables["patient_metrics"]
        if row["decision"] in (None, "vote")
    }
    assert len(tables["rounds"]) == 7 * (N_ROUNDS + 1)
    for row in tables["rounds"]:
        for metric in METRICS:
            assert found[row["arm"], row["subject_id"], row["round"], metric] == row[metric]


def test_averages_are_those_of_the_summary(tables, results):
    summary = read_json(results / "evaluation/summary.json")
    for row in tables["averages"]:
        if row["metric"] in METRICS and row["decision"] in (None, "vote"):
            expected = summary["arms"][row["arm"]]["rounds"][row["round"]][row["metric"]]
            assert (row["mean"], row["sd"], row["patients"]) == pytest.approx(
                (expected["mean"], expected["sd"], expected["n"])
            )


def test_medians_and_quartiles_are_over_patients(tables):
    (row,) = [
        row
        for row in tables["averages"]
        if (row["arm"], row["round"], row["metric"], row["decision"]) == ("paper", 2, "ppv", "threshold")
    ]
    of_rounds = {}
    for one in tables["patient_metrics"]:
        if (one["arm"], one["metric"], one["decision"]) == ("paper", "ppv", "threshold"):
            of_rounds.setdefault(one["subject_id"], []).append(one["value"])
    values = [of[2] for of in of_rounds.values() if None not in (of[0], of[2], of[-1])]
    assert row["patients"] == len(values) > 1
    found = row["lower_quartile"], row["median"], row["upper_quartile"]
    assert found == pytest.approx(np.percentile(values, [25, 50, 75]))


def test_all_three_decisions_are_told(tables, results, study):
    trials = read_patient_scores(
        find_evaluation_inputs(results, study).predictions, results / "generic/predictions.parquet"
    )
    (trial,) = [trial for trial in trials if (trial.arm, trial.subject_id) == ("paper", 10013)]
    rows = _predictions(results, "paper", 10013, 3)
    train = [row for row in rows if row["role"] == "train"]
    threshold = best_threshold(np.array([r["logit"] for r in train]), np.array([r["label"] for r in train]))
    assert trial.draws.decisions["threshold"][3].tolist() == [int(row["logit"] > threshold) for row in rows]
    assert trial.draws.decisions["mean_logit"][3].tolist() == [int(row["logit"] > 0) for row in rows]
    assert trial.draws.decisions["vote"][3].tolist() == [row["decision"] for row in rows]


def test_the_first_threshold_is_that_of_the_generic_network_s_own_training(results, study):
    generic = read_table(results / "generic/predictions.parquet", "predictions").to_pylist()
    scores, labels = (np.array([row[name] for row in generic]) for name in ("logit", "label"))
    threshold = best_threshold(scores, labels)
    trials = read_patient_scores(
        find_evaluation_inputs(results, study).predictions, results / "generic/predictions.parquet"
    )
    for trial in trials:
        assert trial.draws.decisions["threshold"][0].tolist() == (trial.draws.logit[0] > threshold).astype(int).tolist()


def test_anybody_can_recompute_an_interval_from_the_stored_resamples(tables, results):
    draws = {
        (row["subject_id"], row["resample"]): row["draw_ids"]
        for row in tables["resampled_draws"]
        if row["arm"] == "forward"
    }
    people = [row for row in tables["resampled_patients"] if (row["arm"], row["other_arm"]) == ("forward", None)]
    people = sorted(people, key=lambda row: row["resample"])
    subjects = sorted({subject for row in people for subject in row["subject_ids"]})
    rounds = {
        k: {
            s: {r["draw_id"]: (r["label"], r["logit"]) for r in _predictions(results, "forward", s, k)}
            for s in subjects
        }
        for k in (0, 4)
    }
    differences = []
    for row in people:
        of_people = [
            _auc(rounds[4][s], draws[s, turn]) - _auc(rounds[0][s], draws[s, turn])
            for s, turn in zip(row["subject_ids"], row["draw_resamples"], strict=True)
        ]
        differences.append(np.mean(of_people))
    (tested,) = [
        row
        for row in tables["comparisons"]
        if (row["arm"], row["reference"], row["round"], row["metric"]) == ("forward", GENERIC, 4, "auc")
    ]
    assert (tested["low"], tested["high"]) == pytest.approx(np.quantile(differences, [0.025, 0.975]))


def test_tests_are_scipy_s_on_the_values_of_patients(tables):
    values = {}
    for row in tables["patient_metrics"]:
        if (row["arm"], row["metric"], row["decision"]) == ("paper", "brier", None):
            values.setdefault(row["round"], []).append(row["value"])
    rows = [
        row
        for row in tables["comparisons"]
        if (row["arm"], row["reference"], row["metric"]) == ("paper", GENERIC, "brier")
    ]
    assert [row["round"] for row in rows] == list(range(1, N_ROUNDS + 1))
    for row in rows:
        after, before = np.array(values[row["round"]]), np.array(values[0])
        u = stats.mannwhitneyu(after, before)
        w = stats.wilcoxon(after, before, method="exact")
        assert (row["mann_whitney_u"], row["mann_whitney_p"]) == (u.statistic, u.pvalue)
        assert (row["wilcoxon"], row["wilcoxon_p"]) == pytest.approx((w.statistic, w.pvalue))
        assert row["difference"] == pytest.approx(np.mean(after - before))
    for name in ("mann_whitney", "wilcoxon"):
        adjusted = holm(np.array([row[f"{name}_p"] for row in rows]))
        assert [row[f"{name}_holm"] for row in rows] == pytest.approx(adjusted)


def test_arms_are_compared_over_the_patients_they_share(tables):
    rows = [row for row in tables["comparisons"] if row["reference"] == "paper"]
    assert {row["arm"] for row in rows} == {"forward"}
    assert {row["patients"] for row in rows} == {3}
    shared = [row for row in tables["resampled_patients"] if row["other_arm"] == "paper"]
    assert {subject for row in shared for subject in row["subject_ids"]} == {10013, 11442, 12108}


def test_before_and_after_are_over_the_same_people():
    nan = np.nan
    values = np.array([[0.1, nan, 0.5], [0.3, 0.2, 0.7], [0.9, 0.9, nan], [nan, 0.8, 0.6]])
    curves = MetricCurves((1, 2, 3, 4), np.full(4, 2), values, np.repeat(values[..., None], 2000, axis=2))
    rows = average_rows("forward", "vote", "ppv", curves, resample_patients((1, 2, 3, 4), 1, "forward", None))
    assert [row["patients"] for row in rows] == [2, 1, 2]
    assert [row["mean"] for row in rows] == pytest.approx([0.2, 0.2, 0.6])
    assert (rows[0]["low"], rows[0]["high"]) == pytest.approx((0.1, 0.3))
    assert (rows[1]["low"], rows[1]["high"]) == (None, None)  # of one patient


def test_p_values_between_arms_are_adjusted_over_every_pair_and_metric():
    subjects, random = tuple(range(9)), np.random.default_rng(1)
    arms = ("a", "b", "c", "d")
    people = {(one, other): resample_patients(subjects, 1, one, other) for one, other in combinations(arms, 2)}
    rows = []
    for metric in ("auc", "brier"):
        curves = {arm: MetricCurves(subjects, np.full(9, 2), random.random((9, 3)), None) for arm in arms}
        rows += comparison_rows(None, metric, curves, people)
    assert {(row["round"], row["reference"] == GENERIC) for row in rows} == {(2, False)}
    found = adjust_between_arms(rows)
    assert len(found) == 12
    for name in ("mann_whitney", "wilcoxon"):
        p_values = np.array([row[f"{name}_p"] for row in found])
        assert [row[f"{name}_holm"] for row in found] == pytest.approx(holm(p_values))
        smallest = found[int(np.argmin(p_values))]
        assert smallest[f"{name}_holm"] == pytest.approx(min(1, 12 * p_values.min()))


def test_rounds_that_nobody_in_an_arm_has_are_neither_tested_nor_adjusted_for(tables):
    subjects = tuple(range(7))
    values = 0.5 + 0.01 * np.arange(7)[:, None] * np.arange(6)

    def curves(last):
        kept = np.minimum(np.arange(6), last)
        return MetricCurves(subjects, np.full(7, last), values[:, kept], None)

    people = {("forward", None): resample_patients(subjects, 1, "forward", None)}
    people |= {(arm, "paper"): resample_patients(subjects, 1, arm, "paper") for arm in ("forward", "paper")}
    rows = adjust_between_arms(comparison_rows(None, "auc", {"forward": curves(3), "paper": curves(5)}, people))
    found = {(row["arm"], row["reference"]): [] for row in rows}
    for row in rows:
        found[row["arm"], row["reference"]].append(row)
    assert [row["round"] for row in found["forward", GENERIC]] == [1, 2, 3]
    assert [row["round"] for row in found["forward", "paper"]] == [5]
    first = found["forward", GENERIC][0]
    assert first["wilcoxon_holm"] == pytest.approx(3 * first["wilcoxon_p"])


def test_what_draws_are_worth_by_hand():
    """Four runs of two draws: between the positive ones alone is a difference, within the negative ones alone."""
    centered = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0, -1.0, 1.0])
    labels, ids = np.array([1, 1, 0, 0, 1, 1, 0, 0]), np.arange(8)

    class Test(SimpleNamespace):
        def __len__(self):
            return len(self.ids)

    trials = [
        SimpleNamespace(
            arm="forward",
            subject_id=subject,
            test=Test(ids=ids, labels=labels, logit=[None, 10 * labels + scale * centered]),
        )
        for subject, scale in ((1, 1.0), (2, 7.0))
    ]
    run_of = {("forward", subject): dict(enumerate("aabbccdd")) for subject in (1, 2)}
    for row in effective_sample_size_rows(find_episodes(trials, run_of)):
        assert (row["n_test"], row["episodes"]) == (8, 4)
        assert row["correlation"] == pytest.approx(1 / 3)
        assert row["effective_draws"] == pytest.approx(6)


def test_draws_are_worth_at_least_as_much_as_their_episodes(tables):
    assert len(tables["effective_sample_size"]) == 7
    for row in tables["effective_sample_size"]:
        assert row["episodes"] - 1e-9 <= row["effective_draws"] <= row["n_test"]


def test_an_arm_that_nobody_can_be_evaluated_in_leaves_empty_rows(tmp_path, study):
    write_results(tmp_path, study, personal=(10013,), unevaluable=tuple(study.arms))
    averages = read_table(tmp_path / "evaluation/averages.parquet", "averages").to_pylist()
    assert {row["patients"] for row in averages} == {0}
    assert read_table(tmp_path / "evaluation/alerts.parquet", "alerts").num_rows == 0
