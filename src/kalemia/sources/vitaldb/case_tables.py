"""The two tables of VitalDB: its cases, of which a study takes some, and the laboratory values of these."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.errors import UserError
from kalemia.sources.csv_tables.spellings import MAX_SUBJECT
from kalemia.sources.csv_tables.typed_batches import Column, typed_batches
from kalemia.sources.people import People

# item of LABEVENTS -> name and unit in VitalDB, which has no items and no units
LABS = {
    50971: ("k", "mmol/L"),
    50983: ("na", "mmol/L"),
    51222: ("hb", "g/dL"),
    50912: ("cr", "mg/dL"),
    50882: ("hco3", "mmol/L"),
}
_YEAR = 2100  # in which every case of the database begins, on the first of January
_DAYS_PER_YEAR = 365.25
_MAX_CASE_S = 48 * 3600.0
_ID = Column(pa.int32(), never_empty=True, largest=MAX_SUBJECT)
_NUMBER, _TEXT = Column(pa.float64()), Column(pa.string())
_CASE_COLUMNS = {
    "caseid": _ID,
    "subjectid": _ID,
    "caseend": _NUMBER,
    "age": _NUMBER,
    "sex": _TEXT,
    "opname": _TEXT,
    "preop_ecg": _TEXT,
    "preop_k": _NUMBER,
    "preop_cr": _NUMBER,
}
_LAB_COLUMNS = {"caseid": _ID, "dt": _NUMBER, "name": _TEXT, "result": _TEXT}
_EXCLUDED_ECGS = {"atrial fibrillation coded": "(?i)atrial (fibrillation|flutter)", "pacing coded": "(?i)pacemaker"}
# operations of people whose potassium is often too high: transplantations, and what dialysis needs
_RENAL_OPERATIONS = "(?i)(kidney|liver) transplantation|arteriovenous|peritoneal dialysis"
_RENAL_CREATININE, _RENAL_POTASSIUM = 4.0, 5.3  # mg/dL and mmol/L before the operation, exceeded
_PLAIN_NUMBER = r"^[+-]?\d+(\.\d*)?$"


@dataclass(frozen=True)
class Case:
    """A case; `start`: where the study puts it in time; `excluded`: the reason for which its person is excluded.

    sex: M or F.
    """

    number: int
    subject_id: int
    start: datetime
    seconds: float
    age_years: float
    sex: str | None
    excluded: str | None

    @property
    def name(self) -> str:
        return f"{self.number:04}.vital"


def read_cases(path: str | Path, chosen: str, min_age_years: float) -> list[Case]:
    """The cases of a study by their number: `all` or `renal`, of people of an age or more; raises `UserError`.

    Several cases of a person are a year apart, in the order of their numbers, so that laboratory values weeks from a
    case stay with it.
    """
    rows = pa.Table.from_batches(typed_batches(Path(path), _CASE_COLUMNS, "VitalDB's cases"))
    rows = rows.sort_by("caseid")
    if len(pc.unique(rows["caseid"])) < len(rows):
        raise UserError(f"{path}: lists a case twice; is the table intact?")
    if not pc.all(pc.and_kleene(pc.greater(rows["caseend"], 0), pc.less_equal(rows["caseend"], _MAX_CASE_S))).as_py():
        raise UserError(f"{path}: has a case that does not end within 48 hours of its start (caseend, in seconds)")
    coded = _excluded_people(rows)
    rows = rows.filter(pc.greater_equal(rows["age"], min_age_years))
    if chosen == "renal":
        rows = rows.filter(_is_renal(rows))
    cases, n_before = [], Counter()
    for row in rows.select(["caseid", "subjectid", "caseend", "age", "sex"]).to_pylist():
        subject = row["subjectid"]
        start = datetime(_YEAR + n_before[subject], 1, 1)
        n_before[subject] += 1
        of_case = row["caseid"], subject, start, row["caseend"], row["age"], row["sex"]
        cases.append(Case(*of_case, coded.get(subject)))
    return cases


def people_of(cases: Iterable[Case]) -> People:
    """The people of some cases; an age is that at the first of them."""
    first = {case.subject_id: case for case in sorted(cases, key=lambda case: case.start, reverse=True)}
    return People(
        {subject: case.start - timedelta(days=case.age_years * _DAYS_PER_YEAR) for subject, case in first.items()},
        {subject: case.sex for subject, case in first.items()},
    )


def lab_rows(path: str | Path, cases: Collection[Case], item: int) -> pa.Table:
    """The values of one analyte of some cases as rows of LABEVENTS, in the order of the table; raises `UserError`.

    ROW_ID: the number of the row in the table, from 1.
    """
    name, unit = LABS[item]
    numbers, parts, n_rows = pa.array([case.number for case in cases], pa.int32()), [], 0
    for batch in typed_batches(Path(path), _LAB_COLUMNS, "VitalDB's laboratory values"):
        batch = batch.append_column("row", pa.array(np.arange(n_rows, n_rows + len(batch)) + 1))
        n_rows += len(batch)
        parts.append(batch.filter(pc.and_(pc.equal(batch["name"], name), pc.is_in(batch["caseid"], numbers))))
    rows = pa.Table.from_batches(parts)
    of_case = {case.number: case for case in cases}
    owners = [of_case[number] for number in rows["caseid"].to_pylist()]
    starts = pa.array([owner.start for owner in owners], pa.timestamp("us"))
    after = pc.cast(pc.round(pc.multiply(rows["dt"], 1e6)), pa.int64()).cast(pa.duration("us"))
    plain = pc.match_substring_regex(rows["result"], _PLAIN_NUMBER)
    return pa.table(
        {
            "ROW_ID": rows["row"],
            "SUBJECT_ID": pa.array([owner.subject_id for owner in owners], pa.int32()),
            "HADM_ID": pa.nulls(len(rows), pa.int32()),
            "ITEMID": pa.array([item] * len(rows), pa.int32()),
            "CHARTTIME": pc.add(starts, after),
            "VALUE": rows["result"],
            "VALUENUM": pc.if_else(plain, rows["result"], None).cast(pa.float64()),
            "VALUEUOM": pa.array([unit] * len(rows), pa.string()),
        }
    )


def _excluded_people(rows: pa.Table) -> dict[int, str]:
    """Subject -> why it is excluded by the ECG before any of its operations; fibrillation goes before pacing."""
    reasons: dict[int, str] = {}
    for reason, pattern in _EXCLUDED_ECGS.items():
        found = pc.match_substring_regex(rows["preop_ecg"], pattern)
        reasons = dict.fromkeys(rows.filter(pc.fill_null(found, False))["subjectid"].to_pylist(), reason) | reasons
    return reasons


def _is_renal(rows: pa.Table) -> pa.ChunkedArray:
    """Whether potassium is often too high in such a case, from what is known before it: bool (n,)."""
    by_operation = pc.match_substring_regex(rows["opname"], _RENAL_OPERATIONS)
    by_creatinine = pc.greater(rows["preop_cr"], _RENAL_CREATININE)
    by_potassium = pc.greater(rows["preop_k"], _RENAL_POTASSIUM)
    found = [pc.fill_null(column, False) for column in (by_operation, by_creatinine, by_potassium)]
    return pc.or_(pc.or_(found[0], found[1]), found[2])
