"""The report's files by name: what a workflow lists without loading matplotlib or any result."""

from importlib import import_module
from pkgutil import iter_modules

from kalemia.report import sections
from kalemia.report.section import Figure, Section


def _read_sections() -> dict[str, Section]:
    modules = {
        module.name: import_module(f"kalemia.report.sections.{module.name}")
        for module in iter_modules(sections.__path__)
    }
    return dict(sorted(((name, module.SECTION) for name, module in modules.items()), key=lambda item: item[1].place))


SECTIONS = _read_sections()  # id, which is the name of its module and template -> section, as on the page
STUDY_FIGURES = {figure.name: figure for section in SECTIONS.values() for figure in section.figures}
STUDY_TABLES = {name: caption for section in SECTIONS.values() for name, caption in section.tables.items()}
PATIENT_FIGURES = {
    figure.name: figure
    for figure in (
        Figure(
            "rounds",
            "Each round changes the metrics on the patient's own test draws.",
            "patient_figures.write_patient_rounds_figure",
        ),
        Figure(
            "potassium",
            "What the laboratory measured, and what the network of the last round says.",
            "patient_figures.write_potassium_figure",
        ),
        Figure("beats", "How the patient's beat differs between the classes.", "patient_figures.write_beats_figure"),
        Figure(
            "gradcam",
            "Which parts of the mean beat count toward each class.",
            "patient_explanation_figures.write_maps_figure",
        ),
        Figure(
            "waves",
            "Which waves the networks attend to, and what removing a wave changes.",
            "patient_explanation_figures.write_wave_bars_figure",
        ),
        Figure(
            "sanity",
            "Whether maps change when weights or labels are random.",
            "patient_explanation_figures.write_random_maps_figure",
        ),
        Figure(
            "embedding",
            "How the networks separate single beats (t-SNE).",
            "patient_explanation_figures.write_planes_figure",
            {"method": "t-SNE"},
        ),
        Figure(
            "embedding-pca",
            "How the networks separate single beats (PCA).",
            "patient_explanation_figures.write_planes_figure",
            {"method": "PCA"},
        ),
    )
}
