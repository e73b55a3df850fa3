"""The section of what the networks look at."""

from kalemia.config import Study
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Figures say it all."""
    return {}
