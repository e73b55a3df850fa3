"""The first screen: the verdict in a sentence and a picture."""

import math

from kalemia.core.config import Study
from kalemia.core.wording import display_name, plural
from kalemia.report.figures.palette import ARM_COLORS
from kalemia.report.formatting import PROTOCOLS, number
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """The verdict, the change of the mean AUC, and one row of the picture per arm, the deciding arm first."""
    arms = sorted(study.arms, key=lambda arm: arm != data.verdict["primary"])
    rows = [arm_row(arm, list(study.arms), study.arms[arm].protocol, data) for arm in arms]
    return {"sentence": data.verdict["sentence"], "auc_change": auc_change(study, data.summary), "rows": rows}


def arm_row(arm: str, arms: list[str], protocol: str, data: StudyResults) -> dict:
    """One arm: AUC before and after, of each patient, of the best baseline, and of every negative-control run."""
    found, rounds = data.verdict["arms"][arm], data.summary["arms"][arm]["rounds"]
    best = found.get("best_baseline")
    return {
        "arm": arm,
        "color": f"arm-{arms.index(arm) % ARM_COLORS}",
        "decides": arm == data.verdict["primary"],
        "protocol": PROTOCOLS[protocol],
        "patients": found["patients"],
        "verdict": found["verdict"],
        "before": nan_to_none(rounds[0]["auc"]["mean"]),
        "after": nan_to_none(found["auc"]),
        "each": dodge(last_aucs(arm, data)),
        "best": display_name(best) if best else None,
        "best_auc": found["baselines"][best] if best else None,
        "nulls": [auc for null in found["nulls"].values() for auc in null["aucs"]],
    }


def last_aucs(arm: str, data: StudyResults) -> list[float]:
    """The AUC of every patient after the last round in an arm, of those who have one."""
    rows = sorted(
        (row for row in data.evaluation["rounds"].to_pylist() if row["arm"] == arm), key=lambda row: row["round"]
    )
    last = {row["subject_id"]: nan_to_none(row["auc"]) for row in rows}
    return sorted(auc for auc in last.values() if auc is not None)


def dodge(values: list[float], height: float = 18.0) -> list[tuple[float, float]]:
    """Each value with its height above the axis, so that equal values stack, at most `height` high."""
    steps = {value: min(6.0, height / max(1, values.count(value) - 1)) for value in values}
    return [(value, steps[value] * values[:place].count(value)) for place, value in enumerate(values)]


def nan_to_none(value: float | None) -> float | None:
    """The value; None if it is NaN."""
    return None if value is None or math.isnan(value) else value


def auc_change(study: Study, summary: dict) -> str:
    """In one sentence, the change of the mean AUC by personal training, in the first forward and first paper arm."""
    first = {study.arms[arm].protocol: arm for arm in reversed(study.arms)}
    arms = [first[protocol] for protocol in ("forward", "paper") if protocol in first]
    if not arms:
        return "No arm divides draws by time or at random."
    sentence = "; ".join(_arm_clause(arm, PROTOCOLS[study.arms[arm].protocol], summary["arms"][arm]) for arm in arms)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _arm_clause(arm: str, protocol: str, summary: dict) -> str:
    before, after = summary["rounds"][0]["auc"], summary["rounds"][-1]["auc"]
    if not before["n"]:
        return f"no patient could be evaluated in the “{arm}” arm, in which {protocol}"
    return (
        f"in the “{arm}” arm, in which {protocol}, the mean AUC over {plural(before['n'], 'patient')} went"
        f" from {number(before['mean'])} with the generic network to {number(after['mean'])} after the last round"
    )


SECTION = Section(place=10, title="Verdict", build=build)
