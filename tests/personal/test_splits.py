import dataclasses
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core.config import Personal
from kalemia.core.errors import UserError
from kalemia.core.seeds import rng
from kalemia.core.tables import read_json, write_json
from kalemia.personal.episodes import Draw, admissions, episodes
from kalemia.personal.leakage import BeatSpan, hours_between
from kalemia.personal.splits import (
    MIN_TEST_RUNS,
    count_runs,
    forward_split,
    paper_split,
    parse_split,
    predictions_by_round,
    read_split,
    rolling_split,
    split_draws,
    write_split,
)

START = datetime(2150, 1, 1)
PROTOCOLS = ("paper", "forward", "rolling", "episode", "admission")
HOLDING_OUT = tuple(protocol for protocol in PROTOCOLS if protocol != "rolling")  # test draws are never learned from


def _draws(labels, hours_apart=4, recordings="", admissions=""):
    """One draw a character: + positive, - negative, . neither; recordings and admissions one character each as well."""
    label_of = {"+": 1, "-": 0, ".": None}
    return [
        Draw(
            i,
            START + timedelta(hours=hours_apart * i),
            label_of[c],
            recordings[i] if recordings else f"r{i}",
            ord(admissions[i]) if admissions else 1,
        )
        for i, c in enumerate(labels)
    ]


@pytest.fixture
def arm(study):
    """Of a protocol, with a gap of one hour."""
    return lambda protocol, purge_hours=1.0: dataclasses.replace(
        study.arms["paper"], protocol=protocol, purge_hours=purge_hours
    )


def test_forward_by_hand(study):
    split = forward_split(_draws("--++--++-+-+"), 1.0, study.personal)
    assert split.test == (8, 9, 10, 11)
    assert split.rounds == ((2, 0), (3, 1), (6, 4), (7, 5))
    assert split.test_from == START + timedelta(hours=32)


def test_forward_leaves_a_gap_before_the_test(study):
    split = forward_split(_draws("--++--++-+-+"), 5.0, study.personal)
    assert split.rounds == ((2, 0), (3, 1), (6, 4))


def test_forward_is_impossible_when_all_positives_come_first(study):
    split = forward_split(_draws("++++++++--------"), 1.0, study.personal)
    assert (split.rounds, split.test) == ((), ())
    assert split.reason == "no moment has both classes before it and enough of both after it"


def test_forward_takes_a_longer_test_if_a_short_one_has_fewer_than_four_runs(study):
    split = forward_split(_draws("+-+-+-++--++++----"), 1.0, study.personal)
    assert split.test == tuple(range(7, 18))  # a quarter of the draws would be two runs


def test_a_forward_test_of_fewer_than_four_runs_is_impossible_and_says_so(study):
    split = forward_split(_draws("++++----++++----"), 1.0, study.personal)
    assert (split.rounds, split.test) == ((), ())
    assert split.reason.startswith("every possible test has fewer than 4 runs of one label")


def test_paper_holds_out_a_quarter_of_each_class_rounded_up(study):
    split = paper_split(_draws("+" * 9 + "-" * 8), 0.2, study.personal, rng(1, "a"))
    assert sum(draw < 9 for draw in split.test) == 3
    assert sum(draw >= 9 for draw in split.test) == 2
    assert len(split.rounds) == 5
    assert all(positive < 9 <= negative for positive, negative in split.rounds)


def test_paper_depends_on_seed_and_subject(study, arm):
    draws = _draws("+" * 9 + "-" * 9)
    splits = {split_draws(arm("paper"), draws, study.personal, seed, subject) for seed in (1, 2) for subject in (7, 8)}
    assert len(splits) == 4


def test_draws_in_a_test_recording_are_left_out_of_training(study, arm):
    draws = _draws("++--++--++--++--", recordings="aaabbbcccdddeeef")
    split = split_draws(arm("episode"), draws, study.personal, 1, 7)
    assert {draws[i].recording for i in split.test}.isdisjoint({draws[i].recording for i in split.training_draws})
    assert len(split.training_draws) < 12


def test_a_run_ends_with_the_admission():
    draws = _draws("++++", admissions="aabb")
    assert [[draw.draw_id for draw in group] for group in episodes(draws)] == [[0, 1], [2, 3]]
    assert [[draw.draw_id for draw in group] for group in admissions(draws)] == [[0, 1], [2, 3]]


def test_episode_never_divides_a_run(study, arm):
    split = split_draws(arm("episode"), _draws("++--++--++--++--"), study.personal, 1, 7)
    assert len(split.test) == 4
    assert {draw // 2 for draw in split.test}.isdisjoint(draw // 2 for draw in split.training_draws)


def test_episode_is_impossible_when_one_recording_holds_all(study, arm):
    split = split_draws(arm("episode"), _draws("++--++--", recordings="a" * 8), study.personal, 1, 7)
    assert split.reason == "no choice of whole episodes leaves both classes on both sides"


def test_admission_holds_out_a_whole_stay(study, arm):
    split = split_draws(arm("admission"), _draws("++--+-" * 2, admissions="aaaaaabbbbbb"), study.personal, 1, 7)
    assert {draw // 6 for draw in split.test}.isdisjoint(draw // 6 for draw in split.training_draws)
    assert len(split.test) == 6


def test_admission_is_impossible_within_one_stay_or_an_unknown_one(study, arm):
    draws = _draws("++--" * 4)
    assert split_draws(arm("admission"), draws, study.personal, 1, 7).reason == "all draws lie in one admission"
    unknown = [dataclasses.replace(draws[0], admission=None), *draws[1:]]
    assert "no known admission" in split_draws(arm("admission"), unknown, study.personal, 1, 7).reason


@pytest.mark.parametrize("protocol", ["paper", "forward", "episode"])
def test_the_reason_says_if_only_the_gap_makes_a_protocol_impossible(study, arm, protocol):
    draws = _draws("+-" * 9, hours_apart=5)
    assert split_draws(arm(protocol), draws, study.personal, 1, 7).rounds
    split = split_draws(arm(protocol, 96.0), draws, study.personal, 1, 7)
    assert split.reason == "possible only if training draws may lie within 96 hours of the test"


def test_a_whole_number_of_held_out_draws_is_not_rounded_up(study):
    settings = dataclasses.replace(study.personal, test_fraction=0.28)
    assert 0.28 * 25 > 7  # by the last bit
    assert len(paper_split(_draws("+" * 25 + "-" * 25), 0.2, settings, rng(1, "a")).test) == 14


def test_as_many_rounds_as_pairs_are_left(study):
    split = paper_split(_draws("++++" + "-" * 9), 0.2, study.personal, rng(1, "a"))
    assert len(split.rounds) == 2


histories = st.text("+-.", max_size=40)


@given(histories, st.text("abc", min_size=40), st.sampled_from(HOLDING_OUT), st.integers(0, 3), st.randoms())
def test_no_draw_is_in_both_training_and_test(study, labels, places, protocol, seed, random):
    draws = _draws(labels, hours_apart=2, recordings=places, admissions="".join(sorted(places)))
    arm = dataclasses.replace(study.arms["paper"], protocol=protocol, purge_hours=3.0)
    split = split_draws(arm, draws, study.personal, seed, 7)
    shuffled = draws.copy()
    random.shuffle(shuffled)
    assert split_draws(arm, shuffled, study.personal, seed, 7) == split
    assert len(set(split.training_draws)) == len(split.training_draws)
    assert not set(split.training_draws) & set(split.test)
    assert (split.reason is None) == bool(split.rounds) == bool(split.test)
    assert len(split.rounds) <= study.personal.max_rounds
    for positive, negative in split.rounds:
        assert (labels[positive], labels[negative]) == ("+", "-")
    if split.test:
        assert min(sum(labels[draw] == sign for draw in split.test) for sign in "+-") >= 2
        assert protocol != "forward" or count_runs([draws[draw] for draw in split.test]) >= MIN_TEST_RUNS
        assert min(hours_between(draws[a].time, draws[b].time) for a in split.training_draws for b in split.test) >= 3
    for learned in split.training_draws:
        for tested in split.test:
            if protocol == "episode":
                assert draws[learned].recording != draws[tested].recording
            if protocol == "admission":
                assert draws[learned].admission != draws[tested].admission


@given(histories, st.text("abc", min_size=40), st.randoms())
def test_the_order_in_which_draws_are_read_does_not_matter_to_rolling(study, labels, places, random):
    draws = _draws(labels, hours_apart=2, recordings="".join(sorted(places)))
    shuffled = draws.copy()
    random.shuffle(shuffled)
    assert rolling_split(shuffled, 3.0, study.personal) == rolling_split(draws, 3.0, study.personal)


@given(histories)
def test_forward_trains_on_the_past_in_its_order(study, labels):
    split = split_draws(study.arms["forward"], _draws(labels), study.personal, 0, 7)
    if split.training_draws:
        assert max(split.training_draws) < min(split.test)
        for earlier, later in zip(split.rounds, split.rounds[1:], strict=False):
            assert earlier[0] < later[0]
            assert earlier[1] < later[1]


def test_simultaneous_draws_are_on_the_same_side(study):
    draws = [Draw(i, START + timedelta(hours=i // 4), i % 2) for i in range(16)]
    split = forward_split(draws, 1.0, study.personal)
    assert min(split.test) % 4 == 0


@pytest.fixture
def written(tmp_path, study, arm):
    """A forward split on disk, with the beats of each draw in a segment of its own."""
    draws = _draws("--++--++-+-+")
    spans = {
        draw.draw_id: BeatSpan((f"s{draw.draw_id}",), 1000 * draw.draw_id, 1000 * draw.draw_id + 900) for draw in draws
    }
    split = forward_split(draws, 5.0, study.personal)
    write_split(tmp_path / "split.json", split, "forward", arm("forward", 5.0), draws, spans, 7, 1, "d")
    return tmp_path / "split.json"


def test_a_split_file_lists_rounds_test_and_seed_and_its_audit(written):
    back = read_split(written)
    assert back["rounds"] == [[2, 0], [3, 1], [6, 4]]
    assert back["test"] == [8, 9, 10, 11]
    assert back["test_from"] == "2150-01-02T08:00:00"
    assert (back["seed"], back["protocol"], back["purge_hours"]) == (1, "forward", 5.0)
    assert back["leakage"] == {
        "n_train": 6,
        "n_test": 4,
        "smallest_gap_hours": 8.0,
        "shared_recordings": 0,
        "shared_segments": 0,
        "shared_admissions": 1,
        "shared_episodes": 0,
        "shared_beats": 0,
    }


def _changed(path, **changes):
    write_json(path, read_json(path) | changes)
    with pytest.raises(UserError) as caught:
        read_split(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_draw_in_both_training_and_test_is_refused(written):
    assert "draw 6 is used twice" in _changed(written, test=[6, 8, 9])


def test_training_on_the_future_is_refused(written):
    assert "violates the protocol 'forward'" in _changed(written, rounds=[[9, 8]], test=[0, 2, 3])


def test_training_too_near_to_the_test_is_refused(written):
    assert "is 4.00 h from a test draw, less than purge_hours (5)" in _changed(written, rounds=[[7, 5]])


def test_a_divided_episode_is_refused(written):
    assert "share 2 episodes" in _changed(written, protocol="episode", purge_hours=0.2, rounds=[[6, 1]], test=[0, 7, 9])


def test_a_divided_admission_is_refused(written):
    assert "share 1 admission" in _changed(written, protocol="admission")


def test_shared_beats_are_refused(written):
    draws = read_json(written)["draws"]
    draws[6] |= {"recording": "r8", "r_samples": [8500, 9400]}
    assert "a training draw and a test draw have the same beats" in _changed(written, draws=draws)


def test_forward_leaves_out_training_draws_of_a_tested_recording(study):
    split = forward_split(_draws("+-+-+-+-+-+-", recordings="aaaabbbbbccc"), 1.0, study.personal)
    tested = {"aaaabbbbbccc"[draw] for draw in split.test}
    assert tested.isdisjoint({"aaaabbbbbccc"[draw] for draw in split.training_draws})


def test_forward_in_a_single_recording_keeps_its_training_draws(study):
    assert forward_split(_draws("+-+-+-+-", recordings="aaaaaaaa"), 1.0, study.personal).rounds


def test_rolling_by_hand(study):
    split = rolling_split(_draws("-+.--+-++-"), 1.0, study.personal)
    assert split.rounds == ((1, 0), (5, 3), (7, 4), (8, 6))
    assert split.predicted_by == {2: 1, 3: 1, 4: 1, 5: 1, 6: 2, 7: 2, 8: 3, 9: 4}
    assert split.test == (3, 4, 5, 6, 7, 8, 9)
    assert split.predicted_in(2) == [6, 7]
    assert split.test_from == START + timedelta(hours=12)


def test_rolling_predicts_a_recording_by_what_came_before_it(study):
    split = rolling_split(_draws("-+-+-++--+", recordings="aabbbbbbcc"), 1.0, study.personal)
    assert {draw: split.predicted_by[draw] for draw in range(2, 8)} == dict.fromkeys(range(2, 8), 1)
    assert split.predicted_by[8] == split.predicted_by[9] == 4


def test_rolling_in_a_single_recording_predicts_within_it(study):
    split = rolling_split(_draws("-+-+-+", recordings="aaaaaa"), 1.0, study.personal)
    assert split.predicted_by == {2: 1, 3: 1, 4: 2, 5: 2}


def test_rolling_uses_more_rounds_than_the_limit_of_other_protocols(study):
    split = rolling_split(_draws("+-" * 12), 1.0, study.personal)
    assert len(split.rounds) > study.personal.max_rounds


@pytest.mark.parametrize("labels", ["++++----", "----", "+-", ""])
def test_rolling_is_impossible_without_both_classes_after_a_pair(study, labels):
    split = rolling_split(_draws(labels), 1.0, study.personal)
    assert (split.rounds, split.test, split.predicted_by) == ((), (), {})
    assert split.reason


@given(
    st.text("+-.", min_size=4, max_size=30),
    st.lists(st.integers(0, 3), min_size=30, max_size=30),
    st.floats(0.2, 9),
)
def test_rolling_learns_only_from_earlier_draws_of_other_recordings(labels, jumps, purge_hours):
    recordings = "".join(chr(ord("a") + n) for n in np.cumsum(np.array(jumps) == 0))[: len(labels)]
    draws = _draws(labels, recordings=recordings)
    split = rolling_split(draws, purge_hours, Personal())
    assert set(split.test) == {draw for draw in split.predicted_by if draws[draw].label is not None}
    for draw, round_ in split.predicted_by.items():
        learned = [draws[i] for pair in split.rounds[:round_] for i in pair]
        assert max(one.time for one in learned) <= draws[draw].time - timedelta(hours=purge_hours)
        shared = {one.recording for one in learned} & {draws[draw].recording}
        assert not shared or {one.recording for one in learned} == shared


def test_a_rolling_split_reads_back_with_its_rounds(study, arm, tmp_path):
    draws = _draws("-+.--+-++-+-")
    split = split_draws(arm("rolling"), draws, study.personal, 1, 7)
    write_split(tmp_path / "split.json", split, "rolling", arm("rolling"), draws, {}, 7, 1, "digest")
    content = read_split(tmp_path / "split.json")
    assert parse_split(content).predicted_by == split.predicted_by
    groups = predictions_by_round(content)
    assert [draw for _, test in groups for draw in test] == list(split.test)
    assert [len(train) for train, _ in groups] == sorted({2 * round_ for round_ in split.predicted_by.values()})
    assert content["leakage"]["smallest_gap_hours"] >= 1


def test_a_rolling_split_that_predicts_by_a_later_round_is_refused(study, arm, tmp_path):
    draws = _draws("-+.--+-++-+-")
    split = split_draws(arm("rolling"), draws, study.personal, 1, 7)
    write_split(tmp_path / "split.json", split, "rolling", arm("rolling"), draws, {}, 7, 1, "digest")
    content = read_json(tmp_path / "split.json")
    content["predicted_by"]["3"] = len(content["rounds"])
    write_json(tmp_path / "split.json", content)
    with pytest.raises(UserError, match="violates the protocol 'rolling'"):
        read_split(tmp_path / "split.json")
