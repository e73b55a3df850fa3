"""Predict from a recording: windows one after another, as a table, a CSV file and a picture."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
from tqdm import tqdm

from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_file
from kalemia.core.schemas import SCHEMAS
from kalemia.core.tables import table_from_rows, write_table
from kalemia.models.model import Model
from kalemia.monitor.assess_windows import assess_windows
from kalemia.monitor.windows import Record, consecutive_windows
from kalemia.report.figures.canvas import share_axis, svg_figure
from kalemia.report.figures.palette import LIGHT

_CSV_COLUMNS = [name for name in SCHEMAS["windows"].names if name != "prediction_set"]  # CSV has no lists


def predict_record(folder: Path, model: Model, record: Record) -> pa.Table:
    """A table of kind "windows": a row for each window of the length that the model learned from.

    folder: of the model. A remainder of the recording shorter than half a window is added to the last window.
    """
    windows = consecutive_windows(record.n_samples, model.config.window_minutes)
    samples = map(record.read_window, windows)
    rows = tqdm(assess_windows(folder, samples, len(windows), model), "windows", len(windows), disable=None)
    kept = [{name: row.get(name) for name in SCHEMAS["windows"].names} for row in rows]
    return table_from_rows("windows", [row | {"time": record.time_at(row["stop_s"])} for row in kept])


def write_windows(table: pa.Table, path: Path) -> None:
    """Write a table of kind "windows" as Parquet or as CSV, by the name of the file."""
    if path.suffix.lower() == ".csv":
        with atomic_file(path) as part:
            pyarrow.csv.write_csv(table.select(_CSV_COLUMNS), part)
    else:
        write_table(path, "windows", table)


def check_names(out: Path, plot: str | None) -> None:
    """Raise `UserError` if the table cannot be called `out`, or the picture `plot`."""
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"{out}: --out ends in .csv or .parquet")
    if plot and Path(plot).suffix.lower() != ".svg":
        raise UserError(f"{plot}: --plot ends in .svg")
    for path in filter(None, (out, plot)):
        if Path(path).is_dir():
            raise UserError(f"{path}: is a folder; name a file")


def plot_windows(table: pa.Table, model: Model, name: str, path: Path) -> None:
    """Draw probability and heart rate over time as SVG; where the model abstains there is no line."""
    config = model.config
    hours = table["stop_s"].to_numpy() / 3600
    notice = config.notice.rstrip(".")
    title = f"{name}: probability of {config.analyte.condition} (model {config.name}). {notice}"
    with svg_figure([path], f"{title}.", 3.6, config.origin.is_simulated) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        above.step(hours, table["probability"].to_numpy(zero_copy_only=False), where="pre", color=LIGHT["ink"], lw=1.4)
        above.axhline(config.threshold, color=LIGHT["positive"], lw=1, ls=(0, (4, 3)))
        share_axis(above)
        above.set(ylabel="probability")
        rate_bpm = table["heart_rate_bpm"].to_numpy(zero_copy_only=False)
        below.plot(hours, rate_bpm, color=LIGHT["muted"], lw=1.2, marker="o", ms=2)
        below.set(xlabel="hours since the start of the recording", ylabel="heart rate (1/min)")
