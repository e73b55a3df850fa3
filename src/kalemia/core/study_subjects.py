"""The subjects of a study, as the tables of the cohort list them."""

from pathlib import Path

from kalemia.core.paths import subject_name
from kalemia.core.tables import read_table


def read_candidates(path: str | Path) -> dict[str, str]:
    """Subject -> candidate population, from ``cohort/subjects.parquet``: everybody with draws to read."""
    return _column_by_subject(path, "subjects", "candidate")


def read_populations(path: str | Path) -> dict[str, str | None]:
    """Subject -> population, None for neither, from ``cohort/populations.parquet``."""
    return _column_by_subject(path, "populations", "population")


def _column_by_subject(path: str | Path, kind: str, column: str) -> dict[str, str | None]:
    table = read_table(path, kind, ["subject_id", column])
    names = map(subject_name, table["subject_id"].to_pylist())
    return dict(zip(names, table[column].to_pylist(), strict=True))
