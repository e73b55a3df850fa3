from datetime import datetime, timedelta

import pytest

from kalemia.core.errors import UserError
from kalemia.core.tables import empty_table, read_table, table_from_rows, write_table
from kalemia.personal.arms import splits_of_arms, write_arms, write_subject_split
from kalemia.personal.splits import read_split


def _draws(subject, labels):
    start = datetime(2150, 1, 1)
    return [
        {
            "subject_id": subject,
            "draw_id": 100 * subject + i,
            "draw_time": start + timedelta(hours=3 * i),
            "label": label,
            "hadm_id": 100 + subject,
            "recording": f"p{subject}-{i // 3}",
        }
        for i, label in enumerate(labels)
    ]


def test_every_arm_and_patient_has_its_rounds_or_a_reason(tmp_path, study):
    draws = _draws(7, [1, 1, 0, 0, None] * 5) + _draws(8, [1] * 9 + [0] * 9)
    write_table(tmp_path / "personal.parquet", "personal", table_from_rows("personal", draws))
    write_arms(tmp_path / "personal.parquet", study.arms, study.personal, 5, "", tmp_path / "arms.parquet")
    rows = read_table(tmp_path / "arms.parquet", "arms").to_pylist()
    rounds = {(row["arm"], row["subject_id"]): row["rounds"] for row in rows}
    assert rounds == {("paper", 7): 5, ("paper", 8): 5, ("forward", 7): 5, ("forward", 8): 0}
    assert [row["reason"] is None for row in rows] == [row["rounds"] > 0 for row in rows]


def test_the_split_file_of_a_patient_has_the_rounds_that_were_counted(tmp_path, study):
    draws = _draws(7, [1, 1, 0, 0, None] * 5)
    write_table(tmp_path / "personal.parquet", "personal", table_from_rows("personal", draws))
    excluded = draws[0] | {"draw_id": 1, "reason": "too few good beats"}
    write_table(tmp_path / "q.parquet", "quality", table_from_rows("quality", [excluded, *draws]))
    splits = splits_of_arms(tmp_path / "personal.parquet", study.arms, study.personal, 5)
    write_table(tmp_path / "b.parquet", "beats", empty_table("beats"))
    for arm, settings in study.arms.items():
        write_subject_split(
            tmp_path / "q.parquet", tmp_path / "b.parquet", arm, settings, study.personal, 5, "", tmp_path / "s.json"
        )
        written, counted = read_split(tmp_path / "s.json"), splits[arm, 7]
        assert [tuple(pair) for pair in written["rounds"]] == list(counted.rounds)
        assert tuple(written["test"]) == counted.test


def test_a_subject_without_usable_draws_cannot_be_personalized(tmp_path, study):
    excluded = _draws(7, [1])[0] | {"reason": "too few good beats"}
    write_table(tmp_path / "q.parquet", "quality", table_from_rows("quality", [excluded]))
    write_table(tmp_path / "b.parquet", "beats", empty_table("beats"))
    paths = tmp_path / "q.parquet", tmp_path / "b.parquet"
    with pytest.raises(UserError, match=r"q\.parquet: the subject has no usable draws"):
        write_subject_split(*paths, "paper", study.arms["paper"], study.personal, 5, "", tmp_path / "s.json")
