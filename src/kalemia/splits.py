"""How one patient's draws are divided into rounds of training and a test, by the rule of a protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from kalemia.config import Personal
from kalemia.errors import UserError
from kalemia.seeds import rng
from kalemia.tables import read_json, write_json


@dataclass(frozen=True)
class Draw:
    """A usable draw of a patient; label 1 positive, 0 negative, None neither."""

    draw_id: int
    time: datetime
    label: int | None


@dataclass(frozen=True)
class Split:
    """What each round learns from, a (positive, negative) pair of draw ids, and what is tested on.

    `test_from` is the first instant of the test period, for protocols that have one. Where the protocol is impossible
    `reason` says why, and there are no rounds and no test.
    """

    rounds: tuple[tuple[int, int], ...] = ()
    test: tuple[int, ...] = ()
    test_from: datetime | None = None
    reason: str | None = None


def split_draws(protocol: str, draws: Sequence[Draw], settings: Personal, seed: int, subject_id: int) -> Split:
    """Divide a patient's draws by `protocol`; the order in which they are given does not matter."""
    labeled = sorted((draw for draw in draws if draw.label is not None), key=lambda draw: (draw.time, draw.draw_id))
    if protocol == "paper":
        return paper_split(labeled, settings, seed, subject_id)
    return forward_split(labeled, settings)


def paper_split(labeled: Sequence[Draw], settings: Personal, seed: int, subject_id: int) -> Split:
    """Chiu 2022: a random share of each class is held out; the others are paired in random order.

    The share is rounded up to whole draws, and is at least `min_test_draws`.
    """
    random = rng(seed, "paper split", subject_id)
    train, test = {}, []
    for label in (1, 0):
        ids = [draw.draw_id for draw in labeled if draw.label == label]
        shuffled = [ids[i] for i in random.permutation(len(ids))]
        n_test = max(settings.min_test_draws, int(np.ceil(settings.held_out * len(ids))))
        test += shuffled[:n_test]
        train[label] = shuffled[n_test:]
    rounds = tuple(zip(train[1], train[0], strict=False))[: settings.max_rounds]
    if not rounds:
        return Split(reason="too few draws of a class to hold some out and learn from others")
    return Split(rounds, tuple(sorted(test)))


def forward_split(labeled: Sequence[Draw], settings: Personal) -> Split:
    """Every training draw precedes every test draw by at least `purge_hours`; rounds go in the order of time.

    The test begins at a draw such that it holds at least `min_test_draws` of each class and at least one pair lies
    before the gap; of such beginnings the one is taken that leaves a share nearest to `held_out` to the test (the
    later, if two are as near).
    """
    best: Split | None = None
    nearest = np.inf
    for i, first in enumerate(labeled):
        test = labeled[i:]
        if i and labeled[i - 1].time == first.time:
            continue
        train = [draw for draw in labeled[:i] if draw.time <= first.time - timedelta(hours=settings.purge_hours)]
        pairs = zip(_ids(train, 1), _ids(train, 0), strict=False)
        rounds = tuple(pairs)[: settings.max_rounds]
        enough = min(len(_ids(test, 1)), len(_ids(test, 0))) >= settings.min_test_draws
        distance = abs(len(test) / len(labeled) - settings.held_out)
        if rounds and enough and distance <= nearest:
            nearest = distance
            best = Split(rounds, tuple(sorted(draw.draw_id for draw in test)), first.time)
    return best or Split(reason="no moment has both classes before it and enough of both after it")


def _ids(draws: Sequence[Draw], label: int) -> list[int]:
    return [draw.draw_id for draw in draws if draw.label == label]


def write_split(path, split: Split, arm: str, protocol: str, subject_id: int, seed: int, digest: str) -> None:
    """Write a patient's split in one arm as JSON."""
    write_json(
        path,
        {
            "arm": arm,
            "protocol": protocol,
            "subject_id": subject_id,
            "seed": seed,
            "digest": digest,
            "reason": split.reason,
            "rounds": [list(pair) for pair in split.rounds],
            "test": list(split.test),
            "test_from": split.test_from and split.test_from.isoformat(),
        },
    )


def read_split(path) -> dict:
    """A file of `write_split`; raises `UserError` where a draw is both learned from and tested on."""
    split = read_json(path)
    learned = [draw for pair in split["rounds"] for draw in pair]
    both = set(learned) & set(split["test"])
    if both or len(set(learned)) < len(learned):
        raise UserError(f"{path}: draw {min(both or learned)} is used twice; delete the file and run again")
    return split
