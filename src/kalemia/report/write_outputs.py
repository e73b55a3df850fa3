"""Writing what the sections declare: figures and CSV tables."""

from dataclasses import replace
from pathlib import Path

from pyarrow import csv

from kalemia.core.config import Study
from kalemia.core.files.atomic import atomic_file
from kalemia.core.tables import read_table
from kalemia.report.inputs import read_patient, read_study
from kalemia.report.outputs import PATIENT_FIGURES, STUDY_FIGURES, STUDY_TABLES


def write_study_figures(study: Study, results: str | Path) -> None:
    """Write results/figures/{name}.svg and .pdf for every figure of a section."""
    data = read_study(results)
    for figure in STUDY_FIGURES.values():
        figure.write(Path(results) / "figures", study, data)


def write_patient_figures(study: Study, results: str | Path, subject: str) -> None:
    """Write results/patients/{subject}/{name}.svg and .pdf for every figure of a patient's page."""
    patient = read_patient(results, subject)
    for figure in PATIENT_FIGURES.values():
        named = replace(figure, caption=f"Patient {patient.name}: {figure.caption}")
        named.write(Path(results) / "patients" / subject, study, patient)


def write_csv_tables(results: str | Path) -> None:
    """Write results/tables/{name}.csv for every CSV table of a section."""
    for name in STUDY_TABLES:
        table = read_table(Path(results) / f"evaluation/{name}.parquet", name)
        with atomic_file(Path(results) / f"tables/{name}.csv") as beside:
            csv.write_csv(table, beside)
