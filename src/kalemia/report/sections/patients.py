"""The personal patients, each with a link to the patient's own page, and the card of the generic model."""

from collections import Counter

import pyarrow as pa

from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.report import chiu2022 as paper
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """A row a patient, why other subjects are in neither population, and the card."""
    from kalemia.report.cards import generic_card

    return {
        "paper": paper,
        "deciding": data.claims["arm"],
        "patients": patient_rows(study, data),
        "outside": reasons_outside(data.populations),
        "card": generic_card(study, data),
    }


def patient_rows(study: Study, data: StudyResults) -> list[dict]:
    """Each personal patient: usable draws, in each arm draws and AUC or why there is none, the AUC that decides."""
    draws = {subject_name(row["subject_id"]): row for row in data.populations.to_pylist()}
    personal = {(row["arm"], subject_name(row["subject_id"])): row for row in data.arms.to_pylist()}
    found = {(row["arm"], subject_name(row["subject_id"]), row["round"]): row for row in data.rounds}
    rows = []
    for subject in data.personal:
        cells = {}
        for arm in study.arms:
            rounds, reason = personal[arm, subject]["rounds"], personal[arm, subject]["reason"]
            before, after = found.get((arm, subject, 0), {}), found.get((arm, subject, rounds), {})
            cells[arm] = {
                "reason": reason,
                "rounds": rounds,
                "training": 2 * study.personal.pairs_per_round * rounds,
                "test": before.get("n_test"),
                "before": before.get("auc"),
                "after": after.get("auc"),
            }
        counts = {key: draws[subject][key] for key in ("n_positive", "n_negative", "n_draws")}
        auc = cells.get(data.claims["arm"], {}).get("after")
        rows.append({"subject": subject, **counts, "auc": auc, "arms": list(cells.values())})
    return rows


def reasons_outside(populations: pa.Table) -> dict[str, int]:
    """Why subjects whose ECG was read belong to no population -> how many."""
    rows = populations.to_pylist()
    return dict(sorted(Counter(row["reason"] for row in rows if row["population"] is None).items()))


SECTION = Section(place=17, title="Patients and model cards", build=build)
