"""What the explanations of all patients say together: means over patients with intervals, and what follows in words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from kalemia.core.seeds import rng
from kalemia.evaluation.claims.rule import MIN_PATIENTS
from kalemia.explanation.map_similarity import spearman
from kalemia.explanation.planted_places import area_found, occlusion_map, planted_samples
from kalemia.explanation.wave_windows import WAVES, window_of_limits
from kalemia.stats.tests_and_intervals import bootstrap_indices, expanded_interval

RESAMPLES = 2000
SAME_MAP_CORRELATION = 0.5  # rank correlation from which a map counts as the same
ALL_RANDOM = "stem"  # the level of weight randomization that reaches from the head to the first layer
MAP_CHANGES, MAP_UNCHANGED, MAP_OPEN = "changes", "does not change", "is open"

Rows = list[dict]


@dataclass(frozen=True)
class Estimate:
    """A mean over n patients and its 95% interval; NaN where there is nobody, or for the interval fewer than two."""

    mean: float
    low: float
    high: float
    n: int


class Explained(Protocol):
    """One patient's rows of the tables of these names, and Grad-CAM's maps (120,) by model, stage and label.

    acts_at: the places where potassium acts on the beat; none unless the patient is simulated and there are some.
    """

    attention: Mapping[tuple[str, int, int], np.ndarray]
    acts_at: Rows
    waves: Rows
    sanity: Rows
    occlusion: Rows
    projections: Rows


@dataclass(frozen=True)
class Summary:
    """Means over patients; a model is `generic` or an arm, after its last round."""

    patients: Sequence[Explained]
    seed: int
    _of_others: dict[tuple, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    def share(self, model: str, stage: int, wave: str) -> Estimate:
        """Of attention, as `attention_share`."""
        return self._over(lambda one: attention_share(one.waves, model, stage, wave), "share", model, stage, wave)

    def even_share(self, model: str, stage: int, wave: str) -> float:
        """What maps that are the same everywhere would give the wave."""
        return _mean(attention_share(one.waves, model, stage, wave, "even_share") for one in self.patients)

    def change(self, arm: str, model: str, wave: str) -> Estimate:
        """As `change_share`."""
        return self._over(lambda one: change_share(one.occlusion, arm, model, wave), "change", arm, model, wave)

    def auc_drop(self, arm: str, model: str, wave: str) -> Estimate:
        """As `auc_drop`."""
        return self._over(lambda one: auc_drop(one.occlusion, arm, model, wave), "AUC drop", arm, model, wave)

    def agreement(self, arm: str, model: str, stage: int) -> Estimate:
        """As `gradcam_occlusion_agreement`."""
        return self._over(
            lambda one: gradcam_occlusion_agreement(one.waves, one.occlusion, arm, model, stage),
            "agreement",
            arm,
            model,
            stage,
        )

    def similarity(self, model: str, stage: int, against: str, measure: str = "spearman") -> Estimate:
        """As `similarity`."""
        return self._over(
            lambda one: similarity(one.sanity, model, stage, against, measure), measure, model, stage, against
        )

    def found(self, arm: str, model: str, stage: int | None) -> Estimate:
        """As `places_found`, of the patient's own places."""
        return self._over(
            lambda one: places_found(one, one.acts_at, arm, model, stage), "found", arm, model, f"{stage}"
        )

    def found_of_others(self, arm: str, model: str, stage: int | None) -> Estimate:
        """As `places_found`, of the places of the other patients, mean over these."""
        return self._over(
            lambda one: self._found_of_others(one, arm, model, stage), "found of others", arm, model, f"{stage}"
        )

    def found_more(self, arm: str, model: str, stage: int | None) -> Estimate:
        """How much better the patient's own places are found than those of the other patients."""

        def of_one(one: Explained) -> float:
            own = places_found(one, one.acts_at, arm, model, stage)
            return own - self._found_of_others(one, arm, model, stage)

        return self._over(of_one, "found more", arm, model, f"{stage}")

    def found_at_random(self, model: str, stage: int) -> Estimate:
        """As `found` by Grad-CAM, of the same network with all weights random."""
        return self._over(lambda one: _found_at_random(one, model, stage), "found at random", model, stage)

    def projection(self, model: str, method: str, column: str) -> Estimate:
        """A column of the table "projections"."""

        def of_one(one: Explained) -> float:
            return _mean(row[column] for row in one.projections if (row["model"], row["method"]) == (model, method))

        return self._over(of_one, column, model, method)

    def _found_of_others(self, one: Explained, arm: str, model: str, stage: int | None) -> float:
        key = id(one), arm, model, stage
        if key not in self._of_others:  # asked for twice, and slow
            others = (other.acts_at for other in self.patients if other is not one)
            self._of_others[key] = _mean(places_found(one, places, arm, model, stage) for places in others)
        return self._of_others[key]

    def _over(self, value: Callable[[Explained], float], *names: str | int) -> Estimate:
        return estimate([value(one) for one in self.patients], self.seed, *names)


def estimate(values: Iterable[float], seed: int, *names: str | int) -> Estimate:
    """Of one value a patient, those that are no number left out: the mean, and the expanded percentile interval over
    patients drawn with replacement, by the seed of what `names` say.
    """
    known = np.array([value for value in values if value is not None and np.isfinite(value)], dtype=np.float64)
    if not len(known):
        return Estimate(np.nan, np.nan, np.nan, 0)
    places = bootstrap_indices(len(known), RESAMPLES, rng(seed, "explanation", *names))
    return Estimate(float(known.mean()), *expanded_interval(known[places].mean(axis=1), len(known)), len(known))


def attention_share(waves: Rows, model: str, stage: int, wave: str, column: str = "share") -> float:
    """One patient's share of attention in a wave, mean over the labels; NaN where a map is empty for every label."""
    return _mean(row[column] for row in waves if (row["model"], row["stage"], row["wave"]) == (model, stage, wave))


def similarity(sanity: Rows, model: str, stage: int, against: str, measure: str = "spearman") -> float:
    """One patient's likeness of a model's map with the one it is held against, mean over the labels."""
    return _mean(
        row[measure] for row in sanity if (row["model"], row["stage"], row["reference"]) == (model, stage, against)
    )


def change_share(occlusion: Rows, arm: str, model: str, wave: str) -> float:
    """One patient's change of the logit without a wave, as a share of the changes without each; NaN if none is."""
    changes = {row["wave"]: row["logit_change"] for row in _of_arm(occlusion, arm, model)}
    total = sum(changes.values())
    return changes[wave] / total if total else np.nan


def auc_drop(occlusion: Rows, arm: str, model: str, wave: str) -> float:
    """One patient's AUC over the test draws less that without the wave."""
    return _mean(row["auc"] - row["auc_without"] for row in _of_arm(occlusion, arm, model) if row["wave"] == wave)


def gradcam_occlusion_agreement(waves: Rows, occlusion: Rows, arm: str, model: str, stage: int) -> float:
    """One patient's rank correlation, over the four waves, of Grad-CAM's shares with occlusion's."""
    seen = np.array([attention_share(waves, model, stage, wave) for wave in WAVES])
    missed = np.array([change_share(occlusion, arm, model, wave) for wave in WAVES])
    return spearman(seen, missed) if np.isfinite([seen, missed]).all() else np.nan


def places_found(one: Explained, places: Rows, arm: str, model: str, stage: int | None) -> float:
    """One patient's `area_found` of `places`: by Grad-CAM of a stage, mean over the labels, or by occlusion (None)."""
    windows, planted = _windows(one.waves), planted_samples(places)
    if stage is not None:
        maps = [map_ for (name, at, _), map_ in one.attention.items() if (name, at) == (model, stage)]
        return _mean(area_found(map_, planted, windows) for map_ in maps)
    changes = {row["wave"]: row["logit_change"] for row in _of_arm(one.occlusion, arm, model)}
    return area_found(occlusion_map(changes, windows), planted, windows) if changes else np.nan


def _found_at_random(one: Explained, model: str, stage: int) -> float:
    windows, planted = _windows(one.waves), planted_samples(one.acts_at)
    maps = (
        np.array(row["attention"])
        for row in one.sanity
        if (row["model"], row["stage"], row["reference"]) == (model, stage, ALL_RANDOM)
    )
    return _mean(area_found(map_, planted, windows) for map_ in maps)


def _windows(waves: Rows) -> dict[str, slice]:
    """The samples of each wave; all rows of a patient have the same."""
    limits = {row["wave"]: (row["from_ms"], row["to_ms"]) for row in waves if row["wave"] in WAVES}
    return {wave: window_of_limits(*ms) for wave, ms in limits.items()}


def depends_on_training(likeness: Estimate, halves: Estimate) -> str:
    """Whether a map changes with what was made random, by the interval of the rank correlation of both maps.

    `MAP_CHANGES` if all of it is below `SAME_MAP_CORRELATION`, `MAP_UNCHANGED` if all of it is above, else `MAP_OPEN`.

    halves: the rank correlation of the same network's maps on two halves of the draws. Where its interval reaches below
    `SAME_MAP_CORRELATION`, maps differ with nothing made random, and a change means nothing; `MAP_OPEN`, as with few
    patients.
    """
    if min(likeness.n, halves.n) < MIN_PATIENTS or halves.low < SAME_MAP_CORRELATION:
        return MAP_OPEN
    if likeness.high < SAME_MAP_CORRELATION:
        return MAP_CHANGES
    return MAP_UNCHANGED if likeness.low >= SAME_MAP_CORRELATION else MAP_OPEN


def _of_arm(occlusion: Rows, arm: str, model: str) -> Rows:
    return [row for row in occlusion if (row["arm"], row["model"]) == (arm, model)]


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan
