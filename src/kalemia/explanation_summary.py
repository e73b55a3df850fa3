"""What the explanations of all patients say together: means over patients with intervals, and what follows in words."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kalemia.likeness import rank_correlation
from kalemia.seeds import rng
from kalemia.waves import WAVES

RESAMPLES = 2000
SAME = 0.5  # rank correlation from which a map counts as the same
CHANGES, STAYS, UNKNOWN = "changes", "does not change", "cannot be told"

Rows = list[dict]


@dataclass(frozen=True)
class Estimate:
    """A mean over n patients and its 95% interval; NaN where there is nobody, or for the interval fewer than two."""

    mean: float
    low: float
    high: float
    n: int


def estimate(values: Iterable[float], seed: int, *names: str | int) -> Estimate:
    """Of one value a patient, those that are no number left out: the mean, and the percentile interval over patients
    drawn with replacement, by the seed of what `names` say.
    """
    known = np.array([value for value in values if value is not None and np.isfinite(value)], dtype=np.float64)
    if len(known) < 2:
        return Estimate(float(known[0]) if len(known) else np.nan, np.nan, np.nan, len(known))
    places = rng(seed, "explanation", *names).integers(0, len(known), (RESAMPLES, len(known)))
    low, high = np.quantile(known[places].mean(axis=1), [0.025, 0.975])
    return Estimate(float(known.mean()), float(low), float(high), len(known))


def attention_share(waves: Rows, model: str, stage: int, wave: str, column: str = "share") -> float:
    """One patient's share of attention in a wave, mean over the labels; NaN where a map is empty for every label."""
    return _mean(row[column] for row in waves if (row["model"], row["stage"], row["wave"]) == (model, stage, wave))


def similarity(sanity: Rows, model: str, stage: int, against: str, measure: str = "spearman") -> float:
    """One patient's likeness of a model's map with the one it is held against, mean over the labels."""
    return _mean(
        row[measure] for row in sanity if (row["model"], row["stage"], row["against"]) == (model, stage, against)
    )


def change_share(occlusion: Rows, arm: str, model: str, wave: str) -> float:
    """One patient's change of the logit without a wave, as a share of the changes without each; NaN if none is."""
    changes = {row["wave"]: row["logit_change"] for row in _of_arm(occlusion, arm, model)}
    total = sum(changes.values())
    return changes[wave] / total if total else np.nan


def auc_drop(occlusion: Rows, arm: str, model: str, wave: str) -> float:
    """One patient's AUC over the test draws less that without the wave."""
    return _mean(row["auc"] - row["auc_without"] for row in _of_arm(occlusion, arm, model) if row["wave"] == wave)


def opinions_agree(waves: Rows, occlusion: Rows, arm: str, model: str, stage: int) -> float:
    """One patient's rank correlation, over the four waves, of Grad-CAM's shares with occlusion's."""
    seen = np.array([attention_share(waves, model, stage, wave) for wave in WAVES])
    missed = np.array([change_share(occlusion, arm, model, wave) for wave in WAVES])
    return rank_correlation(seen, missed) if np.isfinite([seen, missed]).all() else np.nan


def dependence(likeness: Estimate) -> str:
    """Whether a map changes with what was made random: `CHANGES` where the whole interval of the rank correlation lies
    below `SAME`, `STAYS` where it lies above, else `UNKNOWN`.
    """
    if likeness.high < SAME:
        return CHANGES
    return STAYS if likeness.low >= SAME else UNKNOWN


def _of_arm(occlusion: Rows, arm: str, model: str) -> Rows:
    return [row for row in occlusion if (row["arm"], row["model"]) == (arm, model)]


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan
