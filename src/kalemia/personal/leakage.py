"""Audit a split: what training draws and test draws share, and whether the protocol allows it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from kalemia.core.wording import plural
from kalemia.personal.episodes import Draw, labeled_in_time_order, run_numbers

MUST_NOT_SHARE = {  # protocol -> columns of the audit that must be 0
    "paper": (),
    "forward": (),
    "rolling": (),
    "episode": ("shared_episodes", "shared_recordings"),
    "admission": ("shared_admissions",),
}


@dataclass(frozen=True)
class BeatSpan:
    """Where the beats of one draw are: the segments, and the first and last R peak in samples of the recording."""

    segments: tuple[str, ...]
    first: int
    last: int


def beat_spans_by_draw(beats: pa.Table) -> dict[int, BeatSpan]:
    """The span of each draw, from the columns draw_id, segment and r_sample of a beat shard."""
    by_draw: dict[int, tuple[set[str], list[int]]] = {}
    columns = (beats[name].to_pylist() for name in ("draw_id", "segment", "r_sample"))
    for draw_id, segment, r_sample in zip(*columns, strict=True):
        segments, samples = by_draw.setdefault(draw_id, (set(), []))
        segments.add(segment)
        samples.append(r_sample)
    return {draw: BeatSpan(tuple(sorted(names)), min(at), max(at)) for draw, (names, at) in by_draw.items()}


def audit(train: Iterable[int], test: Iterable[int], draws: Sequence[Draw], spans: dict[int, BeatSpan]) -> dict:
    """What training and test share, as the columns of a table of kind "leakage" from n_train on.

    draws: all usable draws of the patient. A recording, segment, admission or episode (a run of one label) is shared if
    it has both training and test draws. Beats are shared if the R peaks of two draws overlap in time in one recording.
    """
    labeled = labeled_in_time_order(draws)
    by_id = {draw.draw_id: draw for draw in labeled}
    run_of = dict(zip((draw.draw_id for draw in labeled), run_numbers(labeled), strict=True))
    train, test = [by_id[draw] for draw in train], [by_id[draw] for draw in test]
    gaps = [hours_between(one.time, other.time) for one in train for other in test]
    overlapping = [(one, other) for one in train for other in test if _overlap(one, other, spans)]
    return {
        "n_train": len(train),
        "n_test": len(test),
        "smallest_gap_hours": min(gaps, default=None),
        "shared_recordings": _shared(train, test, lambda draw: [draw.recording]),
        "shared_segments": _shared(train, test, lambda draw: _segments(draw, spans)),
        "shared_admissions": _shared(train, test, lambda draw: [draw.admission]),
        "shared_episodes": _shared(train, test, lambda draw: [run_of[draw.draw_id]]),
        "shared_beats": len(overlapping),
    }


def protocol_violation(protocol: str, purge_hours: float, audited: dict, forward_in_time: bool) -> str | None:
    """How a split violates its protocol, in a few words; None if it does not."""
    if audited["shared_beats"]:
        return "a training draw and a test draw have the same beats"
    gap = audited["smallest_gap_hours"]
    if gap is not None and gap < purge_hours - 1e-9:
        return f"a training draw is {gap:.2f} h from a test draw, less than purge_hours ({purge_hours:g})"
    if protocol in ("forward", "rolling") and not forward_in_time:
        return "a training draw is later than a test draw"
    for column in MUST_NOT_SHARE[protocol]:
        if audited[column]:
            noun = column.removeprefix("shared_").removesuffix("s")
            return f"training and test draws share {plural(audited[column], noun)}"
    return None


def hours_between(one: datetime, other: datetime) -> float:
    """The absolute difference of two times."""
    return abs((one - other).total_seconds()) / 3600


def _shared(train: list[Draw], test: list[Draw], names) -> int:
    sides = [{name for draw in side for name in names(draw) if name is not None} for side in (train, test)]
    return len(sides[0] & sides[1])


def _segments(draw: Draw, spans: dict[int, BeatSpan]) -> list[tuple[str | None, str]]:
    span = spans.get(draw.draw_id)
    return [(draw.recording, name) for name in span.segments] if span else []


def _overlap(one: Draw, other: Draw, spans: dict[int, BeatSpan]) -> bool:
    if one.recording is None or one.recording != other.recording or not {one.draw_id, other.draw_id} <= spans.keys():
        return False
    span, other_span = spans[one.draw_id], spans[other.draw_id]
    return span.first <= other_span.last and other_span.first <= span.last
