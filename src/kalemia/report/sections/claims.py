"""The first screen: the four claims, and a picture of the AUC in each arm; without personal patients, two claims."""

import math

from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.core.wording import plural
from kalemia.report.figures.palette import ARM_COLORS
from kalemia.report.formatting import PROTOCOLS, number
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section

MARKS = {"shown": "✓", "excluded": "✗", "open": "?"}  # each is also said in words


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """The claims of the deciding arm, when they were registered, and one row of the picture per arm, deciding first.

    Without personal patients, the claims about the generic network, and what is missing for personal ones.
    """
    from kalemia.evaluation.between_patients.claims import claims_in_order
    from kalemia.evaluation.claims.registration import claims_digest, describe_registration
    from kalemia.evaluation.claims.rule import in_order

    registration = describe_registration(data.registration["registrations"], claims_digest(study))
    if not data.personal:
        claims = [claim_row(name, found) for name, found in claims_in_order(data.between_patients)]
        missing = missing_for_personal(study.populations.personal_min_draws, data.flow["nearest"], data.shown)
        return {"claims": claims, "registration": registration, "missing": missing, "has_personal": False}
    deciding = data.claims["arm"]
    arms = sorted(study.arms, key=lambda arm: arm != deciding)
    return {
        "has_personal": True,
        "deciding": deciding,
        "claims": [
            claim_row(name, found, outlook(found, study.verdict.smallest_gain))
            for name, found in in_order(data.claims["arms"].get(deciding, {}))
        ],
        "registration": registration,
        "auc_change": auc_change(study, data.summary),
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


def claim_row(name: str, found: dict, outlook: str = "") -> dict:
    """One claim: its mark, sentence and reason, and for an open one what would settle it."""
    return {
        "name": name,
        "mark": MARKS[found["state"]],
        "state": found["state"],
        "claim": found["claim"],
        "reason": found["reason"],
        "outlook": outlook if found["state"] == "open" else "",
    }


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
        "protocol": PROTOCOLS[protocol],
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


SECTION = Section(place=10, title="Claims", build=build)
