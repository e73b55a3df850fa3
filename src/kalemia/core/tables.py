"""Tables and other files on disk: written whole or not at all, and checked when they are read."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kalemia.core.errors import UserError
from kalemia.core.schemas import SCHEMAS, TABLES, VERSION

_NOT_THERE = "is not there; the study is not finished: run snakemake"
_MAX_ROWS_PER_GROUP = 32_768  # of a row group, so that one subject's rows are found without reading everybody's


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A path part `path` to write to, renamed onto it at the end; on an error nothing is left."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A folder part `path` to fill, renamed to `path` at the end; on an error nothing is left.

    After a kill the part folder stays, and the next writer of the same `path` removes it.
    """
    path = Path(path)
    for left_over in path.parent.glob(f".{path.name}.*.part"):
        shutil.rmtree(left_over)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    part.mkdir(parents=True)
    try:
        yield part
        os.rename(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


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
    with atomic_file(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.select(schema.names).cast(schema), row_group_size=max(1, len(table)))


def read_table(path: str | Path, kind: str, columns: list[str] | None = None, digest: str | None = None) -> pa.Table:
    """Read a table written by `write_table`.

    Raises `UserError` if the file is not such a table, has another version, or does not have the `digest` that is
    given.
    """
    with _open_table(path, kind, digest) as file:
        return file.read(columns=columns)


def read_row_groups(path: str | Path, kind: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a table, one after another; raises `UserError` as `read_table`."""
    with _open_table(path, kind) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)


def read_subject_rows(path: str | Path, kind: str, subject_id: int) -> pa.Table:
    """The rows of one subject out of a table sorted by subject; only row groups that can hold some are read.

    Raises `UserError` as `read_table`.
    """
    with _open_table(path, kind) as file:
        column = file.schema_arrow.names.index("subject_id")
        groups = [
            i
            for i in range(file.num_row_groups)
            if (found := file.metadata.row_group(i).column(column).statistics) and found.min <= subject_id <= found.max
        ]
        table = file.read_row_groups(groups)
    return table.filter(pa.array(table["subject_id"].to_numpy() == subject_id))


def _open_table(path: str | Path, kind: str, digest: str | None = None) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise UserError(f"{path}: {_NOT_THERE}") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({_first_line(error)}); delete it and run again") from None
    metadata = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
    found = metadata.get("kalemia.table"), metadata.get("kalemia.version")
    if found != (kind, str(VERSION)):
        raise UserError(
            f"{path}: holds table {found[0]!r} version {found[1]}, not {kind!r} version {VERSION};"
            " delete it and run again"
        )
    if digest is not None and metadata.get("kalemia.digest") != digest:
        raise UserError(f"{path}: was made with another configuration; run snakemake again so that it is remade")
    return file


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
    """Write `value` as readable JSON, whole or not at all; NaN becomes null."""
    write_text(path, json.dumps(_finite(value), indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> dict:
    """Read a JSON file; raises `UserError` where it cannot be read."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: {_NOT_THERE}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({_first_line(error)}); delete it and run again") from None


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
