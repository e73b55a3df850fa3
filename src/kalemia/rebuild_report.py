"""Make the evaluation and the pages of a finished study again, without its ECG."""

import shutil
from pathlib import Path

from kalemia.core.config_files import SETTINGS_FILE, read_settings
from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_file
from kalemia.core.tables import read_table
from kalemia.evaluation.build_evaluation import find_evaluation_inputs, write_evaluation

# The inputs of the evaluation and the report; their only ECG is mean beats.
KEPT = (
    "cohort/*",
    "generic/*.parquet",
    "generic/*.json",
    "personal/**/*.parquet",
    "personal/**/*.json",
    "explanation/**/*",
    "mean_beats/*.parquet",
    "times/**/*.tsv",
    "source/truth.json",  # of simulated studies
)


def rebuild_report(results: str | Path, to: str | Path | None = None) -> Path:
    """Make the evaluation, figures and pages of a finished study again, in its results folder or in the folder `to`.

    `to` becomes a results folder without ECG. Returns the path of the page. Raises `UserError` if a file is missing.
    """
    from kalemia.report.patient_page import write_patient_page
    from kalemia.report.results import personal_subjects
    from kalemia.report.study_page import write_page
    from kalemia.report.write_outputs import write_csv_tables, write_patient_figures, write_study_figures

    results = Path(results)
    study = read_settings(results)
    if to is not None and Path(to).resolve() != results.resolve():
        results = copy_without_ecg(results, Path(to))
    write_evaluation(study, find_evaluation_inputs(results, study), results / "evaluation")
    write_study_figures(study, results)
    write_csv_tables(results)
    write_page(results / "report.html", study, results)
    for subject in personal_subjects(read_table(results / "cohort/populations.parquet", "populations")):
        write_patient_figures(study, results, subject)
        write_patient_page(results / "patients" / subject / "report.html", study, results, subject)
    return results / "report.html"


def copy_without_ecg(results: Path, to: Path) -> Path:
    """Copy the inputs of the report; returns `to`.

    Raises `UserError` for a link out of the results folder: a copy is given to others, and this file is none of it.
    """
    whole = results.resolve()
    for path in [results / SETTINGS_FILE, *(path for pattern in KEPT for path in results.glob(pattern))]:
        if path.is_file():
            if not path.resolve().is_relative_to(whole):
                raise UserError(f"{path}: is a link out of the results folder; replace it by the file that is meant")
            with atomic_file(to / path.relative_to(results)) as copy:
                shutil.copyfile(path, copy)
    return to
