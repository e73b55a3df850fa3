"""The section of the inclusion flow."""

from kalemia.core.config import Study
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """The steps, what the review of excerpts decided, and where it is."""
    return {"flow": data.flow["steps"], "reviewed": data.flow["reviewed"], "review": data.review}
