"""The tables of the evaluation as CSV, for those who open them in a spreadsheet."""

from pathlib import Path

from pyarrow import csv

from kalemia.core.tables import read_table, whole_file
from kalemia.report import STUDY_TABLES


def write_csv_tables(results: str | Path) -> None:
    """Write results/tables/{name}.csv for every name of `kalemia.report.STUDY_TABLES`."""
    for name in STUDY_TABLES:
        table = read_table(Path(results) / f"evaluation/{name}.parquet", name)
        with whole_file(Path(results) / f"tables/{name}.csv") as beside:
            csv.write_csv(table, beside)
