"""Nested bootstrap: resamples of patients, and of the test draws of each, stored so that intervals can be recomputed.

Draws are resampled within their class, because the split fixes the number of test draws of each class; so every
resample has both classes. A patient who is drawn twice has two different resamples of draws. Both sides of a
comparison, two rounds or two arms, share the patients and, if the test is the same, the draws.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.schemas import SCHEMAS
from kalemia.core.seeds import rng
from kalemia.core.tables import empty_table, write_evaluation_table
from kalemia.evaluation.patient_scores import PatientArmScores, ScoredDraws
from kalemia.stats.tests_and_intervals import NO_BOUNDS, Bounds, bootstrap_indices, percentile_interval

REPLICATES = 2000


@dataclass(frozen=True)
class PatientResamples:
    """Resamples of patients: indices into `subject_ids`, and the resample of draws to use for each, (replicates, n)."""

    subject_ids: tuple[int, ...]
    patient_indices: np.ndarray
    draw_resamples: np.ndarray

    def interval(self, values: np.ndarray) -> Bounds:
        """The interval of the mean over patients of `values` (n, replicates), one value per resample of draws.

        A patient without a value in a resample is left out of its mean. Percentiles are not expanded: resampling draws
        within patients counts their chance about twice, which compensates for the narrow percentile interval of few
        patients (docs/method.md has the coverage). NaN for fewer than two patients, and where resamples do not differ.
        """
        if len(values) < 2:
            return NO_BOUNDS
        of_people = values[self.patient_indices, self.draw_resamples]
        known = np.isfinite(of_people)
        sums, counts = np.where(known, of_people, 0.0).sum(axis=1), known.sum(axis=1)
        means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
        return percentile_interval(means)


def resample_patients(subject_ids: tuple[int, ...], seed: int, arm: str, against: str | None) -> PatientResamples:
    """The resamples for the mean of an arm, or for the mean difference between two."""
    random, n = rng(seed, "bootstrap", "patients", arm, against or ""), len(subject_ids)
    if not n:
        return PatientResamples((), *np.zeros((2, 0, 0), int))
    return PatientResamples(
        subject_ids, bootstrap_indices(n, REPLICATES, random), random.integers(0, REPLICATES, (REPLICATES, n))
    )


def resample_draws(draws: ScoredDraws, random: np.random.Generator) -> np.ndarray:
    """Indices (replicates, n) of labeled draws, resampled within each class."""
    parts = []
    for label in (1, 0):
        mine = np.flatnonzero(draws.labels == label)
        if len(mine):
            parts.append(mine[bootstrap_indices(len(mine), REPLICATES, random)])
    return np.concatenate(parts, axis=1) if parts else np.zeros((REPLICATES, 0), int)


def resample_test_draws(trial: PatientArmScores, seed: int) -> np.ndarray:
    """`resampled_draws` of a patient's test in an arm, the same in every arm that tests the same draws."""
    return resample_draws(trial.test, rng(seed, "bootstrap", "draws", trial.subject_id, *trial.test.ids.tolist()))


def count_draws(places: np.ndarray) -> np.ndarray:
    """How often each draw is in a resample, uint16 (replicates, n), from indices (replicates, n)."""
    replicates, n = places.shape
    cells = places + n * np.arange(replicates)[:, None]
    return np.bincount(cells.ravel(), minlength=replicates * n).reshape(replicates, n).astype(np.uint16)


def write_resampled_draws(
    trials: list[PatientArmScores], places: list[np.ndarray], folder: str | Path, digest: str
) -> None:
    """Write the draws in every resample, from `resample_test_draws` of each patient and arm."""
    tables = [_draws_table(trial, mine) for trial, mine in zip(trials, places, strict=True)]
    _write(folder, "resampled_draws", tables, digest)


def write_resampled_patients(
    people: dict[tuple[str, str | None], PatientResamples], folder: str | Path, digest: str
) -> None:
    """Write the patients in every resample of an arm, or of a comparison of two arms."""
    tables = [_patients_table(*names, of) for names, of in people.items()]
    _write(folder, "resampled_patients", tables, digest)


def _draws_table(trial: PatientArmScores, places: np.ndarray) -> dict:
    n = len(places)
    return {
        "arm": [trial.arm] * n,
        "subject_id": np.full(n, trial.subject_id),
        "resample": np.arange(n),
        "draw_ids": _lists(trial.test.ids[places]),
    }


def _patients_table(arm: str, against: str | None, people: PatientResamples) -> dict:
    n = len(people.patient_indices)
    return {
        "arm": [arm] * n,
        "other_arm": [against] * n,
        "resample": np.arange(n),
        "subject_ids": _lists(np.array(people.subject_ids, np.int32)[people.patient_indices]),
        "draw_resamples": _lists(people.draw_resamples),
    }


def _lists(rows: np.ndarray) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1) * (rows.shape[1] if rows.ndim > 1 else 0)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(rows.ravel()))


def _write(folder: str | Path, kind: str, tables: list[dict], digest: str) -> None:
    filled = [pa.table(columns).cast(SCHEMAS[kind]) for columns in tables if len(columns["resample"])]
    write_evaluation_table(folder, kind, pa.concat_tables([empty_table(kind), *filled]), digest)
