"""Tables of MIMIC-III or IV by the names of the former, streamed in bounded memory, columns and subjects checked."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.errors import UserError
from kalemia.sources.csv_tables.records import open_csv
from kalemia.sources.csv_tables.spellings import MAX_SUBJECT
from kalemia.sources.csv_tables.typed_batches import Column, typed_batches
from kalemia.sources.mimic_codes import MIMIC4_PATHS, excluding_codes
from kalemia.sources.people import People

_ID, _NUMBER, _TEXT = Column(pa.int32()), Column(pa.float64()), Column(pa.string())
_TIME, _DAY = Column(pa.timestamp("us"), has_clock=True), Column(pa.timestamp("us"))
_COLUMNS = {
    "ROW_ID": Column(pa.int64(), never_empty=True, alias="LABEVENT_ID"),
    "SUBJECT_ID": Column(pa.int32(), never_empty=True, largest=MAX_SUBJECT),
    "HADM_ID": _ID,
    "ITEMID": _ID,
    "CHARTTIME": _TIME,
    "STORETIME": _TIME,
    "VALUE": _TEXT,
    "VALUENUM": _NUMBER,
    "VALUEUOM": _TEXT,
    "FLAG": _TEXT,
    "COMMENTS": _TEXT,
    "ICD9_CODE": Column(pa.string(), alias="ICD_CODE"),
    "ICD_VERSION": _ID,
    "GENDER": _TEXT,
    "DOB": _DAY,
    "ANCHOR_AGE": _ID,
    "ANCHOR_YEAR": _ID,
    "ADMITTIME": _TIME,
    "DISCHTIME": _TIME,
    "ETHNICITY": Column(pa.string(), alias="RACE"),
    "ERROR": _ID,
    "STARTTIME": _TIME,
    "ENDTIME": _TIME,
    "STATUSDESCRIPTION": _TEXT,
    "AMOUNT": _NUMBER,
    "RATE": _NUMBER,
    "STARTDATE": Column(pa.timestamp("us"), alias="STARTTIME"),
    "ENDDATE": Column(pa.timestamp("us"), alias="STOPTIME"),
    "DRUG": _TEXT,
}
LABEVENTS = ("ROW_ID", "SUBJECT_ID", "HADM_ID", "ITEMID", "CHARTTIME", "VALUE", "VALUENUM", "VALUEUOM")
LABEVENTS_REMARKS = ("FLAG", "COMMENTS", "STORETIME")  # read where a table has them


def table_path(folder: str | Path, name: str) -> Path:
    """The file of a table, ``NAME.csv.gz`` or ``NAME.csv``, or as MIMIC-IV names it; raises `UserError` without one."""
    path = _find_table(folder, name)
    if path is None:
        names = " and no ".join(f"{stem}.csv.gz" for stem in _stems(name))
        raise UserError(
            f"source.tables: {folder} has no {names}, gzipped or not; see docs/mimic3.md for the tables that are needed"
        )
    return path


def _stems(name: str) -> list[str]:
    return [name, *([MIMIC4_PATHS[name]] if name in MIMIC4_PATHS else [])]


def _find_table(folder: str | Path, name: str) -> Path | None:
    paths = (Path(folder) / f"{stem}{ending}" for stem in _stems(name) for ending in (".csv.gz", ".csv"))
    return next((path for path in paths if path.is_file()), None)


def table_batches(
    path: Path, columns: Iterable[str], items: Iterable[int] = (), optional: Iterable[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Batches of some columns of a table, of all rows or of those of some items; see `typed_batches`."""
    columns, optional = tuple(columns), tuple(optional)
    of_columns = {name: _COLUMNS[name] for name in (*columns, *optional)}
    return typed_batches(path, of_columns, "MIMIC-III 1.4", optional, "ITEMID", tuple(items))


def read_csv_table(folder: str | Path, name: str, columns: Iterable[str], optional: Iterable[str] = ()) -> pa.Table:
    """A whole table of the clinical database, some columns of it; optional ones are null where it lacks them."""
    columns, optional = tuple(columns), tuple(optional)
    batches = table_batches(table_path(folder, name), columns, optional=optional)
    return pa.Table.from_batches(batches, _schema((*columns, *optional)))


def item_batches(
    folder: str | Path, name: str, items: Iterable[int], columns: Iterable[str], optional: Iterable[str] = ()
) -> Iterator[pa.RecordBatch]:
    """The rows of some items of a table of events, filtered while they are read."""
    return table_batches(table_path(folder, name), columns, items, optional)


def analyte_rows(folder: str | Path, items: Iterable[int]) -> pa.Table:
    """The rows of LABEVENTS with an item of the analyte; `LABEVENTS_REMARKS` are null where the table lacks them."""
    batches = item_batches(folder, "LABEVENTS", items, LABEVENTS, LABEVENTS_REMARKS)
    return pa.Table.from_batches(batches, _schema((*LABEVENTS, *LABEVENTS_REMARKS)))


def _schema(columns: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, _COLUMNS[name].type) for name in columns])


def existing_tables(folder: str | Path, names: Iterable[str]) -> list[str]:
    """Those of some tables that a folder has."""
    return [name for name in names if _find_table(folder, name)]


def births(tables: str | Path) -> pa.Table:
    """SUBJECT_ID, GENDER and DOB of everybody.

    MIMIC-IV gives the age in a year and no birth: DOB is then the middle of the year of birth, so that an age is wrong
    by at most half a year. Its oldest people are 91 in that year.
    """
    with open_csv(table_path(tables, "PATIENTS")) as table:
        has_anchor = table.place("ANCHOR_AGE") is not None
    if not has_anchor:
        return read_csv_table(tables, "PATIENTS", ("SUBJECT_ID", "GENDER", "DOB"))
    people = read_csv_table(tables, "PATIENTS", ("SUBJECT_ID", "GENDER", "ANCHOR_AGE", "ANCHOR_YEAR"))
    years = pc.subtract(people["ANCHOR_YEAR"], people["ANCHOR_AGE"]).to_pylist()
    middles = [year and datetime(year, 7, 1) for year in years]
    return people.select(["SUBJECT_ID", "GENDER"]).append_column("DOB", pa.array(middles, pa.timestamp("us")))


def read_people(tables: str | Path) -> People:
    """Births, genders and ethnicities of everybody."""
    rows = births(tables).to_pylist()
    stays = read_csv_table(tables, "ADMISSIONS", ["SUBJECT_ID", "HADM_ID", "ETHNICITY"]).to_pylist()
    return People(
        {row["SUBJECT_ID"]: row["DOB"] for row in rows},
        {row["SUBJECT_ID"]: row["GENDER"] for row in rows},
        frozenset((row["SUBJECT_ID"], row["HADM_ID"], row["ETHNICITY"]) for row in stays),
    )


def excluded_by_code(tables: str | Path) -> dict[int, str]:
    """Subjects that are excluded by their ICD codes in any admission, and why; fibrillation goes before pacing.

    Without a column ICD_VERSION, as in MIMIC-III, all codes are of ICD-9.
    """
    reasons: dict[int, str] = {}
    prefixes: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for code in excluding_codes():
        prefixes[code.table, code.version, code.reason].append(code.prefix)
    for name in ("DIAGNOSES_ICD", "PROCEDURES_ICD"):
        table = read_csv_table(tables, name, ["SUBJECT_ID", "ICD9_CODE"], ["ICD_VERSION"])
        written = pc.utf8_upper(pc.replace_substring(table["ICD9_CODE"], ".", ""))  # others write 427.31
        version_of_row = pc.fill_null(table["ICD_VERSION"], 9)
        for (of_table, version, reason), starts in prefixes.items():
            if of_table != name:
                continue
            coded = pc.fill_null(pc.match_substring_regex(written, f"^({'|'.join(starts)})"), False)
            coded = pc.and_(coded, pc.equal(version_of_row, version))
            for subject in table.filter(coded)["SUBJECT_ID"].unique().to_pylist():
                reasons[subject] = min(reason, reasons.get(subject, reason))
    return reasons


def admissions(tables: str | Path) -> pa.Table:
    """All admissions without duplicates: SUBJECT_ID, HADM_ID, ADMITTIME and DISCHTIME, sorted by subject and time."""
    columns = ["SUBJECT_ID", "HADM_ID", "ADMITTIME", "DISCHTIME"]
    table = read_csv_table(tables, "ADMISSIONS", columns).group_by(columns).aggregate([])
    return table.sort_by([(name, "ascending") for name in ("SUBJECT_ID", "ADMITTIME", "HADM_ID")])
