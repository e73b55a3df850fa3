"""The ICD codes, items and drugs of MIMIC-III that Kalemia uses, from the package's data files."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

# The tables of MIMIC-III that Kalemia needs, and those that it reads if a study has them.
TABLES = ("PATIENTS", "ADMISSIONS", "LABEVENTS", "DIAGNOSES_ICD", "PROCEDURES_ICD")
HEIGHT_WEIGHT_TABLE = "CHARTEVENTS"
TREATMENT_TABLES = ("INPUTEVENTS_MV", "INPUTEVENTS_CV", "PRESCRIPTIONS", "PROCEDUREEVENTS_MV")
OPTIONAL_TABLES = (HEIGHT_WEIGHT_TABLE, *TREATMENT_TABLES)
MIMIC4_PATHS = {  # MIMIC-III's name of a table -> its file in MIMIC-IV, without the ending
    "PATIENTS": "hosp/patients",
    "ADMISSIONS": "hosp/admissions",
    "LABEVENTS": "hosp/labevents",
    "DIAGNOSES_ICD": "hosp/diagnoses_icd",
    "PROCEDURES_ICD": "hosp/procedures_icd",
    "PRESCRIPTIONS": "hosp/prescriptions",
    "INPUTEVENTS_MV": "icu/inputevents",
    "PROCEDUREEVENTS_MV": "icu/procedureevents",
}
TREATMENTS = ("calcium", "insulin", "bicarbonate", "dialysis")


@dataclass(frozen=True)
class Code:
    """A prefix of ICD codes of version 9 or 10, written without the point as in MIMIC, that excludes a subject."""

    table: str
    version: int
    prefix: str
    reason: str


@dataclass(frozen=True)
class Item:
    """An ITEMID of a table and its meaning: one of `TREATMENTS`, or height (cm) or weight (kg) after `factor`."""

    meaning: str
    table: str
    item: int
    factor: float


@cache
def excluding_codes() -> tuple[Code, ...]:
    """Atrial fibrillation and pacing: data/icd9.csv and data/icd10.csv."""
    rows = [(9, row) for row in _rows("data/icd9.csv")] + [(10, row) for row in _rows("data/icd10.csv")]
    return tuple(Code(row["table"], version, row["prefix"], row["reason"]) for version, row in rows)


@cache
def items_of(table: str) -> tuple[Item, ...]:
    """The items of one table that mean something here: data/items.csv."""
    rows = [row for row in _rows("data/items.csv") if row["table"] == table]
    return tuple(Item(row["meaning"], table, int(row["item"]), float(row["factor"] or 1)) for row in rows)


@cache
def drug_patterns() -> dict[str, str]:
    """Treatment -> regular expression, lower case, that matches the names of its drugs: data/drugs.csv."""
    return {row["meaning"]: row["pattern"] for row in _rows("data/drugs.csv")}


def _rows(path: str) -> list[dict[str, str]]:
    with (files("kalemia") / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
