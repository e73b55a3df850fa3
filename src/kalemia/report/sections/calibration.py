"""The section of calibration: of the generic network, and of the personal ones."""

from kalemia.core.config import Study
from kalemia.evaluation.calibration import FEWEST_DRAWS
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes
from kalemia.stats.discrimination import FEWEST_IN_BIN


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """How few draws make no curve, and no part of one."""
    return {"fewest": FEWEST_DRAWS, "fewest_in_part": FEWEST_IN_BIN}
