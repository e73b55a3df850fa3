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
            "Grad-CAM over the mean beat of each class, averaged over patients, before and after personal training, at"
            " every configured stage; all labeled draws, including training draws (the paper used its test set).",
            "explanation_figures.write_gradcam_figure",
        ),
        Figure(
            "waves",
            "Each wave's share of Grad-CAM's attention, and the effect of removing the wave on test draws, before and"
            " after personal training, with intervals over patients.",
            "explanation_figures.write_waves_figure",
        ),
        Figure(
            "sanity",
            "Rank correlation of Grad-CAM with that of networks with random weights or labels, with intervals over"
            " patients.",
            "explanation_figures.write_sanity_figure",
        ),
        Figure(
            "embedding",
            "t-SNE of the beats of each patient by the features that enter the head, before and after personal"
            " training; by class.",
            EMBEDDING,
            {"method": "t-SNE", "coloring": "class"},
        ),
        Figure(
            "embedding-potassium",
            "t-SNE of the beats of each patient by the features that enter the head, before and after personal"
            " training; by value.",
            EMBEDDING,
            {"method": "t-SNE", "coloring": "value"},
        ),
        Figure(
            "embedding-episode",
            "t-SNE of the beats of each patient by the features that enter the head, before and after personal"
            " training; by episode.",
            EMBEDDING,
            {"method": "t-SNE", "coloring": "episode"},
        ),
        Figure(
            "embedding-pca",
            "The two principal axes of the features that enter the head, for each patient, before and after personal"
            " training; by class.",
            EMBEDDING,
            {"method": "PCA", "coloring": "class"},
        ),
    ),
)
