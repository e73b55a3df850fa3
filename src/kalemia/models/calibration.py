"""Calibrate a network on draws that it was not trained on, and measure on test draws what its sets then hold."""

import dataclasses
from dataclasses import dataclass
from types import MappingProxyType

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
    such draws of the arm's other patients; "population", of all patients of the arm in the study of the generic
    network; "validation", those of a generic network. coverage: over the test draws of
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
    validation, test = _of_role(predictions, "validation"), _of_role(predictions, "test")
    if not validation.suffice:
        return None
    return _calibration("validation", validation, [(validation, test)])


def calibrate_arm(study: Study, paths: ResultPaths, arm: str) -> Calibration | None:
    """Calibrate the networks of an arm for a patient who is none of its patients; None if their draws are too few.

    It goes with the generic network, for patients who are enrolled later.
    """
    of_arm = _Arm(study, paths, arm)
    draws = _join(list(of_arm.learned.values()))
    return _calibration("population", draws, of_arm.pairs()) if draws.suffice else None


def calibrate_personal(
    study: Study, paths: ResultPaths, arm: str, subject: int, round_: int, population: Calibration | None
) -> Calibration | None:
    """Calibrate one patient's network after a round.

    On the patient's own training draws until then if they are enough, else on those of the arm's other patients, else
    as in the study of the generic network (`population`, by `calibrate_arm`). The generic network's validation draws
    would not do: its logits are on another scale.
    """
    of_arm = _Arm(study, paths, arm, {subject: round_})
    own, test, others = of_arm.learned[subject], of_arm.tested[subject], of_arm.others(subject)
    if own.suffice:
        return _with_own(_calibration("patient", own, []), test.where(~np.isin(test.draw_ids, own.draw_ids)))
    if others.suffice:
        return _with_own(_calibration("other patients", others, of_arm.pairs()), test)
    return population and _with_own(population, test)


def _calibration(source: str, draws: _Draws, pairs: list[tuple[_Draws, _Draws]]) -> Calibration:
    """Calibrate on some draws; the coverage is over the second of each pair, by sets that rest on the first."""
    return Calibration(
        source=source,
        n_positive=int(np.sum(draws.labels == 1)),
        n_negative=int(np.sum(draws.labels == 0)),
        n_patients=len(np.unique(draws.subjects)),
        scale=fit_platt(draws.logits, draws.labels),
        bounds=_bounds(draws),
        coverage=_coverage([(_bounds(draws), test) for draws, test in pairs]),
        own_coverage=None,
    )


def _with_own(calibration: Calibration, test: _Draws) -> Calibration:
    """With the coverage of a patient's test draws."""
    return dataclasses.replace(calibration, own_coverage=_coverage([(calibration.bounds, test)]))


def _bounds(draws: _Draws) -> SetBounds:
    return fit_set_bounds(draws.logits, draws.labels, LEVEL)


def _coverage(pairs: list[tuple[SetBounds, _Draws]]) -> Coverage | None:
    """Over all test draws, each with the bounds of its pair; None without any."""
    tests = _join([test for _, test in pairs])
    if not len(tests.labels):
        return None
    held = np.concatenate([np.stack(bounds.holds(test.logits), axis=1) for bounds, test in pairs])
    covered = held[np.arange(len(held)), tests.labels]
    _, person = np.unique(tests.subjects, return_inverse=True)
    interval = share_interval(np.bincount(person, weights=covered), np.bincount(person))
    low, high = (float(bound) if np.isfinite(bound) else None for bound in interval)
    single = float(np.mean(held.sum(axis=1) == 1))
    return Coverage(len(held), int(person.max()) + 1, float(covered.mean()), low, high, single)


class _Arm:
    """The draws of every patient of one arm until the last round, or until another.

    learned: by patient, training draws, each as the network predicted it before it learned from it. tested: the test
    draws, as the network of the last of these rounds predicts them.
    """

    def __init__(self, study: Study, paths: ResultPaths, arm: str, until: dict[int, int] = MappingProxyType({})):
        self._study, self._paths, self._arm = study, paths, arm
        rows = read_table(paths("personal/arms.parquet"), "arms").to_pylist()
        rounds = {row["subject_id"]: row["rounds"] for row in rows if row["arm"] == arm and row["rounds"]} | dict(until)
        self.learned = {subject: self._learned(subject, last) for subject, last in rounds.items()}
        self.tested = {subject: _of_role(self._predictions(subject, last), "test") for subject, last in rounds.items()}

    def others(self, subject: int) -> _Draws:
        """What all patients but one have learned from."""
        return _join([draws for other, draws in self.learned.items() if other != subject])

    def pairs(self) -> list[tuple[_Draws, _Draws]]:
        """For every patient for whom they suffice: what the others have learned from, and the patient's test draws."""
        pairs = [(self.others(subject), test) for subject, test in self.tested.items()]
        return [(draws, test) for draws, test in pairs if draws.suffice]

    def _learned(self, subject: int, last_round: int) -> _Draws:
        rounds = read_split(self._paths.arm_file(self._arm, subject_name(subject), "split.json"))["rounds"]
        parts = []
        for before in range(1, last_round):
            predictions = self._predictions(subject, before)
            draws = pa.array(rounds[before], pa.int64())
            parts.append(_Draws.of(predictions.filter(pc.is_in(predictions["draw_id"], draws))))
        return _join(parts)

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
