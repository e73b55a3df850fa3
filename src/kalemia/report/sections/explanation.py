"""Explanations of the networks by Grad-CAM and occlusion, and how far they can be trusted."""

from kalemia.core.config import Study
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section

EMBEDDING = "explanation_figures.write_embedding_figure"


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Attention and losses by wave, the randomization tests, the trustworthiness of the embeddings, planted places."""
    from kalemia.report.explanation_findings import explanation_values

    return explanation_values(data.explanations, list(study.arms), study.seed)


SECTION = Section(
    place=110,
    title="Explanations",
    gist="Which parts of the beat the networks use, and how far such maps can be trusted",
    build=build,
    is_personal=True,
    figures=(
        Figure(
            "gradcam",
            "Which parts of the mean beat count toward each class, before and after personal training.",
            "explanation_figures.write_gradcam_figure",
        ),
        Figure(
            "waves",
            "Which waves the networks attend to, and what removing a wave changes.",
            "explanation_figures.write_waves_figure",
        ),
        Figure(
            "sanity",
            "Whether maps change when weights or labels are random.",
            "explanation_figures.write_sanity_figure",
        ),
        Figure(
            "embedding",
            "How the networks separate single beats, before and after training: by class (t-SNE).",
            EMBEDDING,
            {"method": "t-SNE", "coloring": "class"},
        ),
        Figure(
            "embedding-potassium",
            "How the networks separate single beats, before and after training: by value (t-SNE).",
            EMBEDDING,
            {"method": "t-SNE", "coloring": "value"},
        ),
        Figure(
            "embedding-episode",
            "How the networks separate single beats, before and after training: by episode (t-SNE).",
            EMBEDDING,
            {"method": "t-SNE", "coloring": "episode"},
        ),
        Figure(
            "embedding-pca",
            "How the networks separate single beats, before and after training: by class (PCA).",
            EMBEDDING,
            {"method": "PCA", "coloring": "class"},
        ),
    ),
)
