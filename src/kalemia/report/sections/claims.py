"""The first screen: the answer in a sentence, the claims behind it, and a picture of the AUC in each arm.

Without personal patients, the answer and the two claims are about the generic network.
"""

import math
from typing import NamedTuple

from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.core.wording import plural
from kalemia.report.figures.palette import ARM_COLORS
from kalemia.report.formatting import MISSING, PROTOCOLS, SHORT_PROTOCOLS, number
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section

SIMPLER = {  # what the claim about simpler methods adds to a yes
    "shown": ", and simpler methods do not read it as well",
    "excluded": ", but simpler methods read it as well",
    "open": ", but whether simpler methods read it as well is open",
}


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """The claims of the deciding arm, when they were registered, and one row of the picture per arm, deciding first.

    Without personal patients, the claims about the generic network, and what is missing for personal ones.
    """
    from kalemia.evaluation.between_patients.claims import claims_in_order
    from kalemia.evaluation.claims.registration import claims_digest, describe_registration
    from kalemia.evaluation.claims.rule import in_order

    registration = describe_registration(data.registration["registrations"], claims_digest(study))
    if not data.personal:
        claims = claims_in_order(data.between_patients)
        missing = missing_for_personal(study.populations.personal_min_draws, data.flow["nearest"], data.shown)
        return {
            "answer": answer_between_patients(dict(claims), study.analyte.name),
            "claims": claim_rows(claims),
            "registration": registration,
            "missing": missing,
            "has_personal": False,
        }
    deciding = data.claims["arm"]
    arms = sorted(study.arms, key=lambda arm: arm != deciding)
    claims = in_order(data.claims["arms"].get(deciding, {}))
    return {
        "has_personal": True,
        "deciding": deciding,
        "answer": answer(dict(claims), study.analyte.name),
        "claims": claim_rows(claims, study.verdict.smallest_gain),
        "registration": registration,
        "auc_change": auc_change(study, data.summary),
        "example": data.example,
        "rows": [arm_row(arm, list(study.arms), study.arms[arm].protocol, data) for arm in arms],
    }


def missing_for_personal(least: int | None, nearest: list[dict], names: SubjectNames) -> str:
    """In a few words, why nobody has a personal network, and who came nearest."""
    if least is None:
        return "This study makes no personal networks (populations.personal_min_draws)."
    people = [
        f"{names[subject_name(row['subject_id'])]} with {row['positive']:,} positive and {row['negative']:,} negative"
        for row in nearest
        if row["positive"] and row["negative"]
    ]
    who = f"The nearest, by draws with a recording: {'; '.join(people)}." if people else "Nobody has draws of both."
    return f"Nobody has a personal network: it takes {plural(least, 'usable draw')} of each class. {who}"


class Answer(NamedTuple):
    """The state of the study's question (shown, excluded or open), and the answer in one sentence."""

    state: str
    sentence: str


def answer(claims: dict[str, dict], analyte: str) -> Answer:
    """Whether personal training helps, by the claims of the deciding arm."""
    if not claims:
        return Answer("open", "Not decided: no arm keeps neighboring draws on one side, so no claim can be tested.")
    reads, personal = claims["reads"], claims["personal"]
    networks = f"personal networks read {analyte}"
    if reads["state"] == "excluded":
        return Answer("excluded", f"No: {networks} no better than networks trained on wrong labels.")
    if reads["state"] == "open":
        return Answer("open", f"Not decided: {_why_open(reads)}.")
    if personal["state"] == "excluded":
        as_good = next(one["words"] for one in personal["comparisons"] if one["state"] == "excluded")
        return Answer("excluded", f"No: {networks}, but no better than {as_good}.")
    if personal["state"] == "open":
        return Answer("open", f"Not decided: {networks}, but {_why_open(personal)}.")
    own = f"Yes: a network trained on the patient reads {analyte} better than networks of other people"
    return Answer("shown", f"{own}{SIMPLER[claims['needs_network']['state']]}{_addition(claims)}.")


def _addition(claims: dict[str, dict]) -> str:
    """What follows about the last laboratory value, where that was tested."""
    if claims["needs_network"]["state"] != "shown":
        return ""
    return {
        "shown": "; it adds to the last laboratory value",
        "excluded": "; it adds nothing to the last laboratory value",
        "open": "; whether it adds to the last laboratory value is open",
    }[claims["adds"]["state"]]


def answer_between_patients(claims: dict[str, dict], analyte: str) -> Answer:
    """Whether the generic network reads the analyte of people it never saw."""
    reads = claims["reads"]
    if reads["state"] == "open":
        return Answer("open", f"Not decided: {_why_open(reads)}.")
    if reads["state"] == "excluded":
        return Answer("excluded", f"No: on people it never saw, the network reads {analyte} no better than chance.")
    simpler = SIMPLER[claims["needs_network"]["state"]]
    return Answer("shown", f"Yes: on people it never saw, the network reads {analyte} better than chance{simpler}.")


def _why_open(found: dict) -> str:
    """In a clause, why a claim is open: its reason if there are too few people, else that it may be chance."""
    if "are needed" in found["reason"] or "nothing to compare" in found["reason"]:
        return found["reason"].split(": ")[-1]
    against = next(one for one in found["comparisons"] if one["state"] == "open")
    return f"the difference from {against['words']} may be chance"


def claim_rows(claims: list[tuple[str, dict]], smallest_gain: float | None = None) -> list[dict]:
    """Each claim: its state, sentence, reason and figure, and for an open one, given a gain, what would settle it."""
    rows, stopped = [], False
    for name, found in claims:
        figure = "not tested" if stopped else smallest_difference(found["comparisons"])
        settled_by = outlook(found, smallest_gain) if smallest_gain is not None and found["state"] == "open" else ""
        rows.append(
            {
                "name": name,
                "state": found["state"],
                "claim": found["claim"],
                "reason": found["reason"],
                "figure": figure,
                "measure": "" if stopped or figure == MISSING else found["comparisons"][0].get("measure", "AUC"),
                "outlook": settled_by,
            }
        )
        stopped = stopped or found["state"] != "shown"
    return rows


def smallest_difference(comparisons: list[dict]) -> str:
    """Of the comparisons of a claim, all of which must hold, the smallest difference, with its sign."""
    known = [one["difference"] for one in comparisons if nan_to_none(one["difference"]) is not None]
    return f"{min(known):+z.2f}".replace("-", "\N{MINUS SIGN}") if known else MISSING


def outlook(found: dict, smallest_gain: float) -> str:
    """What this study could have detected in the widest comparison of a claim, and how many patients settle it.

    Of those alone that are not shown, if there are any.
    """
    known = [one for one in found["comparisons"] if nan_to_none(one["detectable"]) is not None]
    known = [one for one in known if one["state"] != "shown"] or known
    if not known:
        return ""
    widest = max(known, key=lambda one: one["detectable"])
    needed = widest["patients_needed"]
    settle = f"{needed:,} patients" if needed else "More than 100,000 patients"
    return (
        f"This study could detect a gain of {widest['detectable']:.2f} against {widest['words']};"
        f" {settle} would settle a gain of {smallest_gain:.2f}."
    )


def arm_row(arm: str, arms: list[str], protocol: str, data: StudyResults) -> dict:
    """One arm: mean AUC before and after, of each patient, of the comparator, and of networks on shifted labels."""
    evidence = [row for row in data.evaluation["evidence"].to_pylist() if row["arm"] == arm]
    rounds = data.summary["arms"][arm]["rounds"]
    return {
        "arm": arm,
        "color": f"arm-{arms.index(arm) % ARM_COLORS}",
        "decides": arm == data.claims["arm"],
        "protocol": SHORT_PROTOCOLS[protocol],
        "patients": len(evidence),
        "before": nan_to_none(rounds[0]["auc"]["mean"]),
        "after": _mean_of(evidence, "auc"),
        "each": dodge(sorted(row["auc"] for row in evidence)),
        "comparator": _mean_of(evidence, "auc_comparator"),
        "shifted": _mean_of(evidence, "auc_shifted"),
    }


def dodge(values: list[float], height: float = 18.0) -> list[tuple[float, float]]:
    """Each value with its height above the axis, so that equal values stack, at most `height` high."""
    steps = {value: min(6.0, height / max(1, values.count(value) - 1)) for value in values}
    return [(value, steps[value] * values[:place].count(value)) for place, value in enumerate(values)]


def nan_to_none(value: float | None) -> float | None:
    """The value; None if it is NaN."""
    return None if value is None or math.isnan(value) else value


def _mean_of(evidence: list[dict], column: str) -> float | None:
    values = [row[column] for row in evidence if row[column] is not None]
    return sum(values) / len(values) if values else None


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


SECTION = Section(
    place=10,
    title="Claims",
    build=build,
    figures=(
        Figure(
            "figure-1",
            "What personal training gains, and one patient as the laboratory and the network see it.",
            "composite_figure.write_composite_figure",
            formats=("svg", "pdf", "png"),
        ),
    ),
)
