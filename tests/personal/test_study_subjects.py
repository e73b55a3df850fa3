import os
from datetime import datetime, timedelta

import pytest

from kalemia.core.errors import UserError
from kalemia.core.tables import table_from_rows, write_table
from kalemia.personal.study_subjects import SubjectIndex, read_rounds

START = datetime(2100, 1, 1)


def _write(path, kind, rows):
    write_table(path, kind, table_from_rows(kind, rows))
    return str(path)


def _write_subjects(path, numbers):
    return _write(path, "subjects", [{"subject_id": number, "candidate_population": "generic"} for number in numbers])


def _draws(subject, n, label_of):
    return [
        {
            "subject_id": subject,
            "draw_id": 100 * subject + k,
            "draw_time": START + k * timedelta(days=3),
            "label": label_of(k),
            "recording": f"r{k}",
        }
        for k in range(n)
    ]


def test_subjects_are_in_batches_of_neighbors(tmp_path, study):
    subjects, path = SubjectIndex(study), _write_subjects(tmp_path / "subjects.parquet", range(12))
    assert list(map(len, subjects.batches(path))) == [10, 2]
    assert (subjects.batch_number(path, "p000009"), subjects.batch_number(path, "p000010")) == (0, 1)
    with pytest.raises(UserError, match="p000077: none of its draws is read"):
        subjects.batch_number(path, "p000077")


def test_a_changed_table_is_read_again(tmp_path, study):
    subjects, path = SubjectIndex(study), _write_subjects(tmp_path / "subjects.parquet", [7])
    assert subjects.batches(path) == [["p000007"]]
    _write_subjects(tmp_path / "subjects.parquet", [8])
    os.utime(path, (1, 1))
    assert subjects.batches(path) == [["p000008"]]


def test_subjects_have_a_population_or_none(tmp_path, study):
    rows = [{"subject_id": 7, "population": "personal"}, {"subject_id": 9, "population": None}]
    path = _write(tmp_path / "populations.parquet", "populations", rows)
    assert SubjectIndex(study).populations(path) == {"p000007": "personal", "p000009": None}


def test_only_arms_with_rounds_are_evaluable(tmp_path, study):
    draws = [*_draws(7, 12, lambda k: k % 2), *_draws(9, 12, lambda k: 1)]
    path = _write(tmp_path / "personal.parquet", "personal", draws)
    subjects, rounds = SubjectIndex(study), read_rounds(study, path)
    assert {(row.arm, row.subject) for row in rounds} == {
        (arm, s) for arm in study.arms for s in ("p000007", "p000009")
    }
    evaluable = subjects.evaluable_rounds(path)
    assert evaluable == [row for row in rounds if row.n_rounds]
    assert {row.subject for row in evaluable} == {"p000007"}
    assert subjects.evaluable_arms(path, "p000007") == evaluable
    assert list(subjects.evaluable_arms(path, "p000009")) == []
