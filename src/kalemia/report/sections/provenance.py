"""Provenance: configuration, versions, hashes, and the run time of each rule."""

from kalemia.core.config import Study
from kalemia.core.config_files import config_text
from kalemia.report import chiu2022 as paper
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Versions, digests of configuration and hashes of files, what the rules took, and the whole configuration."""
    from kalemia.report.provenance import digests, versions

    return {
        "paper": paper,
        "versions": versions(),
        "digests": digests(study),
        "times": data.times,
        "hashes": data.hashes,
        "config": config_text(study),
    }


SECTION = Section(
    place=160,
    title="Provenance",
    gist="Versions, settings, run times and digests",
    build=build,
)
