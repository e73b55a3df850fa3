"""Collect the beats of all generic patients in one file, so that training need not read thousands of files."""

from collections.abc import Iterable
from pathlib import Path

from kalemia.core.tables import read_table, write_row_groups


def write_generic_beats(shard_paths: Iterable[str | Path], digest: str, path: str | Path) -> None:
    """Write the shards as one table of kind "beats", one row group per subject, sorted by the shards' names.

    Raises `UserError` as `tables.read_table`.
    """
    shards = (read_table(shard, "beats") for shard in sorted(map(str, shard_paths)))
    write_row_groups(path, "beats", shards, digest)
