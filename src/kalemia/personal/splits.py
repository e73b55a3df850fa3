"""Split one patient's draws into rounds of training and a test, by the rule of a protocol."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from kalemia.core.config import Arm, Personal
from kalemia.core.errors import UserError
from kalemia.core.seeds import rng
from kalemia.core.tables import read_json, write_json
from kalemia.personal.episodes import Draw, admissions, episodes, labeled_in_time_order
from kalemia.personal.leakage import BeatSpan, audit, hours_between, protocol_violation

_ORDERS = 64  # random orders in which whole episodes or admissions are tried


@dataclass(frozen=True)
class Split:
    """The training draws of each round, alternately positive and negative, and the test draws, as draw ids.

    test_from: the start of the test period, for protocols that have one. reason: why the protocol is impossible; there
    are then no rounds and no test.
    """

    rounds: tuple[tuple[int, ...], ...] = ()
    test: tuple[int, ...] = ()
    test_from: datetime | None = None
    reason: str | None = None

    @property
    def training_draws(self) -> list[int]:
        """The training draws of all rounds."""
        return [draw for pair in self.rounds for draw in pair]


def split_draws(arm: Arm, draws: Sequence[Draw], settings: Personal, seed: int, subject_id: int) -> Split:
    """Split a patient's draws by the arm's protocol; their order does not matter.

    No training draw is within `arm.purge_hours` of a test draw.
    """
    labeled, random = labeled_in_time_order(draws), rng(seed, f"{arm.protocol} split", subject_id)
    split = _split_by(arm.protocol, labeled, arm.purge_hours, settings, random)
    if split.reason and _split_by(arm.protocol, labeled, 0.0, settings, random).rounds:
        return Split(reason=f"possible only if training draws may lie within {arm.purge_hours:g} hours of the test")
    return split


def _split_by(
    protocol: str, labeled: Sequence[Draw], purge_hours: float, settings: Personal, random: np.random.Generator
) -> Split:
    if protocol == "forward":
        return forward_split(labeled, purge_hours, settings)
    if protocol == "paper":
        return paper_split(labeled, purge_hours, settings, random)
    if protocol == "episode":
        return whole_split("episode", episodes(labeled), purge_hours, settings, random)
    if any(draw.admission is None for draw in labeled):
        return Split(reason="some draws belong to no known admission")
    return whole_split("admission", admissions(labeled), purge_hours, settings, random)


def paper_split(labeled: Sequence[Draw], purge_hours: float, settings: Personal, random: np.random.Generator) -> Split:
    """Hold out a random fraction of each class, and pair the other draws in random order.

    Chiu 2022 hold out a quarter of a patient's draws and do not say how it was chosen. The fraction is rounded up to
    whole draws, and at least `min_test_draws` are held out.
    """
    train, test = [], []
    for label in (1, 0):
        of_label = [draw for draw in labeled if draw.label == label]
        shuffled = [of_label[i] for i in random.permutation(len(of_label))]
        n_test = max(settings.min_test_draws, int(np.ceil(settings.test_fraction * len(of_label) - 1e-9)))
        test += shuffled[:n_test]
        train += shuffled[n_test:]
    rounds = _rounds(train, settings, test, purge_hours)
    if not rounds:
        return Split(reason="too few draws of a class to hold some out and learn from others")
    return Split(rounds, _sorted_ids(test))


def forward_split(labeled: Sequence[Draw], purge_hours: float, settings: Personal) -> Split:
    """Train on draws at least `purge_hours` before the first test draw, in rounds in the order of time.

    The test starts at a draw such that it has at least `min_test_draws` of each class and at least one pair is before
    the gap. Of such draws, choose the one whose test is nearest to a fraction `test_fraction` of all draws (the later
    of two that are equally near).
    """
    best: Split | None = None
    nearest = np.inf
    for i, first in enumerate(labeled):
        test = labeled[i:]
        if i and labeled[i - 1].time == first.time:
            continue
        train = [draw for draw in labeled[:i] if draw.time <= first.time - timedelta(hours=purge_hours)]
        rounds = _rounds(train, settings)
        distance = abs(len(test) / len(labeled) - settings.test_fraction)
        if rounds and _enough(test, settings) and distance <= nearest:
            nearest = distance
            best = Split(rounds, _sorted_ids(test), first.time)
    return best or Split(reason="no moment has both classes before it and enough of both after it")


def whole_split(
    unit: str, units: Sequence[Sequence[Draw]], purge_hours: float, settings: Personal, random: np.random.Generator
) -> Split:
    """Hold out whole units (episodes, admissions), and pair the draws of the others in random order.

    If the units are episodes, training draws that share a recording with a test draw are left out. Units are added to
    the test in many random orders; of all choices with both classes in training and test, the one is used whose test is
    nearest to a fraction `test_fraction` of all draws.
    """
    if len(units) == 1:
        return Split(reason=f"all draws lie in one {unit}")
    n_draws, best, nearest = sum(map(len, units)), None, np.inf
    for _ in range(_ORDERS):
        order, test = random.permutation(len(units)), []
        for n_held_out in range(1, len(units)):
            test = [*test, *units[order[n_held_out - 1]]]
            distance = abs(len(test) / n_draws - settings.test_fraction)
            if distance >= nearest or not _enough(test, settings):
                continue
            test_recordings = {draw.recording for draw in test if draw.recording is not None and unit == "episode"}
            train = [draw for i in order[n_held_out:] for draw in units[i] if draw.recording not in test_recordings]
            rounds = _rounds([train[i] for i in random.permutation(len(train))], settings, test, purge_hours)
            if rounds:
                best, nearest = Split(rounds, _sorted_ids(test)), distance
    return best or Split(reason=f"no choice of whole {unit}s leaves both classes on both sides")


def _enough(test: Sequence[Draw], settings: Personal) -> bool:
    return min(len(_of_label(test, 1)), len(_of_label(test, 0))) >= settings.min_test_draws


def _rounds(
    train: Sequence[Draw], settings: Personal, test: Sequence[Draw] = (), purge_hours: float = 0.0
) -> tuple[tuple[int, ...], ...]:
    """Pair positive and negative draws in the order given, without those too near to a test draw, and form rounds."""
    kept = [draw for draw in train if all(hours_between(draw.time, other.time) >= purge_hours for other in test)]
    pairs = list(zip(_of_label(kept, 1), _of_label(kept, 0), strict=False))
    step = settings.pairs_per_round
    return tuple(
        tuple(draw for pair in pairs[first : first + step] for draw in pair) for first in range(0, len(pairs), step)
    )[: settings.max_rounds]


def _of_label(draws: Sequence[Draw], label: int) -> list[int]:
    return [draw.draw_id for draw in draws if draw.label == label]


def _sorted_ids(draws: Sequence[Draw]) -> tuple[int, ...]:
    return tuple(sorted(draw.draw_id for draw in draws))


def write_split(
    path,
    split: Split,
    arm_name: str,
    arm: Arm,
    draws: Sequence[Draw],
    spans: dict[int, BeatSpan],
    subject_id: int,
    seed: int,
    digest: str,
) -> None:
    """Write a patient's split in one arm as JSON, with its audit and all draws that the audit uses.

    Raises `UserError` if the split violates its protocol.
    """
    in_time_order = sorted(draws, key=lambda draw: (draw.time, draw.draw_id))
    content = {
        "arm": arm_name,
        "protocol": arm.protocol,
        "purge_hours": arm.purge_hours,
        "subject_id": subject_id,
        "seed": seed,
        "digest": digest,
        "reason": split.reason,
        "rounds": [list(pair) for pair in split.rounds],
        "test": list(split.test),
        "test_from": split.test_from and split.test_from.isoformat(),
        "leakage": audit(split.training_draws, split.test, draws, spans) if split.rounds else None,
        "draws": [_draw_json(draw, spans) for draw in in_time_order],
    }
    _raise_on_leak(path, content)
    write_json(path, content)


def read_split(path) -> dict:
    """Read a split file; raises `UserError` if a draw is used twice or the split violates its protocol."""
    split = read_json(path)
    _raise_on_leak(path, split)
    return split


def training_draws(split: dict) -> list[int]:
    """The training draws of all rounds of a split file."""
    return [draw for pair in split["rounds"] for draw in pair]


def parse_draws(split: dict) -> tuple[list[Draw], dict[int, BeatSpan]]:
    """All usable draws of a split file in the order of time, and the spans of their beats."""
    draws, spans = [], {}
    for row in split["draws"]:
        time = datetime.fromisoformat(row["time"])
        draws.append(Draw(row["draw_id"], time, row["label"], row["recording"], row["admission"]))
        if row["segments"]:
            spans[row["draw_id"]] = BeatSpan(tuple(row["segments"]), *row["r_samples"])
    return draws, spans


def _draw_json(draw: Draw, spans: dict[int, BeatSpan]) -> dict:
    span = spans.get(draw.draw_id)
    return {
        "draw_id": draw.draw_id,
        "time": draw.time.isoformat(),
        "label": draw.label,
        "recording": draw.recording,
        "admission": draw.admission,
        "segments": list(span.segments) if span else [],
        "r_samples": [span.first, span.last] if span else [],
    }


def _raise_on_leak(path, split: dict) -> None:
    train = training_draws(split)
    twice = [draw for draw, n in Counter([*train, *set(split["test"])]).items() if n > 1]
    if twice:
        raise UserError(f"{path}: draw {min(twice)} is used twice; delete the file and run again")
    if not split["rounds"]:
        return
    draws, spans = parse_draws(split)
    times = {draw.draw_id: draw.time for draw in draws}
    in_order = max(times[draw] for draw in train) < min(times[draw] for draw in split["test"])
    audited = audit(train, split["test"], draws, spans)
    violation = protocol_violation(split["protocol"], split["purge_hours"], audited, in_order)
    if violation:
        raise UserError(
            f"{path}: violates the protocol {split['protocol']!r}: {violation}; delete the file and run again"
        )
