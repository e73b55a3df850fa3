"""Split one patient's draws into rounds of training and a test, by the rule of a protocol."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from kalemia.core.config import ROLLING, Arm, Personal
from kalemia.core.errors import UserError
from kalemia.core.seeds import rng
from kalemia.core.tables import read_json, write_json
from kalemia.core.wording import plural
from kalemia.personal.episodes import Draw, admissions, episodes, labeled_in_time_order, run_numbers
from kalemia.personal.leakage import BeatSpan, audit, hours_between, protocol_violation

MIN_TEST_RUNS = 4  # of one label: in a test of two or three, a score that only follows time may have an AUC of 0 or 1
TOO_FEW_RUNS = (
    f"every possible test has fewer than {MIN_TEST_RUNS} runs of one label, so that a score which only follows time"
    " could look perfect"
)
_ORDERS = 64  # random orders in which whole episodes or admissions are tried


@dataclass(frozen=True)
class Split:
    """The training draws of each round, alternately positive and negative, and the test draws, as draw ids.

    test_from: the start of the test period, for protocols that have one. predicted_by: under `rolling`, the round whose
    network predicts each draw, labeled or not; under other protocols the last round predicts all. reason: why the
    protocol is impossible; there are then no rounds and no test.
    """

    rounds: tuple[tuple[int, ...], ...] = ()
    test: tuple[int, ...] = ()
    test_from: datetime | None = None
    reason: str | None = None
    predicted_by: dict[int, int] = field(default_factory=dict, hash=False)

    @property
    def training_draws(self) -> list[int]:
        """The training draws of all rounds."""
        return [draw for pair in self.rounds for draw in pair]

    def predicted_in(self, round_: int) -> list[int]:
        """The test draws that the network of a round predicts."""
        return [draw for draw in self.test if self.predicted_by.get(draw, len(self.rounds)) == round_]


def split_draws(arm: Arm, draws: Sequence[Draw], settings: Personal, seed: int, subject_id: int) -> Split:
    """Split a patient's draws by the arm's protocol; their order does not matter.

    No training draw is within `arm.purge_hours` of a test draw.
    """
    if arm.protocol == ROLLING:
        return rolling_split(draws, arm.purge_hours, settings)
    labeled, random = labeled_in_time_order(draws), rng(seed, f"{arm.protocol} split", subject_id)
    split = _split_by(arm.protocol, labeled, arm.purge_hours, settings, random)
    if split.reason and _split_by(arm.protocol, labeled, 0.0, settings, random).rounds:
        return Split(
            reason=f"possible only if training draws may lie within {plural(arm.purge_hours, 'hour')} of the test"
        )
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

    The test starts at a draw such that it has at least `min_test_draws` of each class and `MIN_TEST_RUNS` runs of one
    label, and at least one pair is before the gap. Of such draws, choose the one whose test is nearest to a fraction
    `test_fraction` of all draws (the later of two that are equally near). Training draws of a recording that is tested
    are left out, as in `rolling_split`.
    """
    best, nearest = Split(reason="no moment has both classes before it and enough of both after it"), np.inf
    for i, first in enumerate(labeled):
        test = labeled[i:]
        if i and labeled[i - 1].time == first.time:
            continue
        train = [draw for draw in labeled[:i] if draw.time <= first.time - timedelta(hours=purge_hours)]
        rounds = _rounds(_without_tested_recordings(train, test), settings)
        distance = abs(len(test) / len(labeled) - settings.test_fraction)
        if not rounds or not _enough(test, settings) or distance > nearest:
            continue
        if count_runs(test) >= MIN_TEST_RUNS:
            best, nearest = Split(rounds, _sorted_ids(test), first.time), distance
        elif not best.rounds:
            best = Split(reason=TOO_FEW_RUNS)
    return best


def count_runs(labeled: Sequence[Draw]) -> int:
    """The number of runs of one label, in one admission, of draws as `labeled_in_time_order` returns them."""
    return run_numbers(labeled)[-1] + 1 if labeled else 0


def _without_tested_recordings(train: Sequence[Draw], test: Sequence[Draw]) -> list[Draw]:
    """The training draws of other recordings than the test's; if there are none, and the test is one recording, all."""
    tested = {draw.recording for draw in test}
    others = [draw for draw in train if draw.recording is None or draw.recording not in tested]
    return list(train) if not others and len(tested) == 1 else others


def rolling_split(draws: Sequence[Draw], purge_hours: float, settings: Personal) -> Split:
    """Predict each draw by the network of the pairs that are complete before it (a rolling origin).

    Pairs form in the order of time, and all are used: `max_rounds` does not apply. The network of a round predicts a
    draw if all its training draws are at least `purge_hours` before it, and none is of the draw's own recording; the
    latest such network is taken. Without the second condition a network that recognizes a recording has the last label
    in it (docs/method.md). It does not apply where all training draws are of that recording: nothing tells them apart
    then.
    """
    labeled = labeled_in_time_order(draws)
    rounds = _rounds(labeled, settings, limit=False)
    learned = _learned_until(rounds, labeled)
    predicted_by = {}
    for draw in draws:
        for round_ in range(len(learned), 0, -1):
            if _may_predict(*learned[round_ - 1], draw, purge_hours):
                predicted_by[draw.draw_id] = round_
                break
    test = [draw for draw in labeled if draw.draw_id in predicted_by]
    if not _enough(test, settings):
        return Split(reason="too few draws of a class come after a pair of earlier draws in another recording")
    first = min(draw.time for draw in test)
    return Split(rounds[: max(predicted_by.values())], _sorted_ids(test), first, predicted_by=predicted_by)


def _learned_until(
    rounds: Sequence[tuple[int, ...]], labeled: Sequence[Draw]
) -> list[tuple[datetime, set[str | None]]]:
    """Of the training draws until each round, the time of the last and their recordings."""
    draw_of = {draw.draw_id: draw for draw in labeled}
    learned, last, recordings = [], datetime.min, set()
    for pairs in rounds:
        last = max(last, *(draw_of[draw].time for draw in pairs))
        recordings = recordings | {draw_of[draw].recording for draw in pairs}
        learned.append((last, recordings))
    return learned


def _may_predict(last: datetime, recordings: set[str | None], draw: Draw, purge_hours: float) -> bool:
    if last > draw.time - timedelta(hours=purge_hours):
        return False
    return draw.recording is None or draw.recording not in recordings or recordings == {draw.recording}


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
    train: Sequence[Draw],
    settings: Personal,
    test: Sequence[Draw] = (),
    purge_hours: float = 0.0,
    *,
    limit: bool = True,
) -> tuple[tuple[int, ...], ...]:
    """Pair positive and negative draws in the order given, without those too near to a test draw, and form rounds.

    limit: whether there are at most `max_rounds`.
    """
    kept = [draw for draw in train if all(hours_between(draw.time, other.time) >= purge_hours for other in test)]
    pairs = list(zip(_of_label(kept, 1), _of_label(kept, 0), strict=False))
    step = settings.pairs_per_round
    return tuple(
        tuple(draw for pair in pairs[first : first + step] for draw in pair) for first in range(0, len(pairs), step)
    )[: settings.max_rounds if limit else None]


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
        "predicted_by": {str(draw): round_ for draw, round_ in split.predicted_by.items()},
        "draws": [_draw_json(draw, spans) for draw in in_time_order],
    }
    content["leakage"] = audit_split(content) if split.rounds else None
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


def parse_split(split: dict) -> Split:
    """The rounds and the test of a split file."""
    predicted_by = {int(draw): round_ for draw, round_ in split.get("predicted_by", {}).items()}
    return Split(tuple(map(tuple, split["rounds"])), tuple(split["test"]), predicted_by=predicted_by)


def predictions_by_round(split: dict) -> list[tuple[list[int], list[int]]]:
    """For each round that predicts test draws: the training draws until then, and these test draws."""
    parsed = parse_split(split)
    groups = []
    for round_ in range(1, len(parsed.rounds) + 1):
        if test := parsed.predicted_in(round_):
            groups.append(([draw for pair in parsed.rounds[:round_] for draw in pair], test))
    return groups


def audit_split(split: dict) -> dict:
    """The audit of a split file: over all rounds that predict test draws, the worst of each."""
    draws, spans = parse_draws(split)
    audits = [audit(train, test, draws, spans) for train, test in predictions_by_round(split)]
    worst = {name: max(one[name] for one in audits) for name in audits[0]}
    gaps = [one["smallest_gap_hours"] for one in audits]
    sizes = {"n_train": len(training_draws(split)), "n_test": len(split["test"])}
    return worst | sizes | {"smallest_gap_hours": min(gaps)}


def parse_draws(split: dict) -> tuple[list[Draw], dict[int, BeatSpan]]:
    """All usable draws of a split file in the order of time, and the spans of their beats."""
    draws, spans = [], {}
    for row in split["draws"]:
        time = datetime.fromisoformat(row["time"])
        draws.append(Draw(row["draw_id"], time, row["label"], row["recording"], row["admission"]))
        if row["segments"]:
            spans[row["draw_id"]] = BeatSpan(tuple(row["segments"]), *row["r_samples"])
    return draws, spans


def relabel_split(split: dict, label_of: dict[int, int], arm: Arm, personal: Personal, seed: int) -> dict:
    """A split file's content if its draws had other labels: by the same protocol, of the same usable draws.

    A draw that is not in `label_of` has no label. Raises `UserError` if the split violates its protocol.
    """
    relabeled = split | {"draws": [row | {"label": label_of.get(row["draw_id"])} for row in split["draws"]]}
    found = split_draws(arm, parse_draws(relabeled)[0], personal, seed, split["subject_id"])
    relabeled |= {name: getattr(found, name) for name in ("rounds", "test", "predicted_by", "reason")}
    _raise_on_leak(f"the split of {split['subject_id']} by other labels", relabeled)
    return relabeled


def count_test_runs(split: dict) -> int:
    """The number of runs of one label, in one admission, among the test draws of a split file, in the order of time."""
    test = set(split["test"])
    held_out = [draw for draw in labeled_in_time_order(parse_draws(split)[0]) if draw.draw_id in test]
    return count_runs(held_out)


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
    held_out = () if split["protocol"] == ROLLING else set(split["test"])  # which are learned from later
    twice = [draw for draw, n in Counter([*train, *held_out]).items() if n > 1]
    if twice:
        raise UserError(f"{path}: draw {min(twice)} is used twice; delete the file and run again")
    if not split["rounds"]:
        return
    times = {draw.draw_id: draw.time for draw in parse_draws(split)[0]}
    in_order = all(
        max(times[draw] for draw in train) < min(times[draw] for draw in test)
        for train, test in predictions_by_round(split)
    )
    violation = protocol_violation(split["protocol"], split["purge_hours"], audit_split(split), in_order)
    if violation:
        raise UserError(
            f"{path}: violates the protocol {split['protocol']!r}: {violation}; delete the file and run again"
        )
