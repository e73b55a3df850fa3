from datetime import datetime, timedelta

import pytest

from kalemia.evaluation.evaluation_period import draws_in_period

START = datetime(2150, 1, 1)


def split_of(protocol, rounds, test, draws, purge_hours=1.0):
    """draws: (draw_id, hours, label, recording, admission)."""
    return {
        "arm": protocol,
        "protocol": protocol,
        "purge_hours": purge_hours,
        "subject_id": 7,
        "rounds": rounds,
        "test": test,
        "draws": [
            {
                "draw_id": draw_id,
                "time": (START + timedelta(hours=hours)).isoformat(),
                "label": label,
                "recording": recording,
                "admission": admission,
                "segments": [],
                "r_samples": [],
            }
            for draw_id, hours, label, recording, admission in draws
        ],
    }


DRAWS = [
    (1, 0, 1, "a", 1),
    (2, 6, 0, "a", 1),
    (3, 12, None, "a", 1),
    (4, 18, 1, "b", 1),
    (5, 24, 1, "b", 1),
    (6, 24.5, None, "b", 1),
    (7, 30, 0, "c", 2),
    (8, 36, None, "d", 2),
    (9, 42, 1, "d", 2),
]


def test_forward_in_time_it_begins_with_the_test_and_leaves_nothing_out():
    split = split_of("forward", [[1, 2]], [5, 7, 9], DRAWS)
    assert draws_in_period(split) == {5, 6, 7, 8, 9}


def test_at_random_it_is_the_stay_without_what_was_learned_from_and_its_neighbors():
    split = split_of("paper", [[5, 2]], [1, 7], DRAWS)
    assert draws_in_period(split) == {1, 3, 4, 7, 8, 9}  # 6 lies half an hour from 5
    assert draws_in_period(split_of("paper", [[5, 2]], [1, 7], DRAWS, purge_hours=0.25)) == {1, 3, 4, 6, 7, 8, 9}


def test_by_episode_no_stretch_and_no_recording_is_divided():
    split = split_of("episode", [[1, 2]], [7, 9], [*DRAWS, (10, 3, None, None, 1), (11, 10, 0, None, 1)])
    # 3 is in the recording of 1 and 2; 11 in the run of 2; 10 between two runs, in no recording
    assert draws_in_period(split) == {4, 5, 6, 7, 8, 9, 10}


def test_by_admission_no_admission_is_divided():
    assert draws_in_period(split_of("admission", [[1, 2]], [7, 9], DRAWS)) == {7, 8, 9}


@pytest.mark.parametrize("protocol", ["forward", "paper", "episode", "admission"])
def test_what_was_learned_from_is_never_in_it_and_the_test_always(protocol):
    split = split_of(protocol, [[1, 2]], [7, 9], DRAWS)
    assert {7, 9} <= draws_in_period(split) <= {3, 4, 5, 6, 7, 8, 9}
