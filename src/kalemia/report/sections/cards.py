"""The generic model's card, with links to the cards of the personal models."""

from kalemia.core.config import Study
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """The card, and the personal patients."""
    from kalemia.report.cards import generic_card

    return {"card": generic_card(study, data), "personal": data.personal}


SECTION = Section(place=150, title="Model cards", build=build)
