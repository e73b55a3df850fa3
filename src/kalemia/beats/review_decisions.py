"""Read the decisions of a person who reviewed excerpts; they override the automatic verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from kalemia.core.errors import UserError

MIN_MARKS = 5  # fewer beats say little about a draw; ten seconds at 30 a minute have as many
_COLUMNS = ("subject_id", "draw_id", "decision", "reviewer", "note")
_MARKS = "marks_s"  # a column that may be missing
_DECISIONS = ("accept", "reject")


@dataclass(frozen=True)
class ReviewDecision:
    """A reviewer's decision on the excerpt of one draw: "accept" or "reject", the reviewer, and a note.

    marks_s: seconds since the start of the excerpt at which the reviewer marked beats; if empty, found ones count.
    """

    decision: str
    reviewer: str
    note: str
    marks_s: tuple[float, ...] = ()

    @property
    def accepts(self) -> bool:
        """Whether the draw is to be kept."""
        return self.decision == "accept"


def read_review_decisions(path: str | Path | None, window_minutes: float) -> dict[int, dict[int, ReviewDecision]]:
    """Read subject -> draw -> decision from a CSV of subject_id, draw_id, decision, reviewer, note and perhaps marks_s.

    window_minutes: length of an excerpt. Without a path there are no decisions. Raises `UserError` if the file is
    missing or lacks a column, or if a line has a decision other than accept and reject, has no reviewer, repeats a
    draw, or has marks that are too few, not ascending, outside the excerpt, or not of an accepted draw.
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
        try:
            marks_s = _parse_marks(row.get(_MARKS) or "", row["decision"], 60 * window_minutes)
        except UserError as error:
            raise UserError(f"{path}: line {line}: {_MARKS}: {error}") from None
        subject_decisions = decisions.setdefault(row["subject_id"], {})
        if row["draw_id"] in subject_decisions:
            raise UserError(f"{path}: line {line}: draw {row['draw_id']} has a second decision; keep one line")
        subject_decisions[row["draw_id"]] = ReviewDecision(row["decision"], row["reviewer"], row["note"] or "", marks_s)
    return decisions


def explain_ineffective(decisions: dict[int, dict[int, ReviewDecision]], rows: Iterable[dict]) -> list[str]:
    """One line for each decision that changes nothing, given the rows of the quality tables."""
    by_draw = {(row["subject_id"], row["draw_id"]): row for row in rows}
    lines = []
    for subject, of_subject in sorted(decisions.items()):
        for draw, decision in sorted(of_subject.items()):
            row, name = by_draw.get((subject, draw)), f"subject {subject}, draw {draw}"
            if row is None:
                lines.append(f"{name}: the study reads no ECG for such a draw")
            elif decision.accepts and row["reason"]:
                lines.append(f"{name}: cannot be accepted, {_why_excluded(row)}")
    return lines


def _why_excluded(row: dict) -> str:
    if not row["recorded_s"]:
        return f"because it has no ECG ({row['reason']})"
    return f"because fewer than {MIN_MARKS} of its marks have a whole beat around them ({row['reason']})"


def _parse_marks(text: str, decision: str, window_s: float) -> tuple[float, ...]:
    """Seconds, ascending, from numbers with spaces between them."""
    try:
        marks_s = tuple(map(float, text.split()))
    except ValueError as error:
        raise UserError(
            f"{str(error).rpartition(': ')[2]} is no number of seconds; put spaces between numbers"
        ) from None
    if not marks_s:
        return ()
    if decision != "accept":
        raise UserError("only an accepted draw can have marks")
    outside = [mark for mark in marks_s if not 0 <= mark < window_s]
    if outside:
        raise UserError(f"{outside[0]:g} is outside the excerpt, which has {window_s:g} s")
    for one, other in pairwise(marks_s):
        if other <= one:
            raise UserError(f"{other:g} comes after {one:g}; write them in ascending order")
    if len(marks_s) < MIN_MARKS:
        raise UserError(f"{len(marks_s)} are too few; mark at least {MIN_MARKS} beats")
    return marks_s


def _read_rows(path: str | Path) -> list[dict]:
    columns = (*_COLUMNS, _MARKS)
    types = {name: pa.int64() if name.endswith("_id") else pa.string() for name in columns}
    try:
        table = csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=types))
        return table.select([name for name in columns if name in (*_COLUMNS, *table.column_names)]).to_pylist()
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: cannot be read as decisions ({first}); it needs the columns {', '.join(_COLUMNS)}, and may have"
            f" {_MARKS}"
        ) from None
