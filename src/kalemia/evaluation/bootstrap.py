"""Resamples of patients, then of each one's test draws, kept so that anybody can recompute an interval.

Draws are drawn anew within their class, because how many of each are tested is fixed by the split and no result; so
every resample has both classes. A patient who is drawn twice comes with two different resamples of draws. Both sides of
a comparison, two rounds or two arms, share the patients and, where the test is the same, the draws.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.schemas import SCHEMAS
from kalemia.core.seeds import rng
from kalemia.core.tables import empty_table, write_table
from kalemia.evaluation.patient_scores import Draws, Trial
from kalemia.stats.tests_and_intervals import UNKNOWN, Bounds, drawn, percentile_interval

REPLICATES = 2000


@dataclass(frozen=True)
class People:
    """Resamples of patients: places among `subject_ids`, and which of the patient's resamples of draws, each
    (replicates, n).
    """

    subject_ids: tuple[int, ...]
    places: np.ndarray
    turns: np.ndarray

    def interval(self, values: np.ndarray) -> Bounds:
        """Of the mean over patients of what each resample of their draws gives, `values` (n, replicates).

        A patient without a value in a resample is left out of its mean. Percentiles are taken as they are: that draws
        are drawn anew below patients counts their chance about twice, which makes up for what percentiles lack with few
        patients (docs/method.md has the coverage). NaN for fewer than two patients.
        """
        if len(values) < 2:
            return UNKNOWN
        of_people = values[self.places, self.turns]
        known = np.isfinite(of_people)
        sums, counts = np.where(known, of_people, 0.0).sum(axis=1), known.sum(axis=1)
        means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
        return percentile_interval(means)


def resampled_people(subject_ids: tuple[int, ...], seed: int, arm: str, against: str | None) -> People:
    """The resamples for the mean of an arm, or for the mean difference between two."""
    random, n = rng(seed, "bootstrap", "patients", arm, against or ""), len(subject_ids)
    if not n:
        return People((), *np.zeros((2, 0, 0), int))
    return People(subject_ids, drawn(n, REPLICATES, random), random.integers(0, REPLICATES, (REPLICATES, n)))


def resampled_draws(draws: Draws, random: np.random.Generator) -> np.ndarray:
    """Places (replicates, n) among labeled draws, as many of each class as there are."""
    parts = []
    for label in (1, 0):
        mine = np.flatnonzero(draws.labels == label)
        if len(mine):
            parts.append(mine[drawn(len(mine), REPLICATES, random)])
    return np.concatenate(parts, axis=1) if parts else np.zeros((REPLICATES, 0), int)


def draws_of_trial(trial: Trial, seed: int) -> np.ndarray:
    """`resampled_draws` of a patient's test in an arm, the same in every arm that tests the same draws."""
    return resampled_draws(trial.test, rng(seed, "bootstrap", "draws", trial.subject_id, *trial.test.ids.tolist()))


def times_of_draws(places: np.ndarray) -> np.ndarray:
    """How often each draw is in a resample, uint16 (replicates, n), from places (replicates, n)."""
    replicates, n = places.shape
    cells = places + n * np.arange(replicates)[:, None]
    return np.bincount(cells.ravel(), minlength=replicates * n).reshape(replicates, n).astype(np.uint16)


def write_resampled_draws(trials: list[Trial], places: list[np.ndarray], path: str | Path, digest: str) -> None:
    """Write the draws in every resample of every trial, from `draws_of_trial` of each."""
    tables = [_table_of_draws(trial, mine) for trial, mine in zip(trials, places, strict=True)]
    write_table(path, "resampled_draws", _concatenated("resampled_draws", tables), digest)


def write_resampled_people(people: dict[tuple[str, str | None], People], path: str | Path, digest: str) -> None:
    """Write the patients in every resample of an arm, or of an arm against another."""
    tables = [_table_of_people(*names, of) for names, of in people.items()]
    write_table(path, "resampled_patients", _concatenated("resampled_patients", tables), digest)


def _table_of_draws(trial: Trial, places: np.ndarray) -> dict:
    n = len(places)
    return {
        "arm": [trial.arm] * n,
        "subject_id": np.full(n, trial.subject_id),
        "resample": np.arange(n),
        "draw_ids": _lists(trial.test.ids[places]),
    }


def _table_of_people(arm: str, against: str | None, people: People) -> dict:
    n = len(people.places)
    return {
        "arm": [arm] * n,
        "other_arm": [against] * n,
        "resample": np.arange(n),
        "subject_ids": _lists(np.array(people.subject_ids, np.int32)[people.places]),
        "draw_resamples": _lists(people.turns),
    }


def _lists(rows: np.ndarray) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1) * (rows.shape[1] if rows.ndim > 1 else 0)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(rows.ravel()))


def _concatenated(kind: str, columns: list[dict]) -> pa.Table:
    filled = [pa.table(one).cast(SCHEMAS[kind]) for one in columns if len(one["resample"])]
    return pa.concat_tables([empty_table(kind), *filled])
