"""Calibration, and every draw of the evaluation periods with the alerts it would cause."""

from kalemia.core.config import Study
from kalemia.report.formatting import interval
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section
from kalemia.report.sections.statistics import DECISION_RULES

PERIODS = {
    "forward": "every draw from the first test draw on",
    "rolling": "every draw that a round predicts",
    "paper": "every draw of the stay except training draws and draws within the purge time of one",
    "episode": "the same, without the recordings and episodes of training draws",
    "admission": "the same, without the admissions of training draws",
}
STAGES = ("generic", "last round")


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """For each arm, before and after: performance of the scores, and of alerts by each rule."""
    from kalemia.evaluation.calibration import MIN_DRAWS
    from kalemia.evaluation.prevalence import STATED_PREVALENCES
    from kalemia.stats.discrimination import MIN_DRAWS_PER_BIN

    worth = {(row["arm"], row["round"]): row for row in data.evaluation["prevalence"].to_pylist()}
    alerts: dict[tuple[str, int], list[dict]] = {}
    for row in data.evaluation["alerts"].to_pylist():
        alerts.setdefault((row["arm"], row["round"]), []).append(row)
    places = [
        (arm, stage, (arm, round_))
        for arm in study.arms
        for stage, round_ in zip(STAGES, (0, data.n_rounds), strict=True)
        if (arm, round_) in worth
    ]
    return {
        "has_personal": bool(data.personal),
        "min_draws": MIN_DRAWS,
        "min_in_bin": MIN_DRAWS_PER_BIN,
        "stated": STATED_PREVALENCES,
        "min_personal": study.populations.personal_min_draws,
        "periods": [
            {"arm": arm, "rule": PERIODS[settings.protocol], "size": worth.get((arm, 0))}
            for arm, settings in study.arms.items()
        ],
        "neither": sum(row["n_neither"] for row in data.evaluation["evaluation_periods"].to_pylist()),
        "worth": [worth_cells(arm, stage, worth[key]) for arm, stage, key in places],
        "alerts": [alert_cells(arm, stage, row) for arm, stage, key in places for row in alerts[key]],
    }


def worth_cells(arm: str, stage: str, row: dict) -> dict:
    """Performance of the scores over all draws, as text."""
    shares = {name: interval([row[name], row[f"{name}_low"], row[f"{name}_high"]], 2) for name in _WITH_BOUNDS}
    return {"arm": arm, "stage": stage, **row} | shares


def alert_cells(arm: str, stage: str, row: dict) -> dict:
    """Performance of one alert rule, as text."""
    from kalemia.evaluation.prevalence import STATED_PREVALENCES, ppv_column

    weighted = [ppv_column(share) for share in STATED_PREVALENCES]
    texts = {
        name: interval([row[name], row[f"{name}_low"], row[f"{name}_high"]], 2)
        for name in ("ppv", "alerts_a_day", *weighted)
    }
    texts["weighted"] = [texts[name] for name in weighted]
    return {"arm": arm, "stage": stage, **row} | texts | {"rule": DECISION_RULES.get(row["rule"], f"at {row['rule']}")}


_WITH_BOUNDS = ("prevalence", "within_auroc", "brier")


SECTION = Section(
    place=90,
    title="Calibration and real prevalence",
    gist="How often it would alert, and how often an alert would be right",
    build=build,
    figures=(
        Figure(
            "calibration",
            "How often what the generic network predicts comes true.",
            "study_figures.write_calibration_figure",
        ),
        Figure(
            "calibration-arms",
            "How often what the personal networks predict comes true, by arm.",
            "study_figures.write_arm_calibration_figure",
        ),
        Figure(
            "decision-curve",
            "Where alerts do more good than harm, by the threshold.",
            "statistics_figures.write_decision_curve_figure",
        ),
    ),
    tables={
        "prevalence": "Every draw of the evaluation periods: discrimination, calibration, predictive values and alerts."
    },
)
