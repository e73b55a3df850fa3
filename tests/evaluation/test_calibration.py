"""The calibration curves of the personal networks."""

import numpy as np
import pytest

from kalemia.core.tables import read_table
from kalemia.evaluation.calibration import MIN_DRAWS, calibration_rows, write_calibration
from kalemia.evaluation.patient_scores import PatientArmScores, ScoredDraws


def trial(labels, first, last, is_test=None, arm="forward", subject=1):
    """Of two rounds, with their probabilities of each draw."""
    labels, probability = np.array(labels), np.array([first, last], float)
    said = dict.fromkeys(("vote", "mean_logit", "threshold"), (probability > 0.5).astype(np.int8))
    ids, logit = np.arange(len(labels)), np.log(probability / (1 - probability))
    draws = ScoredDraws(ids, labels, labels, ids, logit, probability, said)
    return PatientArmScores(arm, subject, draws, np.ones(len(labels), bool) if is_test is None else np.array(is_test))


def _rows(trials):
    return calibration_rows(trials)


def test_patients_are_taken_together_after_the_last_round_of_each():
    low = trial([0] * 7 + [1], [0.5] * 8, [0.2] * 8)
    high = trial([1] * 6 + [0] * 2, [0.5] * 8, [0.9] * 8)
    first, second = _rows([low, high])
    assert (first["patients"], first["n_draws"], first["observed"]) == (2, 8, 1 / 8)
    assert (second["patients"], second["n_draws"], second["observed"]) == (2, 8, 6 / 8)
    assert [first["predicted"], second["predicted"]] == pytest.approx([0.2, 0.9])


def test_only_test_draws_count():
    mine = trial([0, 1] * 16, [0.5] * 32, [0.1, 0.9] * 16, is_test=[True] * 16 + [False] * 16)
    assert sum(row["n_draws"] for row in _rows([mine])) == 16


def test_intervals_count_patients():
    last = np.linspace(0.1, 0.9, 16)  # so that every part holds draws of all patients
    agreed = [trial([0, 0, 1, 1] * 4, [0.5] * 16, last, subject=k) for k in range(20)]
    apart = [trial([k % 2] * 16, [0.5] * 16, last, subject=k) for k in range(20)]
    widths = [max(row["observed_high"] - row["observed_low"] for row in _rows(of)) for of in (agreed, apart)]
    assert widths[1] > 1.2 * widths[0]


def test_draws_of_one_patient_have_no_interval_over_patients():
    low = trial([0] * 7 + [1], [0.5] * 8, [0.2] * 8)
    mixed = [trial([1, 0] * 2, [0.5] * 4, [0.9] * 4, subject=k) for k in (2, 3)]
    first, second = _rows([low, *mixed])
    assert (first["observed"], first["observed_low"], first["observed_high"]) == (1 / 8, None, None)
    assert second["observed_low"] is not None


def test_few_draws_have_no_curve(tmp_path):
    n = MIN_DRAWS - 1
    few = trial([0, 1] * (n // 2) + [1], [0.5] * n, [0.5] * n)
    enough = trial([0, 1] * (n // 2) + [1, 0], [0.5] * (n + 1), [0.5] * (n + 1), arm="paper")
    assert _rows([few]) == _rows([]) == []
    write_calibration([few, enough], ["forward", "paper", "nobody"], "", tmp_path)
    table = read_table(tmp_path / "calibration.parquet", "calibration")
    assert set(table["arm"].to_pylist()) == {"paper"}
