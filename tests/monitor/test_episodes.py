"""When alerts begin and end."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kalemia.monitor.episodes import LOST_S, RELEASE_S, Episode, find_episodes

# of a window: high, in between, low, no answer
STATES = st.lists(st.sampled_from("H-L?"), max_size=200)


def _episodes(states, minutes=None):
    states = np.array(list(states), dtype="U1")
    stop_s = 60.0 * (np.arange(1, len(states) + 1) if minutes is None else np.array(minutes))
    return find_episodes(stop_s, states == "H", states == "L", states != "?")


def test_one_high_window_is_no_alert():
    assert _episodes("LLHLLLLLLLLLLLLLLLLHLHLHLL") == []


def test_an_alert_begins_with_the_second_high_window_and_ends_after_ten_low_minutes():
    assert _episodes("LLHH" + "L" * 20) == [Episode(240.0, 840.0, 3, 13)]


def test_an_alert_does_not_flicker_at_the_threshold():
    assert _episodes("HH" + 30 * "L-" + 10 * "L") == [Episode(120.0, 60.0 * (62 + 10), 1, 71)]
    assert len(_episodes("HH" + 30 * "LH" + 10 * "L")) == 1


def test_windows_without_an_answer_neither_begin_nor_end_an_alert():
    assert _episodes("H" + "?" * 20 + "H" + "L" * 10) == [Episode(60.0 * 22, 60.0 * 32, 21, 31)]
    assert _episodes("?" * 100) == []


def test_an_alert_ends_an_hour_after_the_last_answer():
    assert _episodes("HH" + "?" * 59) == [Episode(120.0, None, 1, 1)]
    assert _episodes("HH" + "?" * 61) == [Episode(120.0, 120.0 + LOST_S, 1, 1)]
    assert _episodes("HH" + "?" * 61 + "HH")[1] == Episode(60.0 * 65, None, 64, 64)


@given(STATES)
def test_episodes_are_in_order_and_each_begins_high(states):
    stop_s = [60.0 * (i + 1) for i in range(len(states))]
    episodes = _episodes(states)
    ends_s = [np.inf if episode.end_s is None else episode.end_s for episode in episodes]
    for episode, end_s in zip(episodes, ends_s, strict=True):
        assert states[episode.first] == "H"
        assert stop_s[episode.first] == episode.onset_s < end_s
    assert all(end_s < later.onset_s for end_s, later in zip(ends_s, episodes[1:], strict=False))


@given(STATES, STATES)
def test_what_comes_later_does_not_change_when_an_alert_began(states, more):
    onsets_s = [episode.onset_s for episode in _episodes(states)]
    assert [episode.onset_s for episode in _episodes(states + more)][: len(onsets_s)] == onsets_s


@given(STATES)
def test_ten_low_minutes_end_every_alert(states):
    assert all(episode.end_s is not None for episode in _episodes([*states, *("L" * round(RELEASE_S / 60 + 1))]))
