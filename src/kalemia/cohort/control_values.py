"""Find the value of another analyte nearest to each draw of the personal candidates."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.cohort.labs import build_draws
from kalemia.core.control_analytes import CONTROL_ANALYTES, MAX_HOURS
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table, write_table
from kalemia.sources import Source

_COLUMNS = ["subject_id", "draw_id", "draw_time", "candidate_population"]


def write_control_values(source: Source, control: str, draws_path: str | Path, digest: str, path: str | Path) -> None:
    """Write one row per draw that has a value of `control` within `MAX_HOURS`, in the order of `draws_path`.

    Values are judged as those of the study's analyte (`labs.build_draws`). Raises `UserError` if there are none at all.
    """
    values = build_draws(source.control_rows(control), CONTROL_ANALYTES[control])
    values = values.filter(pc.is_null(values["reason"]))
    if not len(values):
        raise UserError(f"config: controls: the tables have no usable value of {control}; leave it out")
    draws = read_table(draws_path, "draws", _COLUMNS)
    draws = draws.filter(pc.equal(draws["candidate_population"], "personal")).combine_chunks()
    times = ((table["subject_id"].to_numpy(), table["draw_time"].to_numpy()) for table in (draws, values))
    nearest, hours = match_nearest(*times)
    is_near = np.flatnonzero(np.abs(hours) <= MAX_HOURS)
    found = {
        "subject_id": draws["subject_id"].take(is_near),
        "draw_id": draws["draw_id"].take(is_near),
        "value": values["value"].take(nearest[is_near]),
        "hours": pa.array(hours[is_near], pa.float32()),
    }
    write_table(path, "control_values", pa.table(found), digest)


def match_nearest(
    draws: tuple[np.ndarray, np.ndarray], values: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """For each draw the index of the subject's nearest value, and the hours from the draw to it; NaN without any.

    draws, values: subject (n,) and time datetime64[us] (n,); the values sorted by both. Of two that are equally near
    the earlier is taken.
    """
    index, hours = np.zeros(len(draws[0]), np.int64), np.full(len(draws[0]), np.nan)
    for subject in np.intersect1d(draws[0], values[0]):
        mine = np.flatnonzero(draws[0] == subject)
        theirs = np.flatnonzero(values[0] == subject)
        away_h = (values[1][theirs][None, :] - draws[1][mine][:, None]) / np.timedelta64(1, "h")
        best = np.abs(away_h).argmin(axis=1)
        index[mine], hours[mine] = theirs[best], away_h[np.arange(len(mine)), best]
    return index, hours
