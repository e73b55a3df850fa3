"""Tables of the clinical database, streamed with their columns checked, and the labeled draws of an analyte."""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from isal import igzip, isal_zlib

from kalemia.config import Analyte
from kalemia.errors import UserError

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
}
_SEARCHED_BYTES = 1 << 22
LABEVENTS = ("ROW_ID", "SUBJECT_ID", "HADM_ID", "ITEMID", "CHARTTIME", "VALUE", "VALUENUM")

# ICD-9-CM as MIMIC writes it, without the point. Diagnoses: 427.3x atrial fibrillation and flutter, V45.01 pacemaker
# and V53.31 its fitting. Procedures: 37.7x leads and 37.8x pacemakers, 00.50 and 00.53 resynchronization.
_FIBRILLATION = ("42731", "42732")
_PACING_DIAGNOSES = ("V4501", "V5331")
_PACING_PROCEDURES = ("377", "378", "0050", "0053")


def table_path(folder: str | Path, name: str) -> Path:
    """The file of a table, ``NAME.csv.gz`` or ``NAME.csv``; raises `UserError` where there is none."""
    for ending in (".csv.gz", ".csv"):
        path = Path(folder) / f"{name}{ending}"
        if path.is_file():
            return path
    raise UserError(
        f"source.tables: {folder} holds no {name}.csv.gz; see docs/mimic3.md for the tables that are needed"
    )


def table_batches(path: Path, columns: Iterable[str], mentioning: Iterable[int] = ()) -> Iterator[pa.RecordBatch]:
    """Batches of some columns of a CSV table, gzipped or not, in bounded memory.

    With `mentioning`, lines in which none of these numbers occurs are not parsed; a line that is parsed may still be
    of another item. Raises `UserError` for a missing column, a value of another type and a damaged file.
    """
    columns = list(columns)
    options = csv.ConvertOptions(
        include_columns=columns,
        column_types={name: _TYPES[name] for name in columns},
        timestamp_parsers=["%Y-%m-%d %H:%M:%S"],
        strings_can_be_null=True,
    )
    try:
        with igzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            numbers = "|".join(map(str, mentioning)).encode()
            lines = _LinesMentioning(file, re.compile(numbers)) if numbers else file
            block = csv.ReadOptions(block_size=1 << 20)
            with csv.open_csv(pa.PythonFile(lines, "r"), convert_options=options, read_options=block) as reader:
                yield from reader
    except KeyError as error:
        raise UserError(
            f"{path}: {str(error.args[0]).splitlines()[0]}; is it the comma-separated table of MIMIC-III 1.4?"
        ) from None
    except (pa.ArrowInvalid, OSError, EOFError, isal_zlib.error) as error:
        raise UserError(f"{path}: {str(error).splitlines()[0]}") from None


class _LinesMentioning(io.RawIOBase):
    """The first line of a file, those in which a pattern is found, and the last, so that its end is checked.

    Parsing 28 million lines for the few in a hundred that are wanted takes longer than decompressing them; searching
    them does not.
    """

    def __init__(self, file: BinaryIO, wanted: re.Pattern[bytes]):
        self._blocks, self._ready = _blocks_of_lines(file, wanted), b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end of the file."""
        while not self._ready:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._ready = block
        size = len(self._ready) if size < 0 else size
        given, self._ready = self._ready[:size], self._ready[size:]
        return given


def _blocks_of_lines(file: BinaryIO, wanted: re.Pattern[bytes]) -> Iterator[bytes]:
    yield file.readline()
    rest = b""
    while read := file.read(_SEARCHED_BYTES):
        block = rest + read
        end = block.rfind(b"\n", 0, -1) + 1  # the last line is kept back: it may be the file's
        yield b"".join(_lines_mentioning(block[:end], wanted))
        rest = block[end:]
    yield rest


def _lines_mentioning(block: bytes, wanted: re.Pattern[bytes]) -> Iterator[bytes]:
    """The lines of `block`, which ends with one, in which `wanted` is found."""
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


def analyte_rows(folder: str | Path, items: Iterable[int]) -> pa.Table:
    """The rows of LABEVENTS whose item counts as the analyte, filtered while they are read."""
    wanted = pa.array(items, pa.int32())
    batches = table_batches(table_path(folder, "LABEVENTS"), LABEVENTS, mentioning=items)
    kept = [batch.filter(pc.is_in(batch["ITEMID"], wanted)) for batch in batches]
    schema = pa.schema([(column, _TYPES[column]) for column in LABEVENTS])
    return pa.Table.from_batches([batch for batch in kept if len(batch)], schema)


def coded_reasons(tables: str | Path) -> dict[int, str]:
    """Why subjects are left out by their ICD-9 codes, of any admission."""
    diagnoses = read_csv_table(tables, "DIAGNOSES_ICD", ["SUBJECT_ID", "ICD9_CODE"])
    procedures = read_csv_table(tables, "PROCEDURES_ICD", ["SUBJECT_ID", "ICD9_CODE"])

    def subjects(table: pa.Table, prefixes: tuple[str, ...]) -> list[int]:
        coded = pc.match_substring_regex(table["ICD9_CODE"], f"^({'|'.join(prefixes)})")
        return table.filter(pc.fill_null(coded, False))["SUBJECT_ID"].to_pylist()

    paced = subjects(diagnoses, _PACING_DIAGNOSES) + subjects(procedures, _PACING_PROCEDURES)
    reasons = dict.fromkeys(paced, "pacing coded")
    return reasons | dict.fromkeys(subjects(diagnoses, _FIBRILLATION), "atrial fibrillation coded")


def labels(values: np.ndarray, analyte: Analyte) -> np.ndarray:
    """Of float64 values in the analyte's unit: 1 positive, 0 negative, -1 neither (or NaN); int8."""
    labels = np.full(len(values), -1, np.int8)
    labels[analyte.negative.contains(values)] = 0
    labels[analyte.positive.contains(values)] = 1
    return labels


def draws_from_rows(rows: pa.Table, analyte: Analyte) -> pa.Table:
    """Every draw of the analyte, in the order of subject, time and row: with its label, and a reason if unusable.

    Columns: draw_id, subject_id, hadm_id, item_id, draw_time, potassium (float64), label (null: neither), reason.
    A second row of the same subject, time and item is a duplicate.
    """
    rows = rows.sort_by([(name, "ascending") for name in ("SUBJECT_ID", "CHARTTIME", "ITEMID", "ROW_ID")])
    values = rows["VALUENUM"].to_numpy()
    reason = np.full(len(rows), None, object)
    if len(rows):
        keys = [rows[name].to_numpy() for name in ("SUBJECT_ID", "CHARTTIME", "ITEMID")]
        repeats = np.all([key[1:] == key[:-1] for key in keys], axis=0)
        reason[1:][repeats] = "duplicate"
        reason[~analyte.plausible.contains(values)] = "implausible value"
        reason[pc.fill_null(pc.match_substring_regex(rows["VALUE"], "[<>]"), False).to_numpy()] = "comparator"
        reason[np.isnan(values)] = "no value"
    reason = pa.array(reason.tolist(), pa.string())
    label = labels(values, analyte)
    has_none = (label < 0) | reason.is_valid().to_numpy(zero_copy_only=False)
    return pa.table(
        {
            "draw_id": rows["ROW_ID"],
            "subject_id": rows["SUBJECT_ID"],
            "hadm_id": rows["HADM_ID"],
            "item_id": rows["ITEMID"],
            "draw_time": rows["CHARTTIME"],
            "potassium": pa.array(values, mask=np.isnan(values)),
            "label": pa.array(label, mask=has_none),
            "reason": reason,
        }
    )
