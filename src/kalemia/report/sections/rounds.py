"""Metrics after every round of personal training, for all arms."""

from kalemia.core.config import Study
from kalemia.report import chiu2022 as paper
from kalemia.report.formatting import PROTOCOLS
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """What each arm is, and the number of patients evaluable in it."""
    return {
        "paper": paper,
        "protocols": PROTOCOLS,
        "n_personal": len(data.personal),
        "evaluable": {arm: data.summary["arms"][arm]["patients"] for arm in study.arms},
    }


SECTION = Section(
    place=50,
    title="Round by round",
    gist="What each round of personal training changes",
    build=build,
    is_personal=True,
    figures=(
        Figure(
            "rounds",
            "Each round of personal training changes AUC and accuracy on the patient's own test draws.",
            "study_figures.write_rounds_figure",
            {"metrics": ("auc", "accuracy")},
        ),
        Figure(
            "rounds-by-class",
            "Each round of personal training changes sensitivity and specificity.",
            "study_figures.write_rounds_figure",
            {"metrics": ("sensitivity", "specificity")},
        ),
    ),
    tables={"rounds": "Metrics on each patient's test draws after every round: one row per arm, patient and round."},
)
