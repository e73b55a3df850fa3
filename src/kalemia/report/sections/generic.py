"""The generic network: its training, and its metrics by split."""

from kalemia.core.config import Study
from kalemia.report import chiu2022 as paper
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section

SPLITS = ("train", "validation", "test")


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Its metrics by split and unit, and on its test people beside simpler scores."""
    from kalemia.evaluation.between_patients.claims import claims_in_order

    claims = [found for _, found in claims_in_order(data.between_patients)]
    return {
        "generic": generic_rows(data.summary["generic"]),
        "generic_metrics": data.summary["generic"],
        "between": data.between_patients,
        "claims": claims,
        "comparisons": [one for found in claims for one in found["comparisons"]],
    }


def generic_rows(metrics: dict) -> list[dict]:
    """The generic network by split and unit, with the accuracy that the paper gives; none of an imported network."""
    return [
        {"split": split, "unit": unit, **metrics[split][unit], "published": paper.GENERIC_ACCURACY[split]}
        for split in SPLITS
        if split in metrics
        for unit in ("draws", "beats")
    ]


SECTION = Section(
    place=40,
    title="The generic network",
    gist="How the network for everybody was trained, and how it does on people it never saw",
    build=build,
    figures=(
        Figure(
            "generic",
            "The generic network is that of the epoch with the lowest validation loss.",
            "study_figures.write_generic_figure",
        ),
    ),
)
