"""The review of excerpts by a person: decisions that stand above the automatic verdict."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from kalemia.core.errors import UserError

_COLUMNS = ("subject_id", "draw_id", "decision", "reviewer", "note")
_DECISIONS = ("accept", "reject")


@dataclass(frozen=True)
class ReviewDecision:
    """What a reviewer said of one draw's excerpt: accept or reject, who said it, and why."""

    decision: str
    reviewer: str
    note: str


def read_review_decisions(path: str | Path | None) -> dict[int, dict[int, ReviewDecision]]:
    """Subject -> draw -> decision, from a CSV of subject_id, draw_id, decision, reviewer and note.

    No path, no decisions. Raises `UserError` where the file is missing, lacks a column, decides neither accept nor
    reject, names no reviewer, or decides on a draw twice.
    """
    if path is None:
        return {}
    decisions: dict[int, dict[int, ReviewDecision]] = {}
    for line, row in enumerate(_read_rows(path), start=2):
        if row["subject_id"] is None or row["draw_id"] is None:
            raise UserError(f"{path}: line {line}: names no subject_id or no draw_id")
        if row["decision"] not in _DECISIONS:
            raise UserError(f"{path}: line {line}: decision {row['decision']!r} is neither accept nor reject")
        if not row["reviewer"]:
            raise UserError(f"{path}: line {line}: names no reviewer; every decision must have one")
        of_subject = decisions.setdefault(row["subject_id"], {})
        if row["draw_id"] in of_subject:
            raise UserError(f"{path}: line {line}: decides on draw {row['draw_id']} for the second time; keep one line")
        of_subject[row["draw_id"]] = ReviewDecision(row["decision"], row["reviewer"], row["note"] or "")
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
