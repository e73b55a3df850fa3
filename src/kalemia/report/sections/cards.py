"""The section of the generic model's card, with the way to each personal model's."""

from kalemia.core.config import Study
from kalemia.report.cards import generic_card
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """The card, and the personal patients."""
    return {"card": generic_card(study, data), "personal": data.personal}
