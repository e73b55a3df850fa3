"""The audit of a split: what training draws and test draws share, and whether the protocol kept its promise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from kalemia.personal.episodes import Draw, labeled_in_time_order, run_numbers

MUST_NOT_SHARE = {  # protocol -> what training and test never share under it
    "paper": (),
    "forward": (),
    "episode": ("shared_episodes", "shared_recordings"),
    "admission": ("shared_admissions",),
}


@dataclass(frozen=True)
class BeatSpan:
    """Where the beats of one draw lie: the segments, and the first and the last R peak, in samples of the recording."""

    segments: tuple[str, ...]
    first: int
    last: int


def beat_spans_by_draw(beats: pa.Table) -> dict[int, BeatSpan]:
    """By draw, from the columns draw_id, segment and r_sample of a beat shard."""
    found: dict[int, tuple[set[str], list[int]]] = {}
    columns = (beats[name].to_pylist() for name in ("draw_id", "segment", "r_sample"))
    for draw_id, segment, r_sample in zip(*columns, strict=True):
        segments, samples = found.setdefault(draw_id, (set(), []))
        segments.add(segment)
        samples.append(r_sample)
    return {draw: BeatSpan(tuple(sorted(names)), min(at), max(at)) for draw, (names, at) in found.items()}


def audit(train: Iterable[int], test: Iterable[int], draws: Sequence[Draw], heard: dict[int, BeatSpan]) -> dict:
    """How near training comes to the test, by the columns of a table of kind "leakage" from n_train on.

    `draws` are all usable draws of the patient. A recording, segment, admission or episode (a run of one label) is
    shared where it holds draws of both sides; beats are where two draws' R peaks overlap in time in one recording.
    """
    labeled = labeled_in_time_order(draws)
    by_id = {draw.draw_id: draw for draw in labeled}
    run_of = dict(zip((draw.draw_id for draw in labeled), run_numbers(labeled), strict=True))
    train, test = [by_id[draw] for draw in train], [by_id[draw] for draw in test]
    gaps = [hours_between(one.time, other.time) for one in train for other in test]
    overlapping = [(one, other) for one in train for other in test if _overlap(one, other, heard)]
    return {
        "n_train": len(train),
        "n_test": len(test),
        "smallest_gap_hours": min(gaps, default=None),
        "shared_recordings": _shared(train, test, lambda draw: [draw.recording]),
        "shared_segments": _shared(train, test, lambda draw: _segments(draw, heard)),
        "shared_admissions": _shared(train, test, lambda draw: [draw.admission]),
        "shared_episodes": _shared(train, test, lambda draw: [run_of[draw.draw_id]]),
        "shared_beats": len(overlapping),
    }


def protocol_violation(protocol: str, purge_hours: float, audited: dict, forward_in_time: bool) -> str | None:
    """What the protocol promised and the split does not keep, in a few words; None where all is kept."""
    if audited["shared_beats"]:
        return "a training draw and a test draw hold the same beats"
    gap = audited["smallest_gap_hours"]
    if gap is not None and gap < purge_hours - 1e-9:
        return f"a training draw lies {gap:.2f} h from a test draw, nearer than purge_hours ({purge_hours:g})"
    if protocol == "forward" and not forward_in_time:
        return "a training draw comes after a test draw"
    for shared in MUST_NOT_SHARE[protocol]:
        if audited[shared]:
            return f"training and test draws share {audited[shared]} {shared.removeprefix('shared_')}"
    return None


def hours_between(one: datetime, other: datetime) -> float:
    """The distance in time, never negative."""
    return abs((one - other).total_seconds()) / 3600


def _shared(train: list[Draw], test: list[Draw], names) -> int:
    sides = [{name for draw in side for name in names(draw) if name is not None} for side in (train, test)]
    return len(sides[0] & sides[1])


def _segments(draw: Draw, heard: dict[int, BeatSpan]) -> list[tuple[str | None, str]]:
    mine = heard.get(draw.draw_id)
    return [(draw.recording, name) for name in mine.segments] if mine else []


def _overlap(one: Draw, other: Draw, heard: dict[int, BeatSpan]) -> bool:
    if one.recording is None or one.recording != other.recording or not {one.draw_id, other.draw_id} <= heard.keys():
        return False
    mine, others = heard[one.draw_id], heard[other.draw_id]
    return mine.first <= others.last and others.first <= mine.last
