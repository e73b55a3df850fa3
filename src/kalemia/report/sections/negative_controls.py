"""Each arm against its negative controls and baselines: the figures behind the claims."""

import pyarrow as pa

from kalemia.core.config import Arm, Study
from kalemia.core.wording import display_name, join_with_and
from kalemia.report.formatting import number, signed_interval
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section

CLOCK_TELLS = 0.8  # mean AUC of a clock above which the page warns


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """One row per arm and comparison; of each arm its comparators, its decisions, the clock, and the last value."""
    from kalemia.personal.baselines import BASELINES, COMPARATOR, DECISION, REFERENCE, of_role

    evaluation, arms = data.evaluation, list(study.arms)
    averages = averages_by_arm(arms, evaluation["baseline_averages"])
    gains = {row["arm"]: row for row in evaluation["recalibration_gains"].to_pylist()}
    reference = of_role(REFERENCE)
    return {
        "comparisons": comparison_rows(study.arms, data.claims),
        "comparators": tables_of(averages, [*reference, *of_role(COMPARATOR)]),
        "decisions": [
            table | {"gain": recalibration_gain(gains[table["arm"]]) if table["arm"] in gains else ""}
            for table in tables_of(averages, [*reference, *of_role(DECISION)])
        ],
        "described": {display_name(name): one.doc for name, one in BASELINES.items() if one.role == COMPARATOR},
        "history": [history(arm, means) for arm, means in averages.items()],
        "clock": [warning for arm, means in averages.items() if (warning := clock_warning(arm, means))],
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


def averages_by_arm(arms: list[str], averages: pa.Table) -> dict[str, dict[str, dict]]:
    """For each arm with evaluable patients, the means of each baseline and of the last round by name."""
    by_arm: dict[str, dict[str, dict]] = {arm: {} for arm in arms}
    for row in averages.to_pylist():
        by_arm[row["arm"]][row["model"]] = row | {"name": display_name(row["model"])}
    return {arm: means for arm, means in by_arm.items() if means}


def tables_of(averages: dict[str, dict[str, dict]], names: list[str]) -> list[dict]:
    """For each arm the rows of some baselines and of the last round."""
    from kalemia.evaluation.baseline_averages import LAST_ROUND

    return [
        {"arm": arm, "rows": [means[name] for name in (*names, LAST_ROUND) if name in means]}
        for arm, means in averages.items()
    ]


def recalibration_gain(row: dict) -> str:
    """In words, whether the accuracy after the last round is more than recalibration alone reaches."""
    return (
        f"recalibration alone reaches a mean accuracy of {number(row['recalibrated'])} (for each patient the kind that"
        f" is best in the others, mostly {display_name(row['chosen'])}) and the last round {number(row['last_round'])},"
        f" a difference of {signed_interval((row['difference'], row['lower'], row['upper']))}: {_gain_in_words(row)}"
    )


def _gain_in_words(row: dict) -> str:
    from kalemia.evaluation.claims.rule import MIN_PATIENTS

    if row["difference"] <= 0:
        return "no gain beyond recalibration"
    if row["patients"] < MIN_PATIENTS or row["lower"] is None:
        return "too few patients to tell whether recalibration explains it"
    return "more than recalibration explains" if row["lower"] > 0 else "recalibration alone may explain it"


def history(arm: str, means: dict[str, dict]) -> str:
    """In words, how well earlier laboratory values order the test draws; empty if that is not known."""
    from kalemia.personal.baselines import HISTORY, of_role

    known = [f"the {means[name]['name']} {number(means[name]['auc'], 2)}" for name in of_role(HISTORY) if name in means]
    return f"{arm}: {join_with_and(known)}" if known else ""


def clock_warning(arm: str, means: dict[str, dict]) -> str:
    """A warning if a score that knows only the time orders the test draws well; empty otherwise."""
    from kalemia.personal.baselines import CLOCK, of_role

    telling = [name for name in of_role(CLOCK) if name in means and means[name]["auc"] > CLOCK_TELLS]
    return "; ".join(
        f"{arm}: {means[name]['name']} alone has a mean AUC of {number(means[name]['auc'], 2)}. This test separates"
        " early from late draws, so anything that drifts over time does well in it"
        for name in telling
    )


SECTION = Section(
    place=60,
    title="Negative controls and baselines",
    gist="What each claim is compared with, simpler methods, and whether recalibration is enough",
    build=build,
    is_personal=True,
    figures=(
        Figure(
            "claims",
            "What the personal networks gain over each comparison, patient by patient.",
            "claim_figures.write_claims_figure",
        ),
        Figure(
            "baselines",
            "How well simpler methods read the same test draws.",
            "claim_figures.write_baselines_figure",
        ),
        Figure(
            "arms",
            "How the same patients do in every arm, after the last round.",
            "study_figures.write_arms_figure",
        ),
    ),
    tables={
        "baseline_averages": "Every baseline and the last round: means of the four metrics over the same patients."
    },
)
