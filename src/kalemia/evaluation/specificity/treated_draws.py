"""Compare test draws with and without a treatment: a network that reads potassium alone should judge both alike.

Calcium, insulin, bicarbonate and dialysis change the ECG, or go with whatever does, in other ways than by potassium.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from kalemia.core.tables import nan_to_none, read_table, write_evaluation_table
from kalemia.evaluation.patient_scores import PatientArmScores, ScoredDraws
from kalemia.sources.mimic_codes import TREATMENTS
from kalemia.stats.draw_metrics import area_under_roc
from kalemia.stats.one_sided_mean import estimate_mean
from kalemia.stats.summaries import mean

ANY = "any"
_MIN_DRAWS = 2  # of either kind, for scores at the same value


def write_treated(
    trials: Sequence[PatientArmScores],
    context_path: str | Path,
    arms: Iterable[str],
    folder: str | Path,
    digest: str,
) -> None:
    """Write one row per arm and treatment, and one per arm for any of them."""
    given = treatments_by_draw(read_table(context_path, "context", ["draw_id", *TREATMENTS]).to_pylist())
    rows = []
    for arm in arms:
        tests = [trial.test for trial in trials if trial.arm == arm]
        for treatment in (*TREATMENTS, ANY):
            rows.append({"arm": arm, "treatment": treatment} | compare_treated(tests, given[treatment]))
    write_evaluation_table(folder, "treated", [nan_to_none(row) for row in rows], digest)


def treatments_by_draw(context: Sequence[dict]) -> dict[str, dict[int, bool]]:
    """For each treatment, and for any of them, whether it was given before a draw; without draws of which nobody knows.

    context: rows of the table `context`.
    """
    given = {name: {row["draw_id"]: row[name] for row in context if row[name] is not None} for name in TREATMENTS}
    given[ANY] = {}
    for row in context:
        known = [row[name] for name in TREATMENTS]
        if any(known) or None not in known:
            given[ANY][row["draw_id"]] = any(known)
    return given


def compare_treated(tests: Sequence[ScoredDraws], given: dict[int, bool]) -> dict:
    """The columns of `treated` for one treatment, from the test draws of each patient."""
    aucs, scores, n_treated = [], [], 0
    for test in tests:
        known = test.take(np.isin(test.ids, list(given)))
        treated = np.array([given[draw] for draw in known.ids.tolist()], bool)
        n_treated += int(treated.sum())
        both = [area_under_roc(part.labels, part.logit[-1]) for part in (known.take(treated), known.take(~treated))]
        if np.isfinite(both).all():
            aucs.append(both)
        scores.append(score_difference(known.logit[-1], known.values, treated))
    of_treated, of_untreated = np.array(aucs).reshape(-1, 2).T
    score = np.array(scores)[np.isfinite(scores)]
    return {
        "draws": n_treated,
        "patients": len(aucs),
        "auc_treated": mean(of_treated),
        "auc_untreated": mean(of_untreated),
        **_bounded("difference", of_treated - of_untreated),
        "score_patients": len(score),
        **_bounded("score", score),
    }


def score_difference(scores: np.ndarray, values: np.ndarray, treated: np.ndarray) -> float:
    """How much higher the scores (n,) of treated draws are at the same value of the analyte, in SDs of the scores.

    The coefficient of the treatment in a linear regression on value and treatment, so 0 without an effect only if the
    score is linear in an exact value; NaN with fewer than two draws of either kind, or where values tell treated draws
    from others.
    """
    if min(treated.sum(), (~treated).sum()) < _MIN_DRAWS or np.ptp(scores) == 0:
        return float("nan")
    design = np.column_stack([np.ones(len(values)), values, treated])
    found, _, rank, _ = np.linalg.lstsq(design, scores / scores.std(), rcond=None)
    return float(found[2]) if rank == design.shape[1] else float("nan")


def _bounded(name: str, values: np.ndarray) -> dict[str, float]:
    estimate = estimate_mean(values)
    return {name: estimate.mean, f"{name}_lower": estimate.lower, f"{name}_upper": estimate.upper}
