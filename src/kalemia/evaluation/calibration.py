"""How well the probabilities of the personal networks are calibrated, over the test draws of all patients of an arm."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kalemia.core.seeds import rng
from kalemia.core.tables import known, table_from_rows, write_table
from kalemia.evaluation.patient_scores import Trial
from kalemia.stats.discrimination import FEWEST_IN_BIN, REPLICATES, calibration, tenths
from kalemia.stats.tests_and_intervals import UNKNOWN, times_drawn

FEWEST_DRAWS = 2 * FEWEST_IN_BIN  # fewer make no curve


def write_calibration(trials: list[Trial], arms: Sequence[str], seed: int, digest: str, path: str | Path) -> None:
    """Write the calibration curve of each arm after the last round; an arm with too few test draws has no rows."""
    rows = []
    for arm in arms:
        mine = [trial for trial in trials if trial.arm == arm]
        rows += [{"arm": arm} | row for row in calibration_rows(mine, rng(seed, "bootstrap", "calibration", arm))]
    write_table(path, "calibration", table_from_rows("calibration", rows), digest)


def calibration_rows(trials: list[Trial], random: np.random.Generator) -> list[dict]:
    """The parts of `kalemia.stats.discrimination.calibration` over all test draws after the last round of each trial.

    A row of a table of kind "calibration" each, but for the arm; none for fewer than `FEWEST_DRAWS` draws. No bounds
    where all draws are of one patient, about whom resampling patients says nothing.
    """
    tests = [trial.test for trial in trials]
    if sum(map(len, tests)) < FEWEST_DRAWS:
        return []
    labels = np.concatenate([test.labels for test in tests])
    logits = np.concatenate([test.logit[-1] for test in tests])
    person = np.repeat(np.arange(len(tests)), list(map(len, tests)))
    parts = calibration(labels, logits, person, times_drawn(len(tests), REPLICATES, random))
    rows = []
    for part, tenth in zip(parts, tenths(logits), strict=True):
        share, *bounds = part["observed"]
        low, high = bounds if len(np.unique(person[tenth])) > 1 else UNKNOWN
        row = {"patients": len(tests), "n_draws": part["n"], "predicted": part["predicted"], "observed": share}
        rows.append(known(row | {"observed_low": low, "observed_high": high}))
    return rows
