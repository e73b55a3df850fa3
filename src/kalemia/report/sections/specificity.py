"""Whether it is the study's own analyte that is read: other analytes, and treated against untreated draws."""

from collections import Counter

from kalemia.cohort.inclusion_flow import describe_window
from kalemia.core.config import Study
from kalemia.core.wording import join_with_and, plural
from kalemia.report.formatting import signed_interval
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """What follows, one row per other analyte, and one per arm and treatment, the deciding arm first."""
    from kalemia.core.control_analytes import MAX_HOURS

    deciding, controls = data.claims["arm"], data.controls["controls"]
    reads = data.claims["arms"][deciding]["reads"] if deciding else None
    arms = sorted(study.arms, key=lambda arm: arm != deciding)
    treated = data.evaluation["treated"].to_pylist()
    return {
        "answer": conclude(study.analyte.name, reads, controls),
        "deciding": deciding,
        "own": own_row(study.analyte.name, reads) if reads else None,
        "controls": [control_row(name, found) for name, found in controls.items()],
        "runs": data.controls["runs"],
        "max_hours": MAX_HOURS,
        "treated": [treated_row(row) for arm in arms for row in treated if row["arm"] == arm],
        "treatment_hours": study.context.treatment_window_hours,
        "window": describe_window(study.cohort) if study.cohort.offset_hours else "",
    }


def conclude(analyte: str, reads: dict | None, controls: dict[str, dict]) -> str:
    """What follows for the study's analyte from its claim “reads” and from other analytes, in words."""
    if reads is None or reads["state"] != "shown":
        return f"The networks are not shown to read {analyte}, so the question does not arise."
    if not controls:
        return (
            "This study trained no networks on other analytes (controls), so it cannot tell whether they read"
            f" {analyte} or something that changes with it."
        )
    of_state = {
        state: [name for name, found in controls.items() if found["state"] == state]
        for state in ("shown", "open", "excluded")
    }
    sentences = [_read_as_well(analyte, name, controls[name]) for name in of_state["shown"]]
    if of_state["open"]:
        names = join_with_and(of_state["open"])
        sentences.append(f"Whether {names} can be read as well is open, so it may be something that goes with either.")
    if of_state["excluded"]:
        names = join_with_and(of_state["excluded"])
        sentences.append(f"Nothing that matters is read about {names}, as it should be if it is {analyte}.")
    return " ".join(sentences)


def _read_as_well(analyte: str, control: str, found: dict) -> str:
    less = found["own_less_control"]
    better = (
        f"though {analyte} is read better (AUC {less['difference']:+z.2f}, at least {less['lower']:+.2f})"
        if less["state"] == "shown"
        else f"and {analyte} is not shown to be read better"
    )
    together = found["correlation"]
    why = "either may be read through the other, or both through something else"
    moves = "" if together is None else f" Within a patient the two have a mean rank correlation of {together:+z.2f}."
    return f"{control.capitalize()} is read as well, {better}.{moves} This does not tell {analyte} from it: {why}."


def own_row(analyte: str, reads: dict) -> dict:
    """The study's own analyte, as `control_row`."""
    (figures,) = reads["comparisons"]
    return {"name": analyte, "state": reads["state"], **_gain_cells(figures)}


def control_row(name: str, found: dict) -> dict:
    """One other analyte: its state, AUC and gain, how it goes with the study's, and patients without its classes."""
    less = found["own_less_control"]
    without = Counter(found["without"].values())
    return {
        "name": name,
        "state": found["state"],
        **_gain_cells(found["comparison"]),
        "correlation": found["correlation"],
        "less": signed_interval((less["difference"], less["lower"], less["upper"])),
        "less_patients": less["patients"],
        "without": "; ".join(f"{plural(n, 'patient')}: {reason}" for reason, n in without.items()),
    }


def _gain_cells(figures: dict) -> dict:
    return {
        "patients": figures["patients"],
        "auc": figures["auc"],
        "shifted": figures["auc_against"],
        "gain": signed_interval((figures["difference"], figures["lower"], figures["upper"])),
    }


def treated_row(row: dict) -> dict:
    """One arm and treatment, as text."""
    texts = {
        name: signed_interval((row[name], row[f"{name}_lower"], row[f"{name}_upper"]))
        for name in ("difference", "score")
    }
    low, high = row["score_lower"], row["score_upper"]
    return row | texts | {"differs": low is not None and not low <= 0 <= high}


SECTION = Section(
    place=15,
    title="Is it potassium?",
    build=build,
    is_personal=True,
    tables={
        "control_evidence": "Networks on other analytes in the deciding arm: the evidence of each patient.",
        "treated": "Test draws with and without a treatment in the hours before.",
    },
)
