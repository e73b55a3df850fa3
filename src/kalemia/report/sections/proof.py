"""The section of the verdict on each arm."""

from kalemia.config import Arm, Study
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes
from kalemia.report.words import MISSING, number
from kalemia.verdict import words


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """A row an arm."""
    return {"verdict_rows": verdict_rows(study.arms, data.verdict)}


def verdict_rows(arms: dict[str, Arm], verdict: dict) -> list[dict]:
    """Each arm: patients, AUC after the last round, the difference to the best baseline, places, and the verdict."""
    rows = []
    for name, arm in arms.items():
        found = verdict["arms"][name]
        row = {"arm": name, "protocol": arm.protocol, "trained": arm.trained, "is_primary": name == verdict["primary"]}
        row |= {key: found[key] for key in ("patients", "auc", "verdict", "reason")}
        row |= {"best": MISSING, "difference": MISSING, "elsewhere": MISSING, "places": _places(found["nulls"])}
        if "difference" in found:
            low, high = found["interval"]
            row["best"] = f"{words(found['best_baseline'])}, {number(found['baselines'][found['best_baseline']], 2)}"
            row["difference"] = f"{found['difference']:+.2f} ({low:+.2f} to {high:+.2f})"
            row["elsewhere"] = f"{found['difference_chosen_elsewhere']:+.2f}"
        rows.append(row)
    return rows


def _places(nulls: dict) -> str:
    told = [f"{words(kind)} {null['rank']} of {null['runs'] + 1}" for kind, null in nulls.items()]
    return "; ".join(told) or "no nulls"
