"""Write the exclusion ledger: every recording and draw that could not be used, with its reason."""

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kalemia.core.tables import read_table, table_from_rows, write_table

log = logging.getLogger(__name__)

_DRAW_COLUMNS = ["subject_id", "draw_id", "recording", "reason"]


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
    detail = {}
    for excerpts in excerpts_paths:
        for row in read_table(excerpts, "excerpts", ["draw_id", "detail"]).to_pylist():
            detail[row["draw_id"]] = row["detail"]
    for quality in quality_paths:
        for row in read_table(quality, "quality", ["draw_id", "reason"]).to_pylist():
            draws[row["draw_id"]]["reason"] = row["reason"]
    rows += [
        draw | {"detail": detail.get(draw_id)} for draw_id, draw in sorted(draws.items()) if draw["reason"] is not None
    ]
    rows.sort(key=lambda row: (row["subject_id"], row.get("draw_id") is not None, row.get("draw_id") or 0))
    for reason, count in Counter(row["reason"] for row in rows).most_common():
        log.info("%d %s", count, reason)
    write_table(path, "ledger", table_from_rows("ledger", rows))
