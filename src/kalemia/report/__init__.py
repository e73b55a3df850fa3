"""The report: figures as SVG, one page for the study and one for each patient."""

# Here and not where they are drawn, so that a workflow can name its files without importing matplotlib.
STUDY_FIGURES = (  # figures/{name}.svg
    "flow",
    "generic",
    "calibration",
    "verdict",
    "rounds",
    "rounds-by-class",
    "baselines",
    "arms",
    "leakage",
    "gradcam",
    "embedding",
)
PATIENT_FIGURES = ("rounds", "potassium", "beats", "gradcam", "embedding")  # patients/{subject}/{name}.svg
METRIC_NAMES = {"accuracy": "Accuracy", "auc": "AUC", "sensitivity": "Sensitivity", "specificity": "Specificity"}
