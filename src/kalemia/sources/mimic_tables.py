"""Tables of the clinical database MIMIC-III, streamed in bounded memory, their columns and subjects checked."""

import csv as pycsv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from isal import igzip, isal_zlib

from kalemia.core.errors import UserError
from kalemia.sources.mimic_codes import excluding_codes

_TYPES = {
    "ROW_ID": pa.int64(),
    "SUBJECT_ID": pa.int32(),
    "HADM_ID": pa.int32(),
    "ITEMID": pa.int32(),
    "CHARTTIME": pa.timestamp("us"),
    "VALUE": pa.string(),
    "VALUENUM": pa.float64(),
    "VALUEUOM": pa.string(),
    "ICD9_CODE": pa.string(),
    "GENDER": pa.string(),
    "DOB": pa.timestamp("us"),
    "ADMITTIME": pa.timestamp("us"),
    "DISCHTIME": pa.timestamp("us"),
    "ETHNICITY": pa.string(),
    "ERROR": pa.int32(),
    "STARTTIME": pa.timestamp("us"),
    "ENDTIME": pa.timestamp("us"),
    "STATUSDESCRIPTION": pa.string(),
    "AMOUNT": pa.float64(),
    "RATE": pa.float64(),
    "STARTDATE": pa.timestamp("us"),
    "ENDDATE": pa.timestamp("us"),
    "DRUG": pa.string(),
}
_SEARCHED_BYTES, _PARSED_BYTES = 1 << 22, 1 << 20
LABEVENTS = ("ROW_ID", "SUBJECT_ID", "HADM_ID", "ITEMID", "CHARTTIME", "VALUE", "VALUENUM", "VALUEUOM")

_MAX_SUBJECT = 999_999  # names of files have six digits
_ARROW_COLUMN = re.compile(r"In CSV column #(\d+): CSV conversion error to (\w+)[^:]*: invalid value '(.*)'")


def table_path(folder: str | Path, name: str) -> Path:
    """The file of a table, ``NAME.csv.gz`` or ``NAME.csv``; raises `UserError` if there is none."""
    for ending in (".csv.gz", ".csv"):
        path = Path(folder) / f"{name}{ending}"
        if path.is_file():
            return path
    raise UserError(f"source.tables: {folder} has no {name}.csv.gz; see docs/mimic3.md for the tables that are needed")


def table_batches(path: Path, columns: Iterable[str], mentioning: Iterable[int] = ()) -> Iterator[pa.RecordBatch]:
    """Batches of some columns of a CSV table, gzipped or not, in bounded memory.

    With `mentioning`, lines without any of these numbers are not parsed; a parsed line may still be of another item.
    Raises `UserError` for a missing column, a value of another type, a subject that is not a whole number of up to six
    digits, and a damaged file.
    """
    columns = list(columns)
    options = csv.ConvertOptions(
        include_columns=columns,
        column_types={name: _TYPES[name] for name in columns},
        timestamp_parsers=["%Y-%m-%d %H:%M:%S"],
        strings_can_be_null=True,
    )
    numbers = "|".join(map(str, mentioning)).encode()
    try:
        with _opened(path) as file:
            head = file.readline()
            for block in _blocks_of_lines(file, re.compile(numbers) if numbers else None):
                # and not a reader over the file, of which a thread may still read when an error ends the interpreter
                for batch in csv.read_csv(pa.BufferReader(head + block), convert_options=options).to_batches():
                    _refuse_subjects(batch, path)
                    yield batch
    except KeyError as error:
        raise UserError(
            f"{path}: {str(error.args[0]).splitlines()[0]}; is it the comma-separated table of MIMIC-III 1.4?"
        ) from None
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: {_in_words(error, path)}") from None
    except (OSError, EOFError, isal_zlib.error) as error:
        raise UserError(f"{path}: {str(error).splitlines()[0]}") from None


def _refuse_subjects(batch: pa.RecordBatch, path: Path) -> None:
    if "SUBJECT_ID" not in batch.schema.names or not len(batch):
        return
    subjects = batch["SUBJECT_ID"]
    bounds = pc.min_max(subjects)
    wrong = [bound for bound in (bounds["min"].as_py(), bounds["max"].as_py()) if not _is_subject(bound)]
    if subjects.null_count or wrong:
        actual = "empty" if subjects.null_count else wrong[0]
        raise UserError(f"{path}: a SUBJECT_ID is {actual}; it must be a whole number of up to six digits")


def _is_subject(number: int | None) -> bool:
    return number is not None and 0 <= number <= _MAX_SUBJECT


def _in_words(error: pa.ArrowInvalid, path: Path) -> str:
    """The error of pyarrow, with the name of the column instead of its number."""
    first = str(error).splitlines()[0]
    match = _ARROW_COLUMN.search(first)
    if not match:
        return first
    with _opened(path) as file:
        name = next(pycsv.reader([file.readline().decode("utf-8", "replace")]))[int(match[1])]
    what = "a whole number of up to six digits" if name == "SUBJECT_ID" else f"of type {match[2]}"
    return f"{name} {match[3]!r} is not {what}"


def _opened(path: Path) -> BinaryIO:
    return igzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _blocks_of_lines(file: BinaryIO, wanted: re.Pattern[bytes] | None) -> Iterator[bytes]:
    """Lines of a file, in blocks: all, or those that match `wanted` and the last, so that the end is checked.

    Parsing 28 million lines takes longer than decompressing them, and only a few percent are needed; searching them
    is faster.
    """
    matching = rest = b""
    while read := file.read(_SEARCHED_BYTES):
        block = rest + read
        end = block.rfind(b"\n", 0, -1) + 1  # the last line is kept back: it may be the last of the file
        rest = block[end:]
        matching += b"".join(_lines_mentioning(block[:end], wanted)) if wanted else block[:end]
        if len(matching) >= _PARSED_BYTES:
            yield matching
            matching = b""
    yield matching + rest


def _lines_mentioning(block: bytes, wanted: re.Pattern[bytes]) -> Iterator[bytes]:
    """The lines of `block` that match `wanted`; `block` ends with a whole line."""
    stop = 0
    for match in wanted.finditer(block):
        if match.start() >= stop:
            start, stop = block.rfind(b"\n", 0, match.start()) + 1, block.index(b"\n", match.start()) + 1
            yield block[start:stop]


def read_csv_table(folder: str | Path, name: str, columns: Iterable[str]) -> pa.Table:
    """A whole table of the clinical database, some columns of it."""
    columns = list(columns)
    batches = list(table_batches(table_path(folder, name), columns))
    return pa.Table.from_batches(batches, pa.schema([(column, _TYPES[column]) for column in columns]))


def item_batches(
    folder: str | Path, name: str, items: Iterable[int], columns: Iterable[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of some items of a table of events, filtered while they are read."""
    wanted = pa.array(items, pa.int32())
    for batch in table_batches(table_path(folder, name), columns, mentioning=items):
        kept = batch.filter(pc.is_in(batch["ITEMID"], wanted))
        if len(kept):
            yield kept


def item_rows(folder: str | Path, name: str, items: Iterable[int], columns: Iterable[str]) -> pa.Table:
    """As `item_batches`, in one table."""
    columns = list(columns)
    schema = pa.schema([(column, _TYPES[column]) for column in columns])
    return pa.Table.from_batches(item_batches(folder, name, items, columns), schema)


def analyte_rows(folder: str | Path, items: Iterable[int]) -> pa.Table:
    """The rows of LABEVENTS with an item of the analyte."""
    return item_rows(folder, "LABEVENTS", items, LABEVENTS)


def existing_tables(folder: str | Path, names: Iterable[str]) -> list[str]:
    """Those of some tables that a folder has."""
    return [name for name in names if any((Path(folder) / f"{name}{end}").is_file() for end in (".csv.gz", ".csv"))]


def excluded_by_code(tables: str | Path) -> dict[int, str]:
    """Subjects that are excluded by their ICD-9 codes in any admission, and why; fibrillation goes before pacing."""
    reasons: dict[int, str] = {}
    codes = sorted(excluding_codes(), key=lambda code: code.reason)
    for name in ("DIAGNOSES_ICD", "PROCEDURES_ICD"):
        table = read_csv_table(tables, name, ["SUBJECT_ID", "ICD9_CODE"])
        for reason in sorted({code.reason for code in codes}):
            prefixes = "|".join(code.prefix for code in codes if (code.table, code.reason) == (name, reason))
            if prefixes:
                coded = pc.fill_null(pc.match_substring_regex(table["ICD9_CODE"], f"^({prefixes})"), False)
                for subject in table.filter(coded)["SUBJECT_ID"].unique().to_pylist():
                    reasons[subject] = min(reason, reasons.get(subject, reason))
    return reasons


def admissions(tables: str | Path) -> pa.Table:
    """All admissions without duplicates: SUBJECT_ID, HADM_ID, ADMITTIME and DISCHTIME, sorted by subject and time."""
    columns = ["SUBJECT_ID", "HADM_ID", "ADMITTIME", "DISCHTIME"]
    table = read_csv_table(tables, "ADMISSIONS", columns).group_by(columns).aggregate([])
    return table.sort_by([(name, "ascending") for name in ("SUBJECT_ID", "ADMITTIME", "HADM_ID")])
