"""Each arm against its negative controls and baselines: the figures behind the verdict."""

import pyarrow as pa

from kalemia.core.config import Arm, Study
from kalemia.core.wording import display_name
from kalemia.report.formatting import MISSING, number
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """A row an arm, and each arm's last round beside its baselines."""
    return {
        "verdict_rows": verdict_rows(study.arms, data.verdict),
        "baseline_tables": baseline_tables(list(study.arms), data.evaluation["baseline_averages"]),
    }


def verdict_rows(arms: dict[str, Arm], verdict: dict) -> list[dict]:
    """Each arm: patients, AUC after the last round, the difference to the best baseline, places, and the verdict."""
    rows = []
    for name, arm in arms.items():
        found = verdict["arms"][name]
        row = {"arm": name, "protocol": arm.protocol, "trained": arm.train, "is_primary": name == verdict["primary"]}
        row |= {key: found[key] for key in ("patients", "auc", "verdict", "reason")}
        row |= {"best": MISSING, "difference": MISSING, "elsewhere": MISSING, "places": _places(found["nulls"])}
        if "difference" in found:
            low, high = found["interval"]
            row["best"] = (
                f"{display_name(found['best_baseline'])}, {number(found['baselines'][found['best_baseline']], 2)}"
            )
            row["difference"] = f"{found['difference']:+.2f} ({low:+.2f} to {high:+.2f})"
            row["elsewhere"] = f"{found['difference_chosen_elsewhere']:+.2f}"
        rows.append(row)
    return rows


def baseline_tables(arms: list[str], averages: pa.Table) -> list[dict]:
    """Of each arm in which somebody could be evaluated: the rows of the baselines and the last round, and a clause."""
    by_arm = {arm: [row for row in averages.to_pylist() if row["arm"] == arm] for arm in arms}
    return [
        {
            "arm": arm,
            "rows": [row | {"name": display_name(row["model"])} for row in rows],
            "recalibration": recalibration({row["model"]: row["accuracy"] for row in rows}),
        }
        for arm, rows in by_arm.items()
        if rows
    ]


def recalibration(accuracy: dict[str, float]) -> str:
    """What accuracy (by model) deciding otherwise reaches at best, against the generic network and the last round."""
    from kalemia.evaluation.collect import LAST_ROUND
    from kalemia.personal.baselines import RECALIBRATIONS

    best = max((name for name in RECALIBRATIONS if name in accuracy), key=accuracy.get)
    last, reached = accuracy[LAST_ROUND], accuracy[best]
    return (
        f"from a mean accuracy of {number(accuracy['generic'])} with the generic network, recalibration alone leads to"
        f" {number(reached)} at best ({display_name(best)}), the last round to {number(last)}, a difference of"
        f" {last - reached:+.3f}"
    )


def _places(nulls: dict) -> str:
    told = [f"{display_name(kind)} {null['rank']} of {null['runs'] + 1}" for kind, null in nulls.items()]
    return "; ".join(told) or "no nulls"


SECTION = Section(
    place=60,
    title="Negative controls and baselines",
    build=build,
    figures=(
        Figure(
            "verdict",
            "Each arm against its negative controls and its best baseline, by patient.",
            "verdict_figures.write_verdict_figure",
        ),
        Figure(
            "baselines",
            "Mean AUC of every baseline and of the last round, on the same test draws.",
            "verdict_figures.write_baselines_figure",
        ),
        Figure(
            "arms",
            "The four metrics after the last round, arms side by side, one dot per patient.",
            "study_figures.write_arms_figure",
        ),
    ),
    tables={
        "baseline_averages": "Every baseline and the last round: means of the four metrics over the same patients."
    },
)
