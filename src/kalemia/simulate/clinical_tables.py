"""The clinical tables of a simulated cohort, as gzipped CSV with MIMIC-III's columns, quoting and dates."""

import gzip
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from kalemia.core.seeds import rng
from kalemia.simulate import chart_events as charted
from kalemia.simulate.fluid import SODIUM_PER_LITER, liters_at
from kalemia.simulate.patients import Admission, Person

COLUMNS = {
    "PATIENTS": "ROW_ID SUBJECT_ID GENDER DOB DOD DOD_HOSP DOD_SSN EXPIRE_FLAG",
    "ADMISSIONS": "ROW_ID SUBJECT_ID HADM_ID ADMITTIME DISCHTIME DEATHTIME ADMISSION_TYPE ADMISSION_LOCATION"
    " DISCHARGE_LOCATION INSURANCE LANGUAGE RELIGION MARITAL_STATUS ETHNICITY EDREGTIME EDOUTTIME DIAGNOSIS"
    " HOSPITAL_EXPIRE_FLAG HAS_CHARTEVENTS_DATA",
    "ICUSTAYS": "ROW_ID SUBJECT_ID HADM_ID ICUSTAY_ID DBSOURCE FIRST_CAREUNIT LAST_CAREUNIT FIRST_WARDID LAST_WARDID"
    " INTIME OUTTIME LOS",
    "LABEVENTS": "ROW_ID SUBJECT_ID HADM_ID ITEMID CHARTTIME VALUE VALUENUM VALUEUOM FLAG",
    "D_LABITEMS": "ROW_ID ITEMID LABEL FLUID CATEGORY LOINC_CODE",
    "DIAGNOSES_ICD": "ROW_ID SUBJECT_ID HADM_ID SEQ_NUM ICD9_CODE",
    "PROCEDURES_ICD": "ROW_ID SUBJECT_ID HADM_ID SEQ_NUM ICD9_CODE",
}

POTASSIUM = ("Potassium", "2823-3")  # label and LOINC
NORMAL_POTASSIUM = (3.3, 5.3)  # values outside are flagged
SODIUM = 50983
# Other analytes of the same specimen: item, label, LOINC, unit, digits, mean, spread, normal range.
OTHERS = (
    (50882, "Bicarbonate", "1963-8", "mEq/L", 0, 24, 4, (22, 32)),
    (50902, "Chloride", "2075-0", "mEq/L", 0, 104, 5, (96, 108)),
    (50912, "Creatinine", "2160-0", "mg/dL", 1, 1.6, 0.7, (0.4, 1.2)),
    (50931, "Glucose", "2345-7", "mg/dL", 0, 130, 30, (70, 105)),
    (SODIUM, "Sodium", "2951-2", "mEq/L", 0, 139, 4, (133, 145)),
)
# Laboratory reports other than plain values, as VALUE and VALUENUM: out of range, no value, contaminated.
ODD_RESULTS = (("GREATER THAN 10", None), (">10.0", None), (None, None), ("24.6", 24.6))
# About the fractions of the paper's Table 1.
ETHNICITIES = {
    "WHITE": 0.63,
    "BLACK/AFRICAN AMERICAN": 0.12,
    "HISPANIC OR LATINO": 0.05,
    "ASIAN": 0.03,
    "AMERICAN INDIAN/ALASKA NATIVE": 0.01,
    "OTHER": 0.03,
    "UNKNOWN/NOT SPECIFIED": 0.13,
}
FIRST_LAB_ROW = 8_000_001
FIBRILLATION, PACEMAKER = "42731", ("3783", "3772")
HYPERPOTASSEMIA, HYPOPOTASSEMIA, HEMODIALYSIS = "2767", "2768", "3995"
LOW = 3.5  # mEq/L
DIAGNOSES = ("4019", "25000", "5849", "4280", "51881", "2724", "99592", "486", "2859", "5856")
PROCEDURES = ("3893", "966", "9604", "9671", "3891")


def lab_rows(
    people: Iterable[Person], item_id: int, seed: int, fluid_per_meq: float = 0.0
) -> tuple[list[list], dict[tuple[int, int], int]]:
    """The rows of LABEVENTS, and the ROW_ID of each recorded draw by subject and number of the draw.

    Potassium is reported as `item_id`, the other analytes of `OTHERS` under their own; sorted by subject and time.
    `fluid_per_meq` are liters of fluid per mEq/L of potassium, which dilute sodium.
    """
    rows, row_of_draw = [], {}
    for person in people:
        random = rng(seed, "labs", person.subject_id)
        rows.append(_outpatient_row(person, item_id, random))
        for admission in person.admissions:
            for index, draw in enumerate(admission.draws):
                if admission is person.monitored:
                    row_of_draw[person.subject_id, index] = FIRST_LAB_ROW + len(rows)
                time, value = admission.at(draw.hours), f"{draw.reported:.1f}"
                keys = [person.subject_id, admission.hadm_id]
                flag = None if NORMAL_POTASSIUM[0] <= draw.reported <= NORMAL_POTASSIUM[1] else "abnormal"
                rows.append([*keys, item_id, time, value, draw.reported, "mEq/L", flag])
                liters = liters_at(seed, admission.hadm_id, index, draw.potassium, fluid_per_meq)
                shifts = {SODIUM: SODIUM_PER_LITER * liters}
                rows += [[*keys, *other] for other in _other_results(item_id, time, shifts, random)]
                if random.random() < 0.03:
                    odd, number = ODD_RESULTS[random.integers(len(ODD_RESULTS))]
                    rows.append([*keys, item_id, time + timedelta(minutes=25), odd, number, "mEq/L", "abnormal"])
    return [[FIRST_LAB_ROW + i, *row] for i, row in enumerate(rows)], row_of_draw


def write_tables(folder: Path, people: list[Person], labs: list[list], item_id: int, seed: int) -> None:
    """Write every table of `COLUMNS` and of `chart_events.COLUMNS` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    stays = [(person, admission) for person in people for admission in person.admissions]
    rows = {
        "PATIENTS": _numbered([_patient(person) for person in people]),
        "ADMISSIONS": _numbered([_admission(*stay, rng(seed, "ethnicity", stay[0].subject_id)) for stay in stays]),
        "ICUSTAYS": _numbered([_icu_stay(*stay) for stay in stays]),
        "LABEVENTS": labs,
        "D_LABITEMS": _numbered(_lab_items(item_id)),
        "DIAGNOSES_ICD": _numbered([row for stay in stays for row in _coded(*stay, _diagnoses(*stay, seed))]),
        "PROCEDURES_ICD": _numbered([row for stay in stays for row in _coded(*stay, _procedures(*stay, seed))]),
    }
    rows |= {name: _numbered(of_table) for name, of_table in charted.charted_rows(people, seed).items()}
    for name, columns in (COLUMNS | charted.COLUMNS).items():
        _write_csv(folder / f"{name}.csv.gz", columns.split(), rows[name])


def _other_results(item_id: int, time: datetime, shifts: dict[int, float], random: np.random.Generator) -> list[list]:
    results = []
    for item, _, _, unit, digits, mean, spread, (low, high) in OTHERS:
        number = round(max(float(random.normal(mean, spread)) + shifts.get(item, 0.0), mean / 4), digits)
        if item != item_id:
            flag = None if low <= number <= high else "abnormal"
            results.append([item, time, f"{number:.{digits}f}", number, unit, flag])
    return results


def _outpatient_row(person: Person, item_id: int, random: np.random.Generator) -> list:
    """A normal value before any admission, and therefore without one."""
    time = person.admissions[0].admitted.replace(minute=0) - timedelta(days=int(random.integers(10, 90)))
    number = round(float(random.uniform(3.8, 4.6)), 1)
    return [person.subject_id, None, item_id, time, f"{number:.1f}", number, "mEq/L", None]


def _patient(person: Person) -> list:
    return [person.subject_id, person.sex, person.born, None, None, None, 0]


def _admission(person: Person, admission: Admission, random: np.random.Generator) -> list:
    ethnicity = random.choice(list(ETHNICITIES), p=list(ETHNICITIES.values()))
    return [
        *(person.subject_id, admission.hadm_id, admission.admitted, admission.discharged, None),
        *("EMERGENCY", "EMERGENCY ROOM ADMIT", "HOME", "Medicare", None, None, None, str(ethnicity), None, None),
        *("RENAL FAILURE" if person.positive else "SEPSIS", 0, 1),
    ]


def _icu_stay(person: Person, admission: Admission) -> list:
    into, out = admission.admitted + timedelta(hours=1), admission.discharged - timedelta(hours=3)
    days = round((out - into) / timedelta(days=1), 4)
    return [
        person.subject_id,
        admission.hadm_id,
        admission.icustay_id,
        "metavision",
        *("MICU",) * 2,
        50,
        50,
        into,
        out,
        days,
    ]


def _lab_items(item_id: int) -> list[list]:
    items = [(item_id, *POTASSIUM), *(other[:3] for other in OTHERS if other[0] != item_id)]
    return [[item, label, "Blood", "Chemistry", loinc] for item, label, loinc in sorted(items)]


def _diagnoses(person: Person, admission: Admission, seed: int) -> list[str]:
    codes = rng(seed, "diagnoses", admission.hadm_id).permutation(DIAGNOSES)[:4].tolist()
    positive = [draw.reported for draw in admission.draws if draw.label == 1]
    if positive:
        codes.insert(1, HYPOPOTASSEMIA if max(positive) < LOW else HYPERPOTASSEMIA)
    if person.cause == "coded atrial fibrillation":
        codes.insert(2, FIBRILLATION)
    return codes


def _procedures(person: Person, admission: Admission, seed: int) -> list[str]:
    codes = rng(seed, "procedures", admission.hadm_id).permutation(PROCEDURES)[:2].tolist()
    if person.population == "personal":
        codes.append(HEMODIALYSIS)
    if person.cause == "coded pacemaker":
        codes += PACEMAKER
    return codes


def _coded(person: Person, admission: Admission, codes: list[str]) -> list[list]:
    return [[person.subject_id, admission.hadm_id, place, code] for place, code in enumerate(codes, start=1)]


def _numbered(rows: list[list]) -> list[list]:
    return [[number, *row] for number, row in enumerate(rows, start=1)]


def _write_csv(path: Path, columns: list[str], rows: list[list]) -> None:
    """As in MIMIC-III: text is quoted, numbers and times are not, null is empty; the gzip has no name or time."""
    lines = [",".join(f'"{column}"' for column in columns), *(",".join(map(_field, row)) for row in rows)]
    text = "".join(f"{line}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _field(value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, datetime):
        return f"{value.replace(microsecond=0)}"
    return f"{value:g}" if isinstance(value, float) else str(value)
