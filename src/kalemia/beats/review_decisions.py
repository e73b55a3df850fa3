"""Read the decisions of a person who reviewed excerpts; they override the automatic verdict."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from kalemia.core.errors import UserError

_COLUMNS = ("subject_id", "draw_id", "decision", "reviewer", "note")
_DECISIONS = ("accept", "reject")


@dataclass(frozen=True)
class ReviewDecision:
    """A reviewer's decision on the excerpt of one draw: "accept" or "reject", the reviewer, and a note."""

    decision: str
    reviewer: str
    note: str


def read_review_decisions(path: str | Path | None) -> dict[int, dict[int, ReviewDecision]]:
    """Read subject -> draw -> decision from a CSV of subject_id, draw_id, decision, reviewer and note.

    Without a path there are no decisions. Raises `UserError` if the file is missing or lacks a column, or if a line has
    a decision other than accept and reject, has no reviewer, or repeats a draw.
    """
    if path is None:
        return {}
    decisions: dict[int, dict[int, ReviewDecision]] = {}
    for line, row in enumerate(_read_rows(path), start=2):
        if row["subject_id"] is None or row["draw_id"] is None:
            raise UserError(f"{path}: line {line}: has no subject_id or no draw_id")
        if row["decision"] not in _DECISIONS:
            raise UserError(f"{path}: line {line}: decision {row['decision']!r} is neither accept nor reject")
        if not row["reviewer"]:
            raise UserError(f"{path}: line {line}: has no reviewer; every decision needs one")
        subject_decisions = decisions.setdefault(row["subject_id"], {})
        if row["draw_id"] in subject_decisions:
            raise UserError(f"{path}: line {line}: draw {row['draw_id']} has a second decision; keep one line")
        subject_decisions[row["draw_id"]] = ReviewDecision(row["decision"], row["reviewer"], row["note"] or "")
    return decisions


def _read_rows(path: str | Path) -> list[dict]:
    types = {name: pa.int64() if name.endswith("_id") else pa.string() for name in _COLUMNS}
    try:
        return csv.read_csv(
            path, convert_options=csv.ConvertOptions(column_types=types, include_columns=_COLUMNS)
        ).to_pylist()
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: cannot be read as decisions ({first}); it needs the columns {', '.join(_COLUMNS)}"
        ) from None
