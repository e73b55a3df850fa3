"""Claims about the generic network on people it never saw, and the simpler scores beside it."""

import numpy as np
import pyarrow as pa
import pytest

from beat_shards import START, write_generic_cohort
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.evaluation.between_patients.claims import decide_between_patients
from kalemia.evaluation.between_patients.comparators import COMPARATORS, write_comparators
from kalemia.stats.draw_metrics import area_under_roc


def _predictions(rows: list[dict]) -> pa.Table:
    made_up = {"draw_time": START, "value": 4.0, "n_beats": 1, "votes": 0, "probability": 0.5, "decision": 0}
    return table_from_rows("predictions", [made_up | row for row in rows])


def _decide(labels, logit, others, smallest_gain=0.05):
    test = _predictions(
        [
            {"subject_id": at, "draw_id": at, "label": label, "role": "test", "logit": score}
            for at, (label, score) in enumerate(zip(labels.tolist(), logit.tolist(), strict=True))
        ]
    )
    scores = {name: pa.table({"score": others}) for name in COMPARATORS}
    return decide_between_patients(test, scores, smallest_gain, "potassium")


@pytest.fixture
def people():
    """The labels of 80 people, half of them positive, a score that reads them, and one that does not."""
    random = np.random.default_rng(2)
    labels = np.repeat([1, 0], 40)
    return labels, random.normal(2.5 * labels, 1.0), random.normal(size=80)


def test_a_network_that_reads_more_than_simpler_scores_shows_both_claims(people):
    labels, reads, noise = people
    found = _decide(labels, reads, noise)
    assert found["people"] == {"positive": 40, "negative": 40}
    assert [one["state"] for one in found["claims"].values()] == ["shown", "shown"]
    assert "AUC +0." in found["claims"]["reads"]["reason"]


def test_a_network_that_is_no_better_than_simpler_scores_shows_the_first_claim_alone(people):
    labels, reads, noise = people
    found = _decide(labels, reads, reads + 0.1 * noise)
    assert [one["state"] for one in found["claims"].values()] == ["shown", "excluded"]
    assert _decide(labels, reads, reads + 0.1 * noise, 0.001)["claims"]["needs_network"]["state"] == "open"


def test_noise_shows_nothing_and_the_second_claim_is_not_tested(people):
    labels, reads, noise = people
    found = _decide(labels, noise, -reads)["claims"]
    assert [one["state"] for one in found.values()] == ["open", "open"]
    assert found["needs_network"]["reason"] == "not tested, because “reads” is not shown"


def test_fewer_than_eight_people_of_a_class_decide_nothing(people):
    labels, reads, noise = (column[[*range(7), *range(40, 80)]] for column in people)
    found = _decide(labels, reads, noise)["claims"]["reads"]
    assert found["state"] == "open"
    assert found["reason"] == "the test has 7 people with positive draws, and at least 8 of each class are needed"


def test_without_a_test_draw_nothing_is_decided():
    found = _decide(np.zeros(0, int), np.zeros(0), np.zeros(0))
    assert {one["state"] for one in found["claims"].values()} == {"open"}


def test_comparators_learn_from_the_other_draws_and_score_the_test_draws(tmp_path, study):
    draws_path, beats_path = write_generic_cohort(tmp_path, subjects_per_split=12, beats_per_draw=5)
    rows = [
        {"subject_id": row["subject_id"], "draw_id": row["draw_id"], "label": row["label"], "role": row["split"]}
        for row in read_table(draws_path, "generic").to_pylist()
    ]
    write_table(tmp_path / "predictions.parquet", "predictions", _predictions([row | {"logit": 0.0} for row in rows]))
    paths = tmp_path / "predictions.parquet", beats_path
    write_comparators(*paths, study.analyte.positive, "digest", tmp_path / "comparators.parquet")
    scored = read_table(tmp_path / "comparators.parquet", "comparators", digest="digest").to_pylist()
    by_name = {name: [row for row in scored if row["baseline"] == name] for name in COMPARATORS}
    tested = {row["draw_id"] for row in rows if row["role"] == "test"}
    assert all({row["draw_id"] for row in of} == tested for of in by_name.values())
    auc = {
        name: area_under_roc(*(np.array([row[key] for row in of], float) for key in ("label", "score")))
        for name, of in by_name.items()
    }
    assert min(auc["mean_beat"], auc["minirocket"], auc["ecg_measures"]) > 0.9  # the T wave is planted
    assert auc["heart_rate"] == pytest.approx(0.5)  # all the same
