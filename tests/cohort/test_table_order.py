"""Neither the order of rows nor repeated rows of any clinical table change a byte of what the cohort is made of."""

import csv
import gzip
import hashlib
import random
from dataclasses import replace

import pytest

from kalemia.cohort.characteristics import write_characteristics
from kalemia.cohort.clinical_context import write_context
from kalemia.cohort.height_weight import write_heights_and_weights
from kalemia.cohort.select_cohort import write_cohort
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.simulate import TABLES as TABLES_FOLDER
from kalemia.simulate import simulate_cohort
from kalemia.sources.mimic_codes import OPTIONAL_TABLES, TABLES, TREATMENT_TABLES
from kalemia.sources.mimic_tables import read_people
from kalemia.sources.physionet import PhysioNet


@pytest.fixture(scope="module")
def mirror(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirror")
    small = replace(study.simulation, generic_patients=8, personal_patients=1, single_episode_patients=0)
    simulate_cohort(folder, small, study.analyte, 3, 2)
    return folder


def _outputs(mirror, tables, study, folder):
    """The SHA-256 of everything that is made from the tables, by name."""
    folder.mkdir()
    draws, subjects, unreadable, context, body = (folder / f"{name}.parquet" for name in "dsucb")
    write_cohort(
        PhysioNet(mirror, tables), study.analyte, study.cohort, study.populations, 1, "", draws, subjects, unreadable
    )
    write_context(draws, [], tables, TREATMENT_TABLES, study.context, "", context)
    write_heights_and_weights(tables, "", body)
    rows = read_table(subjects, "subjects").to_pylist()
    people = [{"subject_id": row["subject_id"], "population": row["candidate_population"]} for row in rows]
    names = ("subject_id", "draw_id", "draw_time", "value", "label")
    used = [row for row in read_table(draws, "draws").to_pylist() if row["candidate_population"]]
    tables_of = {
        "populations": people,
        "quality": [{name: row[name] for name in names} for row in used],
        "generic": [{"draw_id": row["draw_id"]} for row in used],
    }
    for kind, made in tables_of.items():
        write_table(folder / f"{kind}.parquet", kind, table_from_rows(kind, made))
    populations, quality, generic = (folder / f"{kind}.parquet" for kind in tables_of)
    write_characteristics(read_people(tables), body, populations, [quality], generic, folder / "c.json")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize("seed", range(4))
def test_permuted_and_repeated_rows_change_nothing(mirror, study, tmp_path, seed):
    chance = random.Random(seed)
    (tmp_path / "tables").mkdir()
    for name in (*TABLES, *OPTIONAL_TABLES):
        with gzip.open(mirror / TABLES_FOLDER / f"{name}.csv.gz", "rt", newline="") as file:
            header, *rows = file.read().splitlines()
        assert len(next(csv.reader([header]))) > 3
        rows += chance.choices(rows, k=len(rows) // 3) if rows else []
        chance.shuffle(rows)
        (tmp_path / "tables" / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    expected = _outputs(mirror, mirror / TABLES_FOLDER, study, tmp_path / "once")
    assert _outputs(mirror, tmp_path / "tables", study, tmp_path / "again") == expected
