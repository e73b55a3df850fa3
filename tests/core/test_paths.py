import os

from kalemia.core.paths import (
    ResultPaths,
    SubjectRounds,
    cached_by_mtime,
    round_of_path,
    split_into_batches,
    subject_id,
    subject_name,
)


def test_names_of_subjects_have_six_digits():
    assert subject_name(10059) == "p010059"
    assert subject_id("p010059") == 10059


def test_the_path_of_a_round_names_arm_subject_and_round():
    path = ResultPaths("results").round_file("paper", "p000007", 3, "model.safetensors")
    assert path == "results/personal/paper/p000007/round-3/model.safetensors"
    assert round_of_path(path) == {"arm": "paper", "subject_id": 7, "round": 3}


def test_batches_hold_ten_subjects():
    assert list(map(len, split_into_batches([str(n) for n in range(23)]))) == [10, 10, 3]


def test_round_0_has_predictions_and_no_weights():
    path, rounds = ResultPaths("x"), [SubjectRounds("paper", "p000007", 1)]
    assert path.round_predictions(rounds) == [
        f"x/personal/paper/p000007/round-{k}/predictions.parquet" for k in range(2)
    ]
    assert path.round_weights(rounds) == path.last_weights(rounds)


def test_negative_controls_are_files_of_one_patient_or_one_per_arm(study):
    path, arms = ResultPaths("x"), study.arms
    rounds = [SubjectRounds(arm, subject, 2) for arm in arms for subject in ("p000007", "p000009")]
    nulls = path.nulls(rounds, arms)
    trained = [
        f"x/personal/{name}/{subject}/nulls/{chunk}.parquet"
        for name, arm in arms.items()
        for subject in ("p000007", "p000009")
        for chunk in arm.null_chunks
    ]
    assert trained
    assert nulls[: len(trained)] == trained
    assert all(file.endswith("/cross_patient.parquet") for file in nulls[len(trained) :])
    assert path.nulls([], arms) == []


def test_a_file_is_read_again_only_after_it_has_changed(tmp_path):
    calls = []
    read = cached_by_mtime(lambda path: calls.append(path) or len(calls))
    path = str(tmp_path / "a")
    open(path, "w").close()
    assert [read(path), read(path)] == [1, 1]
    os.utime(path, (5, 5))
    assert read(path) == 2
