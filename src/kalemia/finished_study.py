"""The tables of a finished study, read as Arrow when they are asked for."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core import paths
from kalemia.core.config import Study
from kalemia.core.config_files import read_settings
from kalemia.core.errors import UserError
from kalemia.core.schemas import TABLES
from kalemia.core.tables import read_table

# Each table's name and path. Its name is its kind; of the two tables of predictions, that of the rounds is the one that
# people look for.
_PATHS = {table.kind: table.path for table in TABLES.values()} | {
    "predictions": TABLES["predictions"].other_paths[0],
    "generic_predictions": TABLES["predictions"].path,
}
_KINDS = {"generic_predictions": "predictions"}
_PLACES = {"arm": "[a-z][a-z0-9_]*", "subject": r"p\d+", "k": r"\d+", "control": "[a-z]+"}  # what stands in a path
# The columns that a path stands for: name, type, and the value of what stands in the path.
_COLUMNS: dict[str, tuple[str, pa.DataType, Callable[[str], str | int]]] = {
    "arm": ("arm", pa.string(), str),
    "subject": ("subject_id", pa.int32(), paths.subject_id),
    "k": ("round", pa.int32(), int),
    "control": ("control", pa.string(), str),
}


def read_study(results: str | Path) -> "FinishedStudy":
    """Open the results folder of a finished study; a table is read when it is asked for.

    Raises `UserError` if the folder is not that of a finished study.

        >>> study = kalemia.read_study("results")
        >>> rounds = study.table("rounds")  # of pyarrow; with pandas installed, rounds.to_pandas()
        >>> predictions = study.table("predictions", subject_id=200018)
    """
    results = Path(results)
    return FinishedStudy(results, read_settings(results))


@dataclass(frozen=True)
class FinishedStudy:
    """A results folder, and the study's whole configuration as it was run."""

    results: Path
    settings: Study

    @cached_property
    def table_names(self) -> tuple[str, ...]:
        """The tables that are there; docs/reference/files.md describes them."""
        return tuple(name for name in _PATHS if self._files(name))

    def table(self, name: str, subject_id: int | None = None) -> pa.Table:
        """Read a table with the columns and units of docs/reference/files.md.

        Where each patient, arm or round has a file, all are read, one after another, and the columns `arm`,
        `subject_id` and `round` say which it was. With a `subject_id` only that patient's files and rows are read.
        Raises `UserError` if there is no such table or if a file is damaged.
        """
        if name not in _PATHS:
            near = difflib.get_close_matches(name, _PATHS, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.table_names)}"
            raise UserError(f"{self.results}: there is no table {name!r}; {hint}")
        files = self._files(name, subject_id)
        if not files:
            whose = "" if subject_id is None else f" of subject {subject_id}"
            raise UserError(f"{self.results}: the study made no table {name!r}{whose}")
        tables = [_with_places(read_table(path, _KINDS.get(name, name)), places) for path, places in files]
        table = pa.concat_tables(tables).replace_schema_metadata(None)
        if subject_id is not None and "subject_id" in table.column_names:
            table = table.filter(pc.equal(table["subject_id"], subject_id))
        return table

    def _files(self, name: str, subject_id: int | None = None) -> list[tuple[Path, dict[str, str]]]:
        """The files of a table and what stands in their paths, in the order of arms, patients and rounds."""
        path, arms = _PATHS[name], list(self.settings.arms)
        if subject_id is not None:
            path = path.replace("{subject}", paths.subject_name(subject_id))
        named = re.compile(
            re.sub(r"\\{(\w+)\\}", lambda place: f"(?P<{place[1]}>{_PLACES[place[1]]})", re.escape(path))
        )
        found = []
        for file in self.results.glob(re.sub(r"{\w+}", "*", path)):
            match = named.fullmatch(file.relative_to(self.results).as_posix())
            if match and match.groupdict().get("arm", arms[0]) in arms:  # an arm that was left out later has files, too
                found.append((file, match.groupdict()))
        return sorted(found, key=lambda one: [_order(place, text, arms) for place, text in one[1].items()])


def _order(place: str, text: str, arms: list[str]) -> int | str:
    """The place of an arm in the configuration, the number of a patient or round, or the name of another analyte."""
    if place == "control":
        return text
    return arms.index(text) if place == "arm" else int(text.removeprefix("p"))


def _with_places(table: pa.Table, places: dict[str, str]) -> pa.Table:
    """A table with columns in front for what stands in its path and in no column."""
    for place, (name, kind, value) in reversed(_COLUMNS.items()):
        if place in places and name not in table.column_names:
            table = table.add_column(0, name, pa.array([value(places[place])] * len(table), kind))
    return table
