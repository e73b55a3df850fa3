import dataclasses
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.errors import UserError
from kalemia.splits import Draw, forward_split, paper_split, read_split, split_draws, write_split

START = datetime(2150, 1, 1)


def _draws(labels, hours_apart=4):
    """One draw a character: + positive, - negative, . neither."""
    label_of = {"+": 1, "-": 0, ".": None}
    return [Draw(i, START + timedelta(hours=hours_apart * i), label_of[c]) for i, c in enumerate(labels)]


def test_forward_by_hand(study):
    split = forward_split(_draws("--++--++-+-+"), study.personal)
    assert split.test == (8, 9, 10, 11)
    assert split.rounds == ((2, 0), (3, 1), (6, 4), (7, 5))
    assert split.test_from == START + timedelta(hours=32)


def test_forward_leaves_a_gap_before_the_test(study):
    settings = dataclasses.replace(study.personal, purge_hours=5.0)
    split = forward_split(_draws("--++--++-+-+"), settings)
    assert split.rounds == ((2, 0), (3, 1), (6, 4))


def test_forward_is_impossible_when_all_positives_come_first(study):
    split = forward_split(_draws("++++++++--------"), study.personal)
    assert (split.rounds, split.test) == ((), ())
    assert split.reason == "no moment has both classes before it and enough of both after it"


def test_paper_holds_out_a_quarter_of_each_class_rounded_up(study):
    split = paper_split(_draws("+" * 9 + "-" * 8), study.personal, 1, 7)
    assert sum(draw < 9 for draw in split.test) == 3
    assert sum(draw >= 9 for draw in split.test) == 2
    assert len(split.rounds) == 5
    assert all(positive < 9 <= negative for positive, negative in split.rounds)


def test_paper_depends_on_seed_and_subject(study):
    draws = _draws("+" * 9 + "-" * 9)
    splits = {paper_split(draws, study.personal, seed, subject) for seed in (1, 2) for subject in (7, 8)}
    assert len(splits) == 4


def test_as_many_rounds_as_pairs_are_left(study):
    split = paper_split(_draws("++++" + "-" * 9), study.personal, 1, 7)
    assert len(split.rounds) == 2


histories = st.text("+-.", max_size=40)


@given(histories, st.sampled_from(["paper", "forward"]), st.integers(0, 3), st.randoms())
def test_no_draw_is_both_learned_and_tested_in_any_order(study, labels, protocol, seed, random):
    draws = _draws(labels)
    split = split_draws(protocol, draws, study.personal, seed, 7)
    shuffled = draws.copy()
    random.shuffle(shuffled)
    assert split_draws(protocol, shuffled, study.personal, seed, 7) == split
    learned = [draw for pair in split.rounds for draw in pair]
    assert len(set(learned)) == len(learned)
    assert not set(learned) & set(split.test)
    assert (split.reason is None) == bool(split.rounds) == bool(split.test)
    assert len(split.rounds) <= study.personal.max_rounds
    for positive, negative in split.rounds:
        assert (labels[positive], labels[negative]) == ("+", "-")
    if split.test:
        assert min(sum(labels[draw] == sign for draw in split.test) for sign in "+-") >= 2


@given(histories)
def test_forward_learns_only_from_the_past_and_in_its_order(study, labels):
    split = split_draws("forward", _draws(labels), study.personal, 0, 7)
    learned = [draw for pair in split.rounds for draw in pair]
    if learned:
        assert max(learned) < min(split.test)
        for earlier, later in zip(split.rounds, split.rounds[1:], strict=False):
            assert earlier[0] < later[0]
            assert earlier[1] < later[1]


def test_draws_of_one_moment_are_never_divided(study):
    draws = [Draw(i, START + timedelta(hours=i // 4), i % 2) for i in range(16)]
    split = forward_split(draws, study.personal)
    assert min(split.test) % 4 == 0


def test_a_split_comes_back_from_its_file(tmp_path, study):
    split = forward_split(_draws("--++--++-+-+"), study.personal)
    write_split(tmp_path / "split.json", split, "forward", "forward", 7, 1, "d")
    back = read_split(tmp_path / "split.json")
    assert back["rounds"] == [[2, 0], [3, 1], [6, 4], [7, 5]]
    assert back["test"] == [8, 9, 10, 11]
    assert back["test_from"] == "2150-01-02T08:00:00"


def test_a_file_that_tests_on_what_it_learned_is_refused(tmp_path, study):
    split = dataclasses.replace(forward_split(_draws("--++--++-+-+"), study.personal), test=(7, 8))
    write_split(tmp_path / "split.json", split, "forward", "forward", 7, 1, "d")
    with pytest.raises(UserError, match="draw 7 is used twice"):
        read_split(tmp_path / "split.json")
