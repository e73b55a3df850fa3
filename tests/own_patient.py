"""A simulated patient of a study, as a folder of one's own recordings."""

import csv
from pathlib import Path

import pyarrow.compute as pc
import wfdb

from kalemia.core.paths import subject_name
from kalemia.core.tables import read_table


def write_own_patient(results: Path, subject: int, folder: Path) -> None:
    """Write recordings.csv and potassium.csv of one simulated patient; the recordings stay where they are."""
    folder.mkdir(parents=True)
    name = subject_name(subject)
    place = results / "source/mimic3wdb-matched/1.0" / name[:3] / name
    recordings = []
    for header in sorted(place.glob(f"{name}-*[0-9].hea")):
        start = wfdb.rdheader(str(header.with_suffix(""))).base_datetime
        recordings.append([subject, start, header, "II"])
    draws = read_table(results / "cohort/draws.parquet", "draws")
    mine = draws.filter(pc.and_(pc.equal(draws["subject_id"], subject), pc.is_valid(draws["recording"])))
    potassium = [[subject, row["draw_time"], f"{row['value']:.1f}"] for row in mine.sort_by("draw_time").to_pylist()]
    _write_csv(folder / "recordings.csv", ["subject", "start", "path", "lead"], recordings)
    _write_csv(folder / "potassium.csv", ["subject", "time", "potassium"], potassium)


def _write_csv(path: Path, head: list[str], rows: list[list]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
