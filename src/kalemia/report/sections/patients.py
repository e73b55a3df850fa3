"""The personal patients, each with a link to the patient's own page, and the card of the generic model."""

from collections import Counter

import pyarrow as pa

from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """A row a patient, why other subjects are in neither population, and the card."""
    from kalemia.report.cards import generic_card

    return {
        "patients": patient_rows(list(study.arms), data),
        "outside": reasons_outside(data.populations),
        "card": generic_card(study, data),
        "personal": data.personal,
    }


def patient_rows(arms: list[str], data: StudyResults) -> list[dict]:
    """Each personal patient: usable draws, and in each arm the AUC before and after, or why there is none."""
    draws = {subject_name(row["subject_id"]): row for row in data.populations.to_pylist()}
    personal = {(row["arm"], subject_name(row["subject_id"])): row for row in data.arms.to_pylist()}
    auc = {
        (row["arm"], subject_name(row["subject_id"]), row["round"]): row["auc"]
        for row in data.evaluation["rounds"].to_pylist()
    }
    rows = []
    for subject in data.personal:
        cells = []
        for arm in arms:
            rounds, reason = personal[arm, subject]["rounds"], personal[arm, subject]["reason"]
            before, after = auc.get((arm, subject, 0)), auc.get((arm, subject, rounds))
            cells.append({"reason": reason, "rounds": rounds, "before": before, "after": after})
        counts = {key: draws[subject][key] for key in ("n_positive", "n_negative")}
        rows.append({"subject": subject, **counts, "arms": cells})
    return rows


def reasons_outside(populations: pa.Table) -> dict[str, int]:
    """Why subjects whose ECG was read belong to no population -> how many."""
    rows = populations.to_pylist()
    return dict(sorted(Counter(row["reason"] for row in rows if row["population"] is None).items()))


SECTION = Section(place=120, title="Patients and model cards", build=build)
