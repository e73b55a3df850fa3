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
        Figure("rounds", "Metrics after each round.", "patient_figures.write_patient_rounds_figure"),
        Figure(
            "potassium",
            "Values over time, with the decision after the last round.",
            "patient_figures.write_potassium_figure",
        ),
        Figure("beats", "Mean beats by class.", "patient_figures.write_beats_figure"),
        Figure(
            "gradcam",
            "Grad-CAM on the mean beat, before and after personal training.",
            "patient_explanation_figures.write_maps_figure",
        ),
        Figure(
            "waves",
            "Grad-CAM and occlusion by wave, before and after personal training.",
            "patient_explanation_figures.write_wave_bars_figure",
        ),
        Figure(
            "sanity",
            "Grad-CAM compared with that of networks with random weights or labels.",
            "patient_explanation_figures.write_random_maps_figure",
        ),
        Figure(
            "embedding",
            "t-SNE of the beats, before and after personal training, by class, value and episode.",
            "patient_explanation_figures.write_planes_figure",
            {"method": "t-SNE"},
        ),
        Figure(
            "embedding-pca",
            "PCA of the beats, before and after personal training, by class, value and episode.",
            "patient_explanation_figures.write_planes_figure",
            {"method": "PCA"},
        ),
    )
}
