import dataclasses

import numpy as np
import pytest

from kalemia.core.tables import read_json, table_from_rows, write_table
from kalemia.evaluation.verdict import (
    MIN_PATIENTS,
    NOT_SUPPORTED,
    SUPPORTED,
    UNKNOWN,
    arm_verdict,
    decide_verdict,
    rank_among_nulls,
    sentence,
    study_verdict,
    write_verdict,
)

FOUND = {
    "protocol": "forward",
    "patients": 12,
    "interval": [0.02, 0.2],
    "nulls": {
        "shifted": {"patients": 12, "runs": 19, "rank": 1, "p": 0.05},
        "shuffled": {"patients": 12, "runs": 39, "rank": 2, "p": 0.05},
    },
}


def _judged(**changes):
    return decide_verdict(FOUND | changes)[0]


def test_better_than_baselines_and_than_all_nulls_is_supported():
    assert _judged() == SUPPORTED


def test_a_null_that_does_as_well_refuses():
    nulls = FOUND["nulls"] | {"shifted": {"patients": 12, "runs": 19, "rank": 2, "p": 0.1}}
    assert _judged(nulls=nulls) == NOT_SUPPORTED
    assert _judged(nulls=nulls, protocol="paper") == NOT_SUPPORTED
    assert (
        decide_verdict(FOUND | {"nulls": nulls})[1]
        == "among the negative controls, 1 of 19 shifted-label runs did as well"
    )


def test_enough_runs_of_one_control_with_false_labels_decide():
    few = {"patients": 12, "runs": 3, "rank": 4, "p": 1.0}
    nulls = FOUND["nulls"] | {"shuffled": few}
    assert _judged(nulls=nulls) == SUPPORTED
    assert _judged(nulls=nulls | {"shifted": {"patients": 12, "runs": 19, "rank": 2, "p": 0.1}}) == NOT_SUPPORTED


def test_what_is_supported_says_which_runs_did_as_well_and_which_were_not_counted():
    counts = "0 of 19 shifted-label and 1 of 39 shuffled-label runs did as well"
    said = f"better than the best baseline; among the negative controls, {counts}"
    assert decide_verdict(FOUND) == (SUPPORTED, said)
    few = {
        "stranger": {"patients": 12, "runs": 5, "rank": 6, "p": 1.0},
        "between_beats": {"patients": 1, "runs": 19, "rank": 20, "p": 1.0},
    }
    assert decide_verdict(FOUND | {"nulls": FOUND["nulls"] | few}) == (
        SUPPORTED,
        f"{said} (too few to count: 5 cross-patient runs in 12 patients and 19 TP-segment runs in 1 patient)",
    )


def test_worse_than_the_best_baseline_refuses():
    assert _judged(interval=[-0.2, -0.01]) == NOT_SUPPORTED


@pytest.mark.parametrize(
    "changes",
    [
        {"patients": MIN_PATIENTS - 1},
        {"interval": [-0.01, 0.2]},
        {"nulls": {}},
        {"nulls": {"between_beats": {"patients": 12, "runs": 19, "rank": 1, "p": 0.05}}},
        {"nulls": {"stranger": {"patients": 12, "runs": 19, "rank": 1, "p": 0.05}}},
        {"nulls": {"shifted": {"patients": 12, "runs": 18, "rank": 18, "p": 0.9}}},
        {"nulls": {"shifted": {"patients": MIN_PATIENTS - 1, "runs": 19, "rank": 19, "p": 0.95}}},
        {"protocol": "paper"},
    ],
)
def test_what_cannot_be_told(changes):
    assert _judged(**changes) == UNKNOWN


def test_few_patients_are_never_a_refusal():
    assert _judged(patients=5, interval=[-0.9, -0.5]) == UNKNOWN


def test_the_sentence_gives_the_reason_and_the_distance_to_the_best_baseline():
    found = FOUND | {"auc": 0.8, "difference": 0.1, "best_baseline": "last_value", "verdict": UNKNOWN, "reason": "few"}
    assert sentence("forward", found) == (
        "Cannot be told: few. In the forward arm the personalized networks reached a mean AUC of 0.80 (12 patients),"
        " which is 0.10 above the best baseline (last value; 95% CI 0.02 to 0.20 above)."
    )
    worse = found | {"difference": -0.1, "interval": [-0.17, -0.03]}
    assert "which is 0.10 below the best baseline (last value; 95% CI 0.03 to 0.17 below)" in sentence("forward", worse)
    equal = found | {"difference": -0.001}
    assert "(12 patients), which equals that of the best baseline (last value;" in sentence("forward", equal)
    unsure = found | {"interval": [-0.05, 0.2]}
    assert "(last value; 95% CI 0.05 below to 0.20 above)" in sentence("forward", unsure)


def test_the_sentence_gives_no_interval_for_one_patient():
    found = FOUND | {"auc": 0.8, "difference": 0.1, "best_baseline": "last_value", "verdict": UNKNOWN, "reason": "few"}
    assert "0.10 above the best baseline (last value)." in sentence("forward", found | {"patients": 1})


def _row(subject, repeat, auc):
    return {"subject_id": subject, "repeat": repeat, "auc": auc}


def test_the_place_among_a_null_by_hand():
    rows = [_row(7, 0, 0.4), _row(8, 0, 0.6), _row(7, 1, 0.9), _row(8, 1, 0.9), _row(7, 2, 0.6), _row(8, 2, 0.8)]
    place = rank_among_nulls({7: 0.6, 8: 0.8, 9: 0.1}, rows)
    assert (place["patients"], place["runs"], place["rank"], place["p"]) == (2, 3, 3, 0.75)
    assert place["truth"] == pytest.approx(0.7)
    assert place["aucs"] == pytest.approx([0.5, 0.9, 0.7])


def test_a_run_with_the_same_areas_in_another_order_did_as_well():
    areas, swapped = np.array([1, 1, 1, 2]) / 15, np.array([1, 1, 2, 1]) / 15
    assert np.mean(swapped) < np.mean(areas)
    place = rank_among_nulls(dict(enumerate(areas)), [_row(subject, 0, auc) for subject, auc in enumerate(swapped)])
    assert place["rank"] == 2


def test_a_repeat_that_a_patient_lacks_is_not_averaged_over_the_others():
    place = rank_among_nulls({7: 0.6, 8: 0.8}, [_row(7, 0, 0.4), _row(8, 0, 0.6), _row(7, 1, 0.9)])
    assert place["runs"] == 1


@pytest.fixture
def tables(tmp_path):
    """Ten patients: 0.9 after the last round; two baselines, of which the better one is as good for the first."""
    rounds, baselines, nulls = [], [], []
    for subject in range(10):
        about = {"arm": "forward", "subject_id": subject, "n_test": 8, "n_positive": 4}
        rounds += [about | {"round": 0, "auc": 0.6}, about | {"round": 1, "auc": 0.9}]
        baselines += [
            about | {"baseline": "last_label", "auc": 0.7 if subject else 0.9},
            about | {"baseline": "generic", "auc": 0.6},
        ]
        nulls += [about | {"kind": "shifted", "repeat": r, "seed": r, "auc": 0.4 + 0.01 * r} for r in range(19)]
    names = {"rounds": rounds, "baseline_metrics": baselines, "nulls": nulls}
    for kind, rows in names.items():
        write_table(tmp_path / f"{kind}.parquet", kind, table_from_rows(kind, rows))
    return {kind: table_from_rows(kind, rows) for kind, rows in names.items()}


def test_a_verdict_with_all_its_figures(tables, study):
    found = arm_verdict(
        "forward", study.arms["forward"], tables["rounds"], tables["baseline_metrics"], tables["nulls"], 1
    )
    assert (found["verdict"], found["patients"], found["best_baseline"]) == (SUPPORTED, 10, "last_label")
    assert found["auc"] == pytest.approx(0.9)
    assert found["difference"] == pytest.approx(0.18)
    assert found["interval"][0] < 0.18 < found["interval"][1]
    assert found["nulls"]["shifted"]["rank"] == 1
    assert found["by_patient"]["0"] == pytest.approx(0)


def test_the_baseline_of_a_patient_may_be_chosen_on_the_others_alone(tables, study):
    """The first has the better one by far in what is worse for the two others, and so is given what is better there."""
    aucs = {"last_label": [1.0, 0.2, 0.2], "generic": [0.1, 0.5, 0.5]}
    rows = [
        {"arm": "forward", "subject_id": subject, "baseline": name, "n_test": 8, "n_positive": 4, "auc": auc}
        for name, values in aucs.items()
        for subject, auc in enumerate(values)
    ]
    baselines = table_from_rows("baseline_metrics", rows)
    found = arm_verdict("forward", study.arms["forward"], tables["rounds"].slice(0, 6), baselines, tables["nulls"], 1)
    assert found["patients"] == 3
    assert found["difference_chosen_elsewhere"] == pytest.approx(0.9 - np.mean([0.1, 0.2, 0.2]))


def test_an_arm_without_patients_cannot_be_told(tables, study):
    found = arm_verdict("paper", study.arms["paper"], tables["rounds"], tables["baseline_metrics"], tables["nulls"], 1)
    assert (found["verdict"], found["patients"]) == (UNKNOWN, 0)


def test_the_first_arm_that_keeps_neighbors_apart_decides(tables, study, tmp_path):
    paths = [tmp_path / f"{kind}.parquet" for kind in ("rounds", "baseline_metrics", "nulls")]
    write_verdict(*paths, {"paper": study.arms["paper"], "forward": study.arms["forward"]}, 1, tmp_path / "v.json")
    verdict = read_json(tmp_path / "v.json")
    assert (verdict["primary"], verdict["verdict"]) == ("forward", SUPPORTED)
    assert verdict["sentence"].startswith("Supported: better than the best baseline")
    assert "a mean AUC of 0.90 (10 patients)" in verdict["sentence"]
    assert "\n" not in verdict["sentence"]


def test_a_study_of_the_paper_s_protocol_alone_cannot_tell(tables, study):
    arm = dataclasses.replace(study.arms["paper"])
    found = arm_verdict("paper", arm, tables["rounds"], tables["baseline_metrics"], tables["nulls"], 1)
    assert study_verdict(None, {"paper": found})["verdict"] == UNKNOWN
