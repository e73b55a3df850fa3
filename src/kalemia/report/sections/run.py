"""The section of provenance: configuration, versions and digests."""

from kalemia import paper
from kalemia.config import Study
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes
from kalemia.report.provenance import config_text, digests, versions


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Versions, the digests of all stages, and the whole configuration."""
    return {"paper": paper, "versions": versions(), "digests": digests(study), "config": config_text(study)}
