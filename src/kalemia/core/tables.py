"""Tables, text and JSON on disk: written whole or not at all, and every bit checked when they are read.

Pages of a table have checksums of their own, so that a part of it can be read; its footer has a seal (`files.seals`).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kalemia.core.errors import UserError, as_user_error
from kalemia.core.files.atomic import atomic_file
from kalemia.core.files.seals import BLANK_SEAL, has_whole_seal, seal_file
from kalemia.core.schemas import SCHEMAS, TABLES, VERSION

_SEAL = "kalemia.checksum"
_DAMAGED = "is damaged, or of an older version of Kalemia; delete it and run again"
_NOT_THERE = "does not exist; the study is not finished: run snakemake"
_MAX_ROWS_PER_GROUP = 32_768  # of a row group, so that one subject's rows are found without reading everybody's


def write_table(path: str | Path, kind: str, table: pa.Table, digest: str = "", group_by: str | None = None) -> None:
    """Write a table of one of `SCHEMAS` as Parquet (zstd), with its kind, version and digest as metadata.

    `group_by` names a column by which the table is sorted; each of its values becomes a row group.
    """
    groups = _equal_runs(table[group_by]) if group_by and len(table) else _row_ranges(len(table))
    write_row_groups(path, kind, (table.slice(start, stop - start) for start, stop in groups), digest)


def write_row_groups(path: str | Path, kind: str, tables: Iterable[pa.Table], digest: str = "") -> None:
    """As `write_table`, one table after another, each a row group; no more than one is held in memory."""
    metadata = {"kalemia.table": kind, "kalemia.version": str(VERSION), "kalemia.digest": digest}
    schema = SCHEMAS[kind].with_metadata(metadata)
    with atomic_file(path) as part:
        with pq.ParquetWriter(part, schema, compression="zstd", write_page_checksum=True) as writer:
            for table in tables:
                writer.write_table(table.select(schema.names).cast(schema), row_group_size=max(1, len(table)))
            writer.add_key_value_metadata({_SEAL: BLANK_SEAL})
        seal_file(part, _start_of_footer(part))


def read_table(path: str | Path, kind: str, columns: list[str] | None = None, digest: str | None = None) -> pa.Table:
    """Read a table written by `write_table`.

    Raises `UserError` if the file is damaged, is not such a table, has another version or other columns, or does not
    have the `digest` that is given.
    """
    with _reading(path), _open_table(path, kind, digest) as file:
        return file.read(columns=columns)


def read_row_groups(path: str | Path, kind: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a table, one after another; raises `UserError` as `read_table`."""
    with _reading(path), _open_table(path, kind) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)


def read_subject_rows(path: str | Path, kind: str, subject_id: int) -> pa.Table:
    """The rows of one subject out of a table sorted by subject; only row groups that can hold some are read.

    Raises `UserError` as `read_table`.
    """
    with _reading(path), _open_table(path, kind) as file:
        column = file.schema_arrow.names.index("subject_id")
        groups = [
            i
            for i in range(file.num_row_groups)
            if (found := file.metadata.row_group(i).column(column).statistics) and found.min <= subject_id <= found.max
        ]
        table = file.read_row_groups(groups)
    return table.filter(pa.array(table["subject_id"].to_numpy() == subject_id))


def table_digest(path: str | Path) -> str | None:
    """The digest in a table's metadata, None if it has none; raises `UserError` if the file cannot be read."""
    with _reading(path), _open_parquet(path) as file:
        return _metadata(file).get("kalemia.digest")


def _open_table(path: str | Path, kind: str, digest: str | None = None) -> pq.ParquetFile:
    file = _open_parquet(path)
    metadata, schema = _metadata(file), file.schema_arrow
    found = metadata.get("kalemia.table"), metadata.get("kalemia.version")
    if found != (kind, str(VERSION)):
        raise UserError(
            f"{path}: holds table {found[0]!r} version {found[1]}, not {kind!r} version {VERSION};"
            " delete it and run again"
        )
    if not schema.equals(SCHEMAS[kind]):
        raise UserError(f"{path}: {_difference(schema, SCHEMAS[kind])}; delete it and run again")
    if digest is not None and metadata.get("kalemia.digest") != digest:
        raise UserError(f"{path}: was made with another configuration; delete it and run again")
    return file


def _open_parquet(path: str | Path) -> pq.ParquetFile:
    """Open a Parquet file whose footer is as it was written; a library that reads a damaged one may end the process."""
    with _reading(path):
        start = _start_of_footer(path)
        if start is None:
            raise UserError(
                f"{path}: cannot be read as Parquet (it is cut off, or no such file); delete it and run again"
            )
        if not has_whole_seal(path, start):
            raise UserError(f"{path}: is damaged, or of an older version of Kalemia; delete it and run again")
        return pq.ParquetFile(path, page_checksum_verification=True)


def _start_of_footer(path: str | Path) -> int | None:
    """The byte at which the footer of a Parquet file begins; None if the file does not end as one."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        length, magic = file.read(4), file.read(4)
    start = size - 8 - int.from_bytes(length, "little")
    return start if magic == b"PAR1" and start >= len(magic) else None


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    """Raise what goes wrong in reading a table as a `UserError` that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: {_NOT_THERE}") from None
    except (OSError, pa.ArrowException) as error:
        raise as_user_error(error) or UserError(
            f"{path}: is damaged ({_first_line(error)}); delete it and run again"
        ) from None


def _metadata(file: pq.ParquetFile) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}


def _difference(found: pa.Schema, declared: pa.Schema) -> str:
    """Which columns are not as they are declared."""
    both = [name for name in declared.names if name in found.names]
    said = [f"has no column {name!r}" for name in declared.names if name not in both]
    said += [f"has an unknown column {name!r}" for name in found.names if name not in both]
    said += [
        f"column {name!r} is {found.field(name).type}, not {declared.field(name).type}"
        for name in both
        if not found.field(name).equals(declared.field(name))
    ]
    return ", ".join(said) or f"its columns are {', '.join(found.names)}, not {', '.join(declared.names)}"


def empty_table(kind: str) -> pa.Table:
    """A table of `kind` without rows."""
    return SCHEMAS[kind].empty_table()


def table_from_rows(kind: str, rows: list[dict]) -> pa.Table:
    """A table of `kind` from one dict a row; a key that the schema lacks is an error."""
    unknown = {key for row in rows for key in row} - set(SCHEMAS[kind].names)
    if unknown:
        raise KeyError(f"table {kind!r} has no column {sorted(unknown)}")
    return pa.Table.from_pylist(rows, schema=SCHEMAS[kind])


def write_evaluation_table(folder: str | Path, kind: str, rows: list[dict] | pa.Table, digest: str) -> None:
    """Write rows as the table of `kind` into the folder of the evaluation, under the name that the table declares."""
    table = rows if isinstance(rows, pa.Table) else table_from_rows(kind, rows)
    write_table(Path(folder) / f"{TABLES[kind].name}.parquet", kind, table, digest)


def nan_to_none(row: dict) -> dict:
    """A row in which null, as tables have it, stands for every NaN."""
    return {name: None if isinstance(item, float) and item != item else item for name, item in row.items()}


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_file(path) as part:
        part.write_text(text, "utf-8")


def write_json(path: str | Path, value: dict) -> None:
    """Write `value` as readable JSON with a seal, whole or not at all; NaN becomes null."""
    text = json.dumps(_finite(value) | {_SEAL: BLANK_SEAL}, indent=1, sort_keys=True, allow_nan=False)
    with atomic_file(path) as part:
        part.write_text(text + "\n", "utf-8")
        seal_file(part)


def read_json(path: str | Path) -> dict:
    """Read a JSON file that `write_json` wrote; raises `UserError` where it cannot be read or is damaged."""
    try:
        value = json.loads(Path(path).read_text("utf-8"))
        is_whole = has_whole_seal(path)
    except FileNotFoundError:
        raise UserError(f"{path}: {_NOT_THERE}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise as_user_error(error) or UserError(
            f"{path}: cannot be read as JSON ({_first_line(error)}); delete it and run again"
        ) from None
    if not is_whole:
        raise UserError(f"{path}: {_DAMAGED}")
    return {name: item for name, item in value.items() if name != _SEAL}


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as lineage names a parent."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value


def _row_ranges(n_rows: int) -> list[tuple[int, int]]:
    """Half-open ranges of `_MAX_ROWS_PER_GROUP` or fewer rows; one of a table without any."""
    return [
        (start, min(start + _MAX_ROWS_PER_GROUP, n_rows)) for start in range(0, max(1, n_rows), _MAX_ROWS_PER_GROUP)
    ]


def _equal_runs(column: pa.ChunkedArray) -> list[tuple[int, int]]:
    """Half-open ranges of equal neighbours."""
    values = column.to_numpy()
    starts = [0, *(i + 1 for i in (values[1:] != values[:-1]).nonzero()[0])]
    return list(zip(starts, [*starts[1:], len(values)], strict=True))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
