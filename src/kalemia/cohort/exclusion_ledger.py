"""Write the exclusion ledger: every recording and draw that could not be used, with its reason."""

import csv
import logging
from collections import Counter
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import pyarrow as pa

from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.jobs import log_and_print
from kalemia.core.paths import subject_name
from kalemia.core.tables import read_table, table_from_rows, write_table, write_text
from kalemia.core.wording import list_counts, plural

log = logging.getLogger(__name__)

_DRAW_COLUMNS = ["subject_id", "draw_id", "recording", "reason", "detail"]


def write_ledger(
    draws_path: str | Path,
    unreadable_path: str | Path,
    excerpts_paths: Iterable[str | Path],
    quality_paths: Iterable[str | Path],
    path: str | Path,
) -> None:
    """Write the recordings and draws that could not be used, by subject: first recordings, then draws.

    Draws that were usable but not needed for a population are only in the inclusion flow. Raises `UserError` as
    `tables.read_table`.
    """
    rows = read_table(unreadable_path, "ledger").to_pylist()
    draws = {row["draw_id"]: row for row in read_table(draws_path, "draws", _DRAW_COLUMNS).to_pylist()}
    for excerpts in excerpts_paths:
        for row in read_table(excerpts, "excerpts", ["draw_id", "detail"]).to_pylist():
            draws[row["draw_id"]]["detail"] = row["detail"]
    for quality in quality_paths:
        for row in read_table(quality, "quality", ["draw_id", "reason"]).to_pylist():
            draws[row["draw_id"]]["reason"] = row["reason"]
    rows += [draw for _, draw in sorted(draws.items()) if draw["reason"] is not None]
    rows.sort(key=lambda row: (row["subject_id"], row.get("draw_id") is not None, row.get("draw_id") or 0))
    log.info("not used: %s", list_counts(dict(Counter(row["reason"] for row in rows).most_common())))
    n_draws = sum(row.get("draw_id") is not None for row in rows)
    log_and_print(f"not used: {n_draws} of {plural(len(draws), 'draw')}; cohort/ledger.csv says why, of recordings too")
    write_table(path, "ledger", table_from_rows("ledger", rows))


def write_ledger_csv(path: str | Path, ledger: pa.Table, names: SubjectNames) -> None:
    """Write the ledger for a spreadsheet, with the subjects as people call them."""
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["subject", *ledger.column_names[1:]])
    for row in ledger.to_pylist():
        subject = names[subject_name(row.pop("subject_id"))]
        lines.writerow([subject, *row.values()])
    write_text(path, text.getvalue())
