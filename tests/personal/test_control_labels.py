import dataclasses
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.personal.controls.labels import label_by_control
from kalemia.personal.episodes import Draw
from kalemia.personal.splits import count_test_runs, relabel_split, write_split

START = datetime(2150, 3, 1)
ROLLING = config.Arm(protocol="rolling", purge_hours=1.0)


def _draws(labels):
    return [Draw(i, START + timedelta(hours=6 * i), label, f"r{i // 2}", 1) for i, label in enumerate(labels)]


def test_as_many_draws_are_high_and_low_as_are_positive_and_negative():
    draws = _draws([1, 0, 0, None, 1, 0])
    assert label_by_control(draws, {0: 139, 1: 145, 2: 131, 3: 150, 4: 135, 5: 141}) == {
        3: 1, 1: 1, 2: 0, 4: 0, 0: 0,
    }  # fmt: skip


def test_a_draw_without_a_value_has_no_label_and_does_not_count():
    labels = label_by_control(_draws([1, 1, 0, 0, 0]), {1: 3.0, 2: 1.0, 3: 2.0})
    assert labels == {1: 1, 2: 0, 3: 0}


def test_equal_values_that_reach_into_both_classes_have_no_label():
    assert label_by_control(_draws([1, 1, 0, 0]), {0: 5.0, 1: 7.0, 2: 5.0, 3: 4.0}) == {1: 1, 3: 0}


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 0, None], []])
def test_without_both_classes_among_the_draws_with_a_value_there_are_no_labels(labels):
    assert label_by_control(_draws(labels), dict.fromkeys(range(3), 1.0)) == {}


@given(
    st.lists(st.sampled_from([0, 1, None]), min_size=1, max_size=30),
    st.lists(st.one_of(st.none(), st.integers(130, 145)), min_size=30, max_size=30),
)
def test_every_high_value_is_above_every_low_one(labels, values):
    value_of = {i: float(value) for i, value in enumerate(values[: len(labels)]) if value is not None}
    found = label_by_control(_draws(labels), value_of)
    high, low = ([value_of[draw] for draw, label in found.items() if label == side] for side in (1, 0))
    assert found.keys() <= value_of.keys()
    assert not high or not low or min(high) > max(low)


@given(st.lists(st.sampled_from([0, 1, None]), min_size=4, max_size=30), st.randoms())
def test_the_study_s_own_values_keep_its_labels(labels, random):
    value_of = {i: {0: 4.0, None: 5.2, 1: 6.0}[label] + random.uniform(0, 0.1) for i, label in enumerate(labels)}
    found = label_by_control(_draws(labels), value_of)
    expected = {i: label for i, label in enumerate(labels) if label is not None}
    assert found == (expected if {0, 1} <= set(labels) else {})


def _split_file(tmp_path, labels, arm=ROLLING):
    from kalemia.core.tables import read_json
    from kalemia.personal.splits import split_draws

    draws = _draws(labels)
    split = split_draws(arm, draws, config.Personal(), 1, 7)
    write_split(tmp_path / "split.json", split, "rolling", arm, draws, {}, 7, 1, "")
    return read_json(tmp_path / "split.json")


def test_other_labels_are_split_by_the_same_protocol_from_the_same_draws(tmp_path):
    split = _split_file(tmp_path, [1, 1, 0, 0] * 4)
    swapped = {row["draw_id"]: 1 - row["label"] for row in split["draws"]}
    other = relabel_split(split, swapped, ROLLING, config.Personal(), 1)
    assert [sorted(pair) for pair in other["rounds"]] == [sorted(pair) for pair in split["rounds"]]
    assert [list(pair) for pair in other["rounds"]] == [pair[::-1] for pair in split["rounds"]]
    assert list(other["test"]) == split["test"]
    assert count_test_runs(other) == count_test_runs(split)


def test_labels_that_allow_no_round_say_why(tmp_path):
    split = _split_file(tmp_path, [1, 1, 0, 0] * 4)
    one_late = {row["draw_id"]: int(row["draw_id"] == 15) for row in split["draws"]}
    other = relabel_split(split, one_late, ROLLING, config.Personal(), 1)
    assert not other["rounds"]
    assert "too few draws of a class" in other["reason"]


def test_a_relabeled_split_keeps_the_promise_of_its_protocol(tmp_path):
    split = _split_file(tmp_path, [1, 1, 0, 0] * 4)
    label_of = {row["draw_id"]: row["label"] for row in split["draws"]}
    strict = split | {"purge_hours": 100.0}
    with pytest.raises(UserError, match="violates the protocol"):
        relabel_split(strict, label_of, dataclasses.replace(ROLLING, purge_hours=1.0), config.Personal(), 1)
