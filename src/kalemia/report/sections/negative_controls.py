"""Each arm against its negative controls and baselines: the figures behind the verdict."""

import pyarrow as pa

from kalemia.core.config import Arm, Study
from kalemia.core.wording import display_name, join_with_and
from kalemia.report.formatting import MISSING, number
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """One row per arm, and each arm's last round with its baselines."""
    from kalemia.personal.baselines import BASELINES, RECALIBRATIONS

    return {
        "verdict_rows": verdict_rows(study.arms, data.verdict),
        "baseline_tables": baseline_tables(list(study.arms), data.evaluation["baseline_averages"]),
        "baselines": {display_name(name): baseline for name, baseline in BASELINES.items()},
        "recalibrations": join_with_and([display_name(name) for name in RECALIBRATIONS]),
    }


def verdict_rows(arms: dict[str, Arm], verdict: dict) -> list[dict]:
    """Each arm: patients, AUC after the last round, the difference from the best baseline, ranks, and the verdict."""
    rows = []
    for name, arm in arms.items():
        found = verdict["arms"][name]
        row = {"arm": name, "protocol": arm.protocol, "trained": arm.train, "is_primary": name == verdict["primary"]}
        row |= {key: found[key] for key in ("patients", "auc", "verdict", "reason")}
        row |= {"best": MISSING, "difference": MISSING, "chosen_on_others": MISSING, "ranks": _ranks(found["nulls"])}
        if "difference" in found:
            low, high = found["interval"]
            row["best"] = (
                f"{display_name(found['best_baseline'])}, {number(found['baselines'][found['best_baseline']], 2)}"
            )
            row["difference"] = f"{found['difference']:+.2f} ({low:+.2f} to {high:+.2f})"
            row["chosen_on_others"] = f"{found['difference_chosen_elsewhere']:+.2f}"
        rows.append(row)
    return rows


def baseline_tables(arms: list[str], averages: pa.Table) -> list[dict]:
    """For each arm with evaluable patients: the rows of the baselines and the last round, and a clause."""
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
    """In words, the best accuracy by recalibration alone, against the generic network and the last round."""
    from kalemia.evaluation.collect import LAST_ROUND
    from kalemia.personal.baselines import RECALIBRATIONS

    best = max((name for name in RECALIBRATIONS if name in accuracy), key=accuracy.get)
    last, reached = accuracy[LAST_ROUND], accuracy[best]
    return (
        f"the generic network has a mean accuracy of {number(accuracy['generic'])}, recalibration alone reaches"
        f" {number(reached)} at best ({display_name(best)}), and the last round {number(last)}, a difference of"
        f" {last - reached:+.3f}"
    )


def _ranks(nulls: dict) -> str:
    ranks = [f"{display_name(kind)} {null['rank']} of {null['runs'] + 1}" for kind, null in nulls.items()]
    return "; ".join(ranks) or "no negative controls"


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
