"""The section of provenance: configuration, versions, hashes, and the time that each rule took."""

from kalemia.core.config import Study
from kalemia.core.config_files import config_text
from kalemia.report import chiu2022 as paper
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes
from kalemia.report.provenance import digests, versions


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Versions, digests of configuration and hashes of files, what the rules took, and the whole configuration."""
    return {
        "paper": paper,
        "versions": versions(),
        "digests": digests(study),
        "times": data.times,
        "hashes": data.hashes,
        "config": config_text(study),
    }
