from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kalemia.core.tables import read_json, read_table, table_from_rows, write_json, write_table
from kalemia.evaluation.round_metrics import carried_forward, write_rounds, write_summary
from kalemia.stats.draw_metrics import area_under_roc, beat_metrics, draw_decisions, draw_metrics


def test_majority_decides_and_the_mean_logit_settles_a_tie():
    votes, n_beats, logit = np.array([6, 4, 5, 5]), np.full(4, 10), np.array([-1.0, 1.0, 0.1, -0.1])
    assert draw_decisions(votes, n_beats, logit, "vote").tolist() == [1, 0, 1, 0]
    assert draw_decisions(votes, n_beats, logit, "mean_logit").tolist() == [0, 1, 1, 0]


def test_metrics_by_hand():
    labels, scores = np.array([1, 1, 1, 0, 0]), np.array([2.0, 1.0, -1.0, 0.5, -2.0])
    metrics = draw_metrics(labels, scores, (scores > 0).astype(int))
    assert metrics == {
        "accuracy": 0.6,
        "auc": pytest.approx(5 / 6),
        "sensitivity": pytest.approx(2 / 3),
        "specificity": 0.5,
    }


def test_a_missing_class_has_no_metric():
    metrics = draw_metrics(np.ones(3), np.zeros(3), np.ones(3))
    assert metrics["sensitivity"] == 1
    assert np.isnan(metrics["auc"])
    assert np.isnan(metrics["specificity"])


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=2).filter(lambda x: len({a for a, _ in x}) == 2)
)
def test_the_area_is_sklearn_s(pairs):
    labels, scores = np.array(pairs).T
    assert area_under_roc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


def _write_predictions(folder, arm, subject, round_, right):
    """Four test draws, of which the first `right` are decided rightly, and a training draw decided wrongly."""
    rows = []
    for i, label in enumerate([1, 0, 1, 0, 1]):
        decision = label if i < right else 1 - label
        row = {"subject_id": subject, "draw_id": i, "draw_time": datetime(2150, 1, 1 + i), "value": 4.0 + 2 * label}
        row |= {"label": label, "role": "test" if i < 4 else "train", "n_beats": 9, "votes": 9 * decision}
        logit = 2.0 * decision - 1
        rows.append(row | {"logit": logit, "probability": 1 / (1 + np.exp(-logit)), "decision": decision})
    path = folder / arm / f"p{subject:06d}" / f"round-{round_}" / "predictions.parquet"
    write_table(path, "predictions", table_from_rows("predictions", rows))
    return path


@pytest.fixture
def rounds(tmp_path):
    paths = [_write_predictions(tmp_path, "paper", 7, k, right) for k, right in enumerate([2, 3, 4])]
    paths += [_write_predictions(tmp_path, "paper", 8, k, right) for k, right in enumerate([0, 2])]
    write_rounds(paths, tmp_path, "")
    return read_table(tmp_path / "rounds.parquet", "rounds")


def test_rounds_count_test_draws_alone(rounds):
    rows = rounds.to_pylist()
    assert [(row["subject_id"], row["round"], row["accuracy"]) for row in rows] == [
        (7, 0, 0.5), (7, 1, 0.75), (7, 2, 1.0), (8, 0, 0.0), (8, 1, 0.5),
    ]  # fmt: skip
    assert {(row["n_test"], row["n_positive"]) for row in rows} == {(4, 2)}


def test_beats_have_metrics_of_their_own():
    beats = {1: [2.0, -1.0, 0.5], 2: [-3.0, 1.0], 3: [9.0]}
    predictions = table_from_rows(
        "predictions",
        [
            {"draw_id": draw, "label": label, "role": role, "beat_logits": beats[draw]}
            for draw, label, role in ((1, 1, "test"), (2, 0, "test"), (3, 0, "train"))
        ],
    )
    found = beat_metrics(predictions, "test")
    assert found == {
        "beat_accuracy": pytest.approx(3 / 5),
        "beat_auc": pytest.approx(4 / 6),
        "beat_sensitivity": pytest.approx(2 / 3),
        "beat_specificity": 1 / 2,
    }


def test_a_patient_with_fewer_rounds_keeps_the_last_value(rounds):
    curves = carried_forward(rounds, "paper", 2)
    assert curves["accuracy"].tolist() == [[0.5, 0.75, 1.0], [0.0, 0.5, 0.5]]


def test_the_summary_averages_over_patients_and_names_who_is_missing(tmp_path, rounds):
    personal = [
        {"arm": "paper", "subject_id": 7, "rounds": 2},
        {"arm": "paper", "subject_id": 8, "rounds": 1},
        {"arm": "paper", "subject_id": 9, "rounds": 0, "reason": "why"},
    ]
    write_table(tmp_path / "arms.parquet", "arms", table_from_rows("arms", personal))
    write_json(tmp_path / "metrics.json", {"test": {"auc": 0.7}})
    write_summary(
        tmp_path / "rounds.parquet", tmp_path / "metrics.json", tmp_path / "arms.parquet", ["paper"],
        tmp_path / "summary.json", True,
    )  # fmt: skip
    summary = read_json(tmp_path / "summary.json")
    arm = summary["arms"]["paper"]
    assert summary["simulated"] is True
    assert (arm["patients"], arm["not_evaluable"]) == (2, {"p000009": "why"})
    assert arm["rounds"][2]["accuracy"] == {"mean": 0.75, "sd": pytest.approx(np.sqrt(0.125)), "n": 2}
