"""Each arm against its negative controls and baselines: the figures behind the claims."""

import pyarrow as pa

from kalemia.core.config import Arm, Study
from kalemia.core.wording import display_name, join_with_and
from kalemia.report.formatting import number, signed_interval
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """One row per arm, and each arm's last round with its baselines."""
    from kalemia.personal.baselines import BASELINES, RECALIBRATIONS

    return {
        "comparisons": comparison_rows(study.arms, data.claims),
        "baseline_tables": baseline_tables(list(study.arms), data.evaluation["baseline_averages"]),
        "baselines": {display_name(name): baseline for name, baseline in BASELINES.items()},
        "recalibrations": join_with_and([display_name(name) for name in RECALIBRATIONS]),
    }


def comparison_rows(arms: dict[str, Arm], claims: dict) -> list[dict]:
    """One row per arm and comparison: patients, both AUCs, their difference with bounds, and the state of the claim."""
    from kalemia.evaluation.claims.rule import in_order

    rows = []
    for name, arm in arms.items():
        for claim, found in in_order(claims["arms"][name]):
            for one in found["comparisons"]:
                rows.append(
                    {
                        "arm": name,
                        "decides": name == claims["arm"],
                        "protocol": arm.protocol,
                        "trained": arm.train,
                        "claim": claim.replace("_", " "),
                        "state": found["state"],
                        "against": one["words"],
                        "patients": one["patients"],
                        "auc": one["auc"],
                        "auc_against": one["auc_against"],
                        "difference": signed_interval((one["difference"], one["lower"], one["upper"])),
                    }
                )
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


SECTION = Section(
    place=60,
    title="Negative controls and baselines",
    build=build,
    figures=(
        Figure(
            "claims",
            "What each claim compares the personal networks with, by patient.",
            "claim_figures.write_claims_figure",
        ),
        Figure(
            "baselines",
            "Mean AUC of every baseline and of the last round, on the same test draws.",
            "claim_figures.write_baselines_figure",
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
