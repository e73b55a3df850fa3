"""Calibration of the personal networks over the test draws of all patients of an arm."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kalemia.core.tables import nan_to_none, write_evaluation_table
from kalemia.evaluation.patient_scores import PatientArmScores
from kalemia.stats.discrimination import MIN_DRAWS_PER_BIN, calibration

MIN_DRAWS = 2 * MIN_DRAWS_PER_BIN  # an arm with fewer has no curve


def write_calibration(trials: list[PatientArmScores], arms: Sequence[str], digest: str, folder: str | Path) -> None:
    """Write the calibration curve of each arm after the last round; an arm with too few test draws has no rows."""
    rows = []
    for arm in arms:
        mine = [trial for trial in trials if trial.arm == arm]
        rows += [{"arm": arm} | row for row in calibration_rows(mine)]
    write_evaluation_table(folder, "calibration", rows, digest)


def calibration_rows(trials: list[PatientArmScores]) -> list[dict]:
    """The parts of `kalemia.stats.discrimination.calibration` over all test draws after the last round of each trial.

    A row of a table of kind "calibration" each, but for the arm; none for fewer than `MIN_DRAWS` draws.
    """
    tests = [trial.test for trial in trials]
    if sum(map(len, tests)) < MIN_DRAWS:
        return []
    labels = np.concatenate([test.labels for test in tests])
    logits = np.concatenate([test.logit[-1] for test in tests])
    person = np.repeat(np.arange(len(tests)), list(map(len, tests)))
    rows = []
    for part in calibration(labels, logits, person):
        share, low, high = part["observed"]
        row = {"patients": len(tests), "n_draws": part["n"], "predicted": part["predicted"], "observed": share}
        rows.append(nan_to_none(row | {"observed_low": low, "observed_high": high}))
    return rows
