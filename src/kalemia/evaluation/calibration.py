"""Calibration of the personal networks over the test draws of all patients of an arm."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kalemia.core.seeds import rng
from kalemia.core.tables import nan_to_none, write_evaluation_table
from kalemia.evaluation.patient_scores import PatientArmScores
from kalemia.stats.discrimination import MIN_DRAWS_PER_BIN, REPLICATES, calibration, probability_deciles
from kalemia.stats.tests_and_intervals import NO_BOUNDS, bootstrap_counts

MIN_DRAWS = 2 * MIN_DRAWS_PER_BIN  # an arm with fewer has no curve


def write_calibration(
    trials: list[PatientArmScores], arms: Sequence[str], seed: int, digest: str, folder: str | Path
) -> None:
    """Write the calibration curve of each arm after the last round; an arm with too few test draws has no rows."""
    rows = []
    for arm in arms:
        mine = [trial for trial in trials if trial.arm == arm]
        rows += [{"arm": arm} | row for row in calibration_rows(mine, rng(seed, "bootstrap", "calibration", arm))]
    write_evaluation_table(folder, "calibration", rows, digest)


def calibration_rows(trials: list[PatientArmScores], random: np.random.Generator) -> list[dict]:
    """The parts of `kalemia.stats.discrimination.calibration` over all test draws after the last round of each trial.

    A row of a table of kind "calibration" each, but for the arm; none for fewer than `MIN_DRAWS` draws. No bounds
    where all draws are of one patient, about whom resampling patients says nothing.
    """
    tests = [trial.test for trial in trials]
    if sum(map(len, tests)) < MIN_DRAWS:
        return []
    labels = np.concatenate([test.labels for test in tests])
    logits = np.concatenate([test.logit[-1] for test in tests])
    person = np.repeat(np.arange(len(tests)), list(map(len, tests)))
    parts = calibration(labels, logits, person, bootstrap_counts(len(tests), REPLICATES, random))
    rows = []
    for part, tenth in zip(parts, probability_deciles(logits), strict=True):
        share, *bounds = part["observed"]
        low, high = bounds if len(np.unique(person[tenth])) > 1 else NO_BOUNDS
        row = {"patients": len(tests), "n_draws": part["n"], "predicted": part["predicted"], "observed": share}
        rows.append(nan_to_none(row | {"observed_low": low, "observed_high": high}))
    return rows
