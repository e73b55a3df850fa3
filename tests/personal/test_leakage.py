from datetime import datetime, timedelta

import pyarrow as pa

from kalemia.personal.episodes import Draw
from kalemia.personal.leakage import BeatSpan, audit, beat_spans_by_draw, protocol_violation

START = datetime(2150, 1, 1)
DRAWS = [
    Draw(0, START, 1, "a", 1),
    Draw(1, START + timedelta(hours=2), 1, "a", 1),
    Draw(2, START + timedelta(hours=5), 0, "a", 1),
    Draw(3, START + timedelta(hours=9), 1, "b", 1),
    Draw(4, START + timedelta(hours=30), 0, "c", 2),
]
SPANS = {
    0: BeatSpan(("s1",), 0, 900),
    1: BeatSpan(("s1", "s2"), 5000, 5900),
    2: BeatSpan(("s2",), 9000, 9900),
    3: BeatSpan(("s1",), 0, 900),
    4: BeatSpan(("s3",), 0, 900),
}


def test_an_audit_by_hand():
    assert audit([0, 3], [1, 2, 4], DRAWS, SPANS) == {
        "n_train": 2,
        "n_test": 3,
        "smallest_gap_hours": 2.0,
        "shared_recordings": 1,
        "shared_segments": 1,
        "shared_admissions": 1,
        "shared_episodes": 1,
        "shared_beats": 0,
    }


def test_segments_of_one_name_in_two_recordings_are_not_shared():
    assert audit([0], [3], DRAWS, SPANS)["shared_segments"] == 0


def test_overlapping_windows_share_beats():
    spans = SPANS | {2: BeatSpan(("s2",), 5800, 6500)}
    assert audit([1], [2], DRAWS, spans)["shared_beats"] == 1


def test_a_split_that_shares_nothing_violates_no_protocol():
    audited = audit([0, 1], [4], DRAWS, SPANS)
    for protocol in ("paper", "forward", "episode", "admission"):
        assert protocol_violation(protocol, 1.0, audited, True) is None


def test_beat_spans_of_a_shard():
    beats = pa.table({"draw_id": [1, 1, 2], "segment": ["x", "y", "y"], "r_sample": [7, 9, 20]})
    assert beat_spans_by_draw(beats) == {1: BeatSpan(("x", "y"), 7, 9), 2: BeatSpan(("y",), 20, 20)}
