"""Read the decisions of a person who reviewed excerpts; they override the automatic verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.errors import UserError
from kalemia.sources.csv_tables.lines import read_lines

MIN_MARKS = 5  # fewer beats say little about a draw; ten seconds at 30 a minute have as many
_COLUMNS = ("subject_id", "draw_id", "decision", "reviewer", "note")
_MARKS = "marks_s"  # a column that may be missing
_ABOUT = f"a file of decisions needs the columns {', '.join(_COLUMNS)}, and may have {_MARKS}"
_MAX_DRAW = 2**63 - 1
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
    missing or lacks a column, or if a line is no record of CSV, has a decision other than accept and reject, has no
    reviewer, repeats a draw, or has marks that are too few, not ascending, outside the excerpt, or not of an accepted
    draw.
    """
    if path is None:
        return {}
    decisions: dict[int, dict[int, ReviewDecision]] = {}
    for line in read_lines(Path(path), _COLUMNS, _ABOUT):
        if not line["subject_id"] or not line["draw_id"]:
            raise UserError(f"{line.where}: has no subject_id or no draw_id")
        if line["decision"] not in _DECISIONS:
            raise UserError(f"{line.where}: decision {line['decision']!r} is neither accept nor reject")
        if not line["reviewer"]:
            raise UserError(f"{line.where}: has no reviewer; every decision needs one")
        try:
            marks_s = _parse_marks(line[_MARKS], line["decision"], 60 * window_minutes)
        except UserError as error:
            raise UserError(f"{line.where}: {_MARKS}: {error}") from None
        draw_id = line.whole_number("draw_id", _MAX_DRAW)
        subject_decisions = decisions.setdefault(line.subject("subject_id"), {})
        if draw_id in subject_decisions:
            raise UserError(f"{line.where}: draw {draw_id} has a second decision; keep one line")
        subject_decisions[draw_id] = ReviewDecision(line["decision"], line["reviewer"], line["note"], marks_s)
    return decisions


def explain_ineffective(
    decisions: dict[int, dict[int, ReviewDecision]], rows: Iterable[dict], names: SubjectNames
) -> list[str]:
    """One line for each decision that changes nothing, given the rows of the quality tables."""
    by_draw = {(row["subject_id"], row["draw_id"]): row for row in rows}
    lines = []
    for subject, of_subject in sorted(decisions.items()):
        for draw, decision in sorted(of_subject.items()):
            row, name = by_draw.get((subject, draw)), f"subject {names.to_write(subject)}, draw {draw}"
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
            f"{str(error).rpartition(': ')[2]} is not a number of seconds; put spaces between numbers"
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
