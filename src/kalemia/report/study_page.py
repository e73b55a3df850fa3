"""The page of a whole study: one HTML file that needs nothing beside it but the patients' pages it links to."""

from pathlib import Path

from markupsafe import Markup

from kalemia.core.config import Study
from kalemia.report.cards import write_generic_card
from kalemia.report.html import inline_svg, rendered, write_html
from kalemia.report.inputs import read_study
from kalemia.report.outputs import SECTIONS, STUDY_FIGURES
from kalemia.report.provenance import versions
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes


def write_page(path: str | Path, study: Study, results: str | Path) -> None:
    """Write the study's page from the results folder and from its figures, which must exist already.

    Every personal patient is linked as ``patients/p010059/report.html``, and the review where its page lies in the
    results folder. The card of the generic model is written too, as generic/model-card.md there. Sections about
    personal networks are left out where nobody has one.
    """
    data = read_study(results)
    write_generic_card(Path(results) / "generic/model-card.md", study, data)
    figures = {
        name: inline_svg(Path(results) / "figures" / f"{name}.svg", data.shown, pdf=f"figures/{name}.pdf")
        for name in STUDY_FIGURES
    }
    write_html(
        path,
        "study.html",
        study=study,
        sections=[
            (name, section, section_body(name, study, data, figures))
            for name, section in SECTIONS.items()
            if data.personal or not section.is_personal
        ],
        has_personal=bool(data.personal),
        versions=versions(),
    )


def section_body(name: str, study: Study, data: StudyResults, figures: dict[str, Markup]) -> Markup:
    """What stands below the heading of the section `name`."""
    notes = Notes(name)
    values = SECTIONS[name].build(study, data, notes)
    return rendered(f"sections/{name}.html", study=study, names=data.shown, figures=figures, notes=notes, **values)
