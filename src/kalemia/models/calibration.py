"""Calibrate a network on draws that it was not trained on, and measure on test draws what its sets then hold."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.config import Study
from kalemia.core.paths import ResultPaths, subject_name
from kalemia.core.runs.digests import refuse_other_digests
from kalemia.core.tables import read_table
from kalemia.personal.splits import read_split
from kalemia.stats.clustered_shares import share_interval
from kalemia.stats.prediction_sets import PlattScale, SetBounds, fit_platt, fit_set_bounds, smallest_class

LEVEL = 0.9  # of the prediction sets


@dataclass(frozen=True)
class Coverage:
    """How many of n test draws, of how many patients, have their label in their set: a share with its 95% interval.

    single: the share whose set holds one label; with two the network says nothing, and with none the ECG is like
    neither class. The interval counts patients, and a single one has none.
    """

    n: int
    n_patients: int
    share: float
    low: float | None
    high: float | None
    single: float


@dataclass(frozen=True)
class Calibration:
    """Probabilities and prediction sets of a network, and on which draws they rest.

    source: "patient", own training draws, each as the network predicted it before it learned from it; "other patients",
    such draws of the arm's other patients; "validation", those of a generic network. coverage: over the test draws of
    the study, those of each patient by the draws of the others. own_coverage: over the patient's test draws alone; None
    for a generic network. No test draw is one that its sets rest on.
    """

    source: str
    n_positive: int
    n_negative: int
    n_patients: int
    scale: PlattScale
    bounds: SetBounds
    coverage: Coverage | None
    own_coverage: Coverage | None

    def probability(self, logit: float) -> float:
        """The calibrated probability of a mean logit."""
        return float(self.scale.probability(logit))

    def prediction_set(self, logit: float) -> tuple[int, ...]:
        """The labels that the set of a mean logit holds: none, one or both of 0 and 1."""
        return tuple(label for label, held in enumerate(self.bounds.holds(logit)) if held)


@dataclass(frozen=True)
class _Draws:
    """Labeled draws (n,): the patient, the label and the logit of each."""

    subjects: np.ndarray
    draw_ids: np.ndarray
    labels: np.ndarray
    logits: np.ndarray

    @classmethod
    def of(cls, predictions: pa.Table) -> "_Draws":
        labeled = predictions.filter(pc.is_valid(predictions["label"]))
        return cls(*(labeled[name].to_numpy() for name in ("subject_id", "draw_id", "label", "logit")))

    def where(self, keep: np.ndarray) -> "_Draws":
        return _Draws(self.subjects[keep], self.draw_ids[keep], self.labels[keep], self.logits[keep])

    @property
    def suffice(self) -> bool:
        """Whether there are enough of both classes."""
        return min(np.sum(self.labels == label) for label in (0, 1)) >= smallest_class(LEVEL)


def calibrate_generic(study: Study, paths: ResultPaths) -> Calibration | None:
    """Calibrate the generic network on its validation draws; None if they are too few. Coverage: its test draws."""
    path = paths("generic/predictions.parquet")
    refuse_other_digests(study, [path])
    predictions = read_table(path, "predictions")
    validation, test = (
        _Draws.of(predictions.filter(pc.equal(predictions["role"], role))) for role in ("validation", "test")
    )
    if not validation.suffice:
        return None
    return _calibration("validation", validation, _coverage([(validation, test)]), None)


def calibrate_personal(study: Study, paths: ResultPaths, arm: str, subject: int, round_: int) -> Calibration | None:
    """Calibrate one patient's network after a round.

    On the patient's own training draws until then if they are enough, else on those of the arm's other patients; None
    if these are too few as well. The generic network's validation draws would not do: its logits are on another scale.
    """
    of_arm = _Arm(study, paths, arm)
    rounds = of_arm.last_rounds() | {subject: round_}
    learned = {patient: of_arm.learned(patient, last) for patient, last in rounds.items()}
    tests = {patient: of_arm.tested(patient, last) for patient, last in rounds.items()}
    own = learned[subject]
    if own.suffice:
        held_out = tests[subject].where(~np.isin(tests[subject].draw_ids, own.draw_ids))
        return _calibration("patient", own, None, _coverage([(own, held_out)]))
    others = {patient: _join([learned[other] for other in learned if other != patient]) for patient in learned}
    if not others[subject].suffice:
        return None
    pairs = {patient: (others[patient], tests[patient]) for patient in learned if others[patient].suffice}
    return _calibration("other patients", others[subject], _coverage(list(pairs.values())), _coverage([pairs[subject]]))


def _calibration(source: str, draws: _Draws, coverage: Coverage | None, own: Coverage | None) -> Calibration:
    return Calibration(
        source=source,
        n_positive=int(np.sum(draws.labels == 1)),
        n_negative=int(np.sum(draws.labels == 0)),
        n_patients=len(np.unique(draws.subjects)),
        scale=fit_platt(draws.logits, draws.labels),
        bounds=fit_set_bounds(draws.logits, draws.labels, LEVEL),
        coverage=coverage,
        own_coverage=own,
    )


def _coverage(pairs: list[tuple[_Draws, _Draws]]) -> Coverage | None:
    """Over all test draws, each with the sets that rest on the calibration draws of its pair; None without any."""
    tests = _join([test for _, test in pairs])
    if not len(tests.labels):
        return None
    held = np.concatenate(
        [np.stack(fit_set_bounds(of.logits, of.labels, LEVEL).holds(test.logits), axis=1) for of, test in pairs]
    )
    covered = held[np.arange(len(held)), tests.labels]
    _, person = np.unique(tests.subjects, return_inverse=True)
    interval = share_interval(np.bincount(person, weights=covered), np.bincount(person))
    low, high = (float(bound) if np.isfinite(bound) else None for bound in interval)
    single = float(np.mean(held.sum(axis=1) == 1))
    return Coverage(len(held), int(person.max()) + 1, float(covered.mean()), low, high, single)


class _Arm:
    """The draws of the patients of one arm, by what a network says of them."""

    def __init__(self, study: Study, paths: ResultPaths, arm: str):
        self._study, self._paths, self._arm = study, paths, arm

    def last_rounds(self) -> dict[int, int]:
        """The last round of every patient who has one."""
        rows = read_table(self._paths("personal/arms.parquet"), "arms").to_pylist()
        return {row["subject_id"]: row["rounds"] for row in rows if row["arm"] == self._arm and row["rounds"]}

    def learned(self, subject: int, last_round: int) -> _Draws:
        """Training draws until a round, each as the network of the round before it was learned from predicts it."""
        rounds = read_split(self._paths.arm_file(self._arm, subject_name(subject), "split.json"))["rounds"]
        return _join([self._predicted(subject, k, rounds[k]) for k in range(1, last_round)])

    def tested(self, subject: int, round_: int) -> _Draws:
        """The test draws, as the network after a round predicts them."""
        return _of_role(self._predictions(subject, round_), "test")

    def _predicted(self, subject: int, round_: int, draws: list[int]) -> _Draws:
        predictions = self._predictions(subject, round_)
        return _Draws.of(predictions.filter(pc.is_in(predictions["draw_id"], pa.array(draws, pa.int64()))))

    def _predictions(self, subject: int, round_: int) -> pa.Table:
        path = self._paths.round_file(self._arm, subject_name(subject), round_, "predictions.parquet")
        refuse_other_digests(self._study, [path])
        return read_table(path, "predictions")


def _of_role(predictions: pa.Table, role: str) -> _Draws:
    return _Draws.of(predictions.filter(pc.equal(predictions["role"], role)))


def _join(parts: list[_Draws]) -> _Draws:
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    columns = zip(nothing, *(vars(part).values() for part in parts), strict=True)
    return _Draws(*map(np.concatenate, columns))
