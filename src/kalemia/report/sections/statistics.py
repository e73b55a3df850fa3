"""Intervals and tests: how certain the metrics are, and whether rounds and arms differ."""

import numpy as np

from kalemia.core.config import GENERIC, Study
from kalemia.report.formatting import METRIC_NAMES, MISSING, interval, mean_sd, number, signed_interval
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section
from kalemia.stats.summaries import mean

DECISION_RULES = {"vote": "majority vote", "mean_logit": "mean logit", "threshold": "training threshold"}
MORE_NAMES = METRIC_NAMES | {
    "auprc": "AUPRC",
    "brier": "Brier score",
    "calibration_intercept": "Calibration intercept",
    "ppv": "PPV",
    "npv": "NPV",
}
OVER_ROUNDS = ("auc", "accuracy")  # shown round by round; the others are in the file


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Tests by round and by arm, every metric before and after, and the effective sample size."""
    from kalemia.evaluation.claims.rule import MIN_PATIENTS

    tests = data.evaluation["comparisons"].to_pylist()
    return {
        "rounds": [cells_of_test(row) for row in tests if row["reference"] == GENERIC and row["metric"] in OVER_ROUNDS],
        "arms": [cells_of_test(row) for row in tests if row["reference"] != GENERIC],
        "metrics": [row for arm in study.arms for row in metric_rows(arm, data)],
        "worth": [worth_cells(arm, data) for arm in study.arms],
        "decision": DECISION_RULES[study.evaluation.decision],
        "few": any(row["patients"] < MIN_PATIENTS for row in tests),
        "min_patients": MIN_PATIENTS,
    }


def cells_of_test(row: dict) -> dict:
    """One comparison in words."""
    return {
        "arm": row["arm"],
        "reference": row["reference"],
        "metric": MORE_NAMES[row["metric"]],
        "round": row["round"],
        "patients": row["patients"],
        "difference": signed_interval((row["difference"], row["low"], row["high"])),
        "p": [p_value(row[name]) for name in ("mann_whitney_p", "mann_whitney_holm", "wilcoxon_p", "wilcoxon_holm")],
    }


def metric_rows(arm: str, data: StudyResults) -> list[dict]:
    """Every metric and decision rule in an arm, of the same patients before and after."""
    from kalemia.evaluation.metrics import ALL_METRICS

    found = {(row["decision"], row["metric"], row["round"]): row for row in data.averages if row["arm"] == arm}
    rows, of_arm = [], data.summary["arms"][arm]["patients"]
    for decision, metric in ALL_METRICS:
        before, after = found[decision, metric, 0], found[decision, metric, data.n_rounds]
        keys = {"arm": arm, "metric": MORE_NAMES[metric], "way": DECISION_RULES.get(decision, "")}
        rows.append(
            keys | {"patients": after["patients"], "of": of_arm, "before": _spread(before), "after": _spread(after)}
        )
    return rows


def worth_cells(arm: str, data: StudyResults) -> dict:
    """One arm: test draws, their episodes, the correlation within an episode, and the effective number of draws."""
    mine = [row for row in data.evaluation["effective_sample_size"].to_pylist() if row["arm"] == arm]
    return {
        "arm": arm,
        "patients": len(mine),
        "draws": sum(row["n_test"] for row in mine),
        "draws_each": mean(np.array([row["n_test"] for row in mine])),
        "episodes": sum(row["episodes"] for row in mine),
        "correlation": mine[0]["correlation"] if mine else None,
        "effective": sum(row["effective_draws"] for row in mine),
        "effective_each": mean(np.array([row["effective_draws"] for row in mine])),
    }


def p_value(p: float | None) -> str:
    """Three digits, or that it is smaller; a dash if nothing was tested."""
    return MISSING if p is None else "< 0.001" if p < 0.001 else number(p)


def _spread(row: dict) -> dict:
    quartiles = row["median"], row["lower_quartile"], row["upper_quartile"]
    bounds = MISSING if row["low"] is None else f"{number(row['low'], 2)} to {number(row['high'], 2)}"
    return {"mean": mean_sd((row["mean"], row["sd"]), 2), "bounds": bounds, "median": interval(quartiles, 2)}


SECTION = Section(
    place=70,
    title="Patients, intervals and tests",
    gist="How certain each result is, patient by patient and test by test",
    build=build,
    is_personal=True,
    figures=(
        Figure(
            "forest",
            "How certain each patient's AUC is, before and after personal training.",
            "statistics_figures.write_forest_figure",
        ),
    ),
    tables={
        "averages": "Each metric averaged over patients after every round, with intervals that resample patients.",
        "comparisons": "Tests of every round against the generic network, and of arms against each other.",
    },
)
