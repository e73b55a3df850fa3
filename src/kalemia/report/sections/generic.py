"""The section of the generic network."""

from kalemia.core.config import Study
from kalemia.report import chiu2022 as paper
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes

SPLITS = ("train", "validation", "test")


def values(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Its metrics by split and unit."""
    return {"generic": generic_rows(data.summary["generic"]), "generic_metrics": data.summary["generic"]}


def generic_rows(metrics: dict) -> list[dict]:
    """The generic network by split and unit, with the accuracy that the paper gives."""
    return [
        {"split": split, "unit": unit, **metrics[split][unit], "published": paper.GENERIC_ACCURACY[split]}
        for split in SPLITS
        for unit in ("draws", "beats")
    ]
