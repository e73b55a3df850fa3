"""The section of every patient's curve over rounds."""

from kalemia import paper
from kalemia.config import Study
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Nothing but the paper, whose means the figure shows."""
    return {"paper": paper}
