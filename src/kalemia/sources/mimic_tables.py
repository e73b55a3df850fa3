"""Tables of the clinical database MIMIC-III, streamed in bounded memory, their columns and subjects checked."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.errors import UserError
from kalemia.sources.csv_tables.spellings import MAX_SUBJECT
from kalemia.sources.csv_tables.typed_batches import Column, typed_batches
from kalemia.sources.mimic_codes import excluding_codes

_ID, _NUMBER, _TEXT = Column(pa.int32()), Column(pa.float64()), Column(pa.string())
_TIME, _DAY = Column(pa.timestamp("us"), has_clock=True), Column(pa.timestamp("us"))
_COLUMNS = {
    "ROW_ID": Column(pa.int64(), never_empty=True),
    "SUBJECT_ID": Column(pa.int32(), never_empty=True, largest=MAX_SUBJECT),
    "HADM_ID": _ID,
    "ITEMID": _ID,
    "CHARTTIME": _TIME,
    "VALUE": _TEXT,
    "VALUENUM": _NUMBER,
    "VALUEUOM": _TEXT,
    "FLAG": _TEXT,
    "COMMENTS": _TEXT,
    "ICD9_CODE": _TEXT,
    "GENDER": _TEXT,
    "DOB": _DAY,
    "ADMITTIME": _TIME,
    "DISCHTIME": _TIME,
    "ETHNICITY": _TEXT,
    "ERROR": _ID,
    "STARTTIME": _TIME,
    "ENDTIME": _TIME,
    "STATUSDESCRIPTION": _TEXT,
    "AMOUNT": _NUMBER,
    "RATE": _NUMBER,
    "STARTDATE": _DAY,
    "ENDDATE": _DAY,
    "DRUG": _TEXT,
}
LABEVENTS = ("ROW_ID", "SUBJECT_ID", "HADM_ID", "ITEMID", "CHARTTIME", "VALUE", "VALUENUM", "VALUEUOM")
LABEVENTS_REMARKS = ("FLAG", "COMMENTS")  # read where a table has them


def table_path(folder: str | Path, name: str) -> Path:
    """The file of a table, ``NAME.csv.gz`` or ``NAME.csv``; raises `UserError` if there is none."""
    for ending in (".csv.gz", ".csv"):
        path = Path(folder) / f"{name}{ending}"
        if path.is_file():
            return path
    raise UserError(
        f"source.tables: {folder} has no {name}.csv.gz and no {name}.csv; see docs/mimic3.md for the tables that are"
        " needed"
    )


def table_batches(
    path: Path, columns: Iterable[str], items: Iterable[int] = (), optional: Iterable[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Batches of some columns of a table, of all rows or of those of some items; see `typed_batches`."""
    columns, optional = tuple(columns), tuple(optional)
    of_columns = {name: _COLUMNS[name] for name in (*columns, *optional)}
    return typed_batches(path, of_columns, "MIMIC-III 1.4", optional, "ITEMID", tuple(items))


def read_csv_table(folder: str | Path, name: str, columns: Iterable[str]) -> pa.Table:
    """A whole table of the clinical database, some columns of it."""
    columns = tuple(columns)
    return pa.Table.from_batches(table_batches(table_path(folder, name), columns), _schema(columns))


def item_batches(
    folder: str | Path, name: str, items: Iterable[int], columns: Iterable[str], optional: Iterable[str] = ()
) -> Iterator[pa.RecordBatch]:
    """The rows of some items of a table of events, filtered while they are read."""
    return table_batches(table_path(folder, name), columns, items, optional)


def analyte_rows(folder: str | Path, items: Iterable[int]) -> pa.Table:
    """The rows of LABEVENTS with an item of the analyte; FLAG and COMMENTS are null where the table lacks them."""
    batches = item_batches(folder, "LABEVENTS", items, LABEVENTS, LABEVENTS_REMARKS)
    return pa.Table.from_batches(batches, _schema((*LABEVENTS, *LABEVENTS_REMARKS)))


def _schema(columns: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, _COLUMNS[name].type) for name in columns])


def existing_tables(folder: str | Path, names: Iterable[str]) -> list[str]:
    """Those of some tables that a folder has."""
    return [name for name in names if any((Path(folder) / f"{name}{end}").is_file() for end in (".csv.gz", ".csv"))]


def excluded_by_code(tables: str | Path) -> dict[int, str]:
    """Subjects that are excluded by their ICD-9 codes in any admission, and why; fibrillation goes before pacing."""
    reasons: dict[int, str] = {}
    codes = sorted(excluding_codes(), key=lambda code: code.reason)
    for name in ("DIAGNOSES_ICD", "PROCEDURES_ICD"):
        table = read_csv_table(tables, name, ["SUBJECT_ID", "ICD9_CODE"])
        written = pc.utf8_upper(pc.replace_substring(table["ICD9_CODE"], ".", ""))  # others write 427.31
        for reason in sorted({code.reason for code in codes}):
            prefixes = "|".join(code.prefix for code in codes if (code.table, code.reason) == (name, reason))
            if prefixes:
                coded = pc.fill_null(pc.match_substring_regex(written, f"^({prefixes})"), False)
                for subject in table.filter(coded)["SUBJECT_ID"].unique().to_pylist():
                    reasons[subject] = min(reason, reasons.get(subject, reason))
    return reasons


def admissions(tables: str | Path) -> pa.Table:
    """All admissions without duplicates: SUBJECT_ID, HADM_ID, ADMITTIME and DISCHTIME, sorted by subject and time."""
    columns = ["SUBJECT_ID", "HADM_ID", "ADMITTIME", "DISCHTIME"]
    table = read_csv_table(tables, "ADMISSIONS", columns).group_by(columns).aggregate([])
    return table.sort_by([(name, "ascending") for name in ("SUBJECT_ID", "ADMITTIME", "HADM_ID")])
