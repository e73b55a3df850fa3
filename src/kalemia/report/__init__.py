"""The report: figures as SVG, one page for the study and one for each patient."""

# Here and not where they are drawn, so that a workflow can name its files without importing matplotlib.
SECTION_FIGURES = {  # section of the study's page -> figures/{name}.svg
    "included": ("flow",),
    "generic": ("generic",),
    "rounds": ("rounds", "rounds-by-class"),
    "proof": ("verdict", "baselines", "arms"),
    "statistics": ("forest",),
    "leakage": ("leakage",),
    "calibration": ("calibration", "calibration-arms"),
    "prevalence": ("decision-curve",),
    "explanation": (
        "gradcam",
        "waves",
        "sanity",
        "embedding",
        "embedding-potassium",
        "embedding-episode",
        "embedding-pca",
    ),
}
STUDY_FIGURES = tuple(name for names in SECTION_FIGURES.values() for name in names)
# of evaluation/ -> tables/{name}.csv
STUDY_TABLES = ("rounds", "averages", "comparisons", "baseline_averages", "prevalence")
# patients/{subject}/{name}.svg
PATIENT_FIGURES = ("rounds", "potassium", "beats", "gradcam", "waves", "sanity", "embedding", "embedding-pca")
METRIC_NAMES = {"accuracy": "Accuracy", "auc": "AUC", "sensitivity": "Sensitivity", "specificity": "Specificity"}
