"""The page of one patient, in the look of the study's page."""

from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.wording import plural
from kalemia.report.cards import personal_card, write_personal_card
from kalemia.report.formatting import METRIC_NAMES, PROTOCOLS
from kalemia.report.html import inline_svg, write_html
from kalemia.report.inputs import PatientArm, PatientResults, read_patient
from kalemia.report.outputs import PATIENT_FIGURES
from kalemia.report.provenance import versions

LABELS = {1: "positive", 0: "negative", None: "neither"}


def write_patient_page(path: str | Path, study: Study, results: str | Path, subject: str) -> None:
    """Write the page of `subject` (``p010059``), from its own files and its figures, which must exist already.

    The card of its models is written beside the page, as model-card.md.
    """
    patient = read_patient(results, subject)
    write_personal_card(Path(path).parent / "model-card.md", study, patient)
    folder = Path(results) / "patients" / subject
    write_html(
        path,
        "patient.html",
        study=study,
        subject=patient.name,
        summary=summarize(patient, study.deciding_arm),
        before=patient.neighbors[0],
        after=patient.neighbors[1],
        arms=[arm_row(arm, study.arms[arm].protocol, patient.arms[arm]) for arm in study.arms],
        metric_names=METRIC_NAMES,
        figures={name: inline_svg(folder / f"{name}.svg", pdf=f"{name}.pdf") for name in PATIENT_FIGURES},
        draws=draw_rows(patient, list(study.arms)),
        unread=patient.unread,
        card=personal_card(study, patient),
        versions=versions(),
    )


def summarize(patient: PatientResults, arm: str | None) -> str:
    """In one sentence, how many test draws of the deciding arm both networks decide rightly, or why there is none."""
    if arm is None:
        return "No arm keeps neighboring draws on one side, so no arm decides."
    found = patient.arms[arm]
    if found.reason is not None:
        return f"Not evaluable in the arm “{arm}”: {found.reason}."
    n_test = found.metrics[-1]["n_test"]
    before, after = (round(found.metrics[place]["accuracy"] * n_test) for place in (0, -1))
    return (
        f"This patient's own network decides {after} of {plural(n_test, 'test draw')} correctly, the generic network"
        f" {before} (arm “{arm}”)."
    )


def arm_row(name: str, protocol: str, arm: PatientArm) -> dict:
    """One arm: its protocol, test draws and the metrics before and after, or the reason why there are none."""
    row = {"name": name, "protocol": PROTOCOLS[protocol], "reason": arm.reason}
    if arm.reason is None:
        row |= {"rounds": len(arm.metrics) - 1, "before": arm.metrics[0], "after": arm.metrics[-1]}
    return row


def draw_rows(patient: PatientResults, arms: list[str]) -> list[dict]:
    """Every draw whose ECG was asked for, in order of time, with its role and the last round's decision in each arm."""
    predictions = {arm: patient.arms[arm].last_by_draw for arm in arms}
    return [
        {
            "time": f"{row['draw_time']:%Y-%m-%d %H:%M}",
            "value": row["value"],
            "label": LABELS[row["label"]],
            "heart_rate_bpm": row["heart_rate_bpm"],
            "n_beats": row["n_kept"],
            "reason": row["reason"],
            "arms": [_decision(predictions[arm].get(row["draw_id"]), row["label"]) for arm in arms],
        }
        for row in patient.excerpts
    ]


def _decision(prediction: dict | None, label: int | None) -> dict | None:
    if prediction is None:
        return None
    verdict = None
    if prediction["role"] == "test":
        verdict = "right" if prediction["decision"] == label else "wrong"
    return {
        "role": prediction["role"],
        "probability": prediction["probability"],
        "decision": LABELS[prediction["decision"]],
        "verdict": verdict,
    }
