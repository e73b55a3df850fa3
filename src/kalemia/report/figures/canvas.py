"""The look of every figure, and its writing as SVG: vector, text as text, the same bytes each time."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kalemia.core.files.atomic import atomic_file
from kalemia.report.figures.layout import lay_out
from kalemia.report.figures.palette import LIGHT

WIDTH_IN = 10.4
SVG_DPI = 72  # as matplotlib writes SVG
FOOT_IN = 0.22  # of figures of simulated patients
PANELS_A_ROW = 3
LEGEND_COLUMNS = 5  # of arms or models, at most
NOTE = "Simulated patients: not a clinical result"
NOBODY = "No patient could be evaluated in any arm, so there is nothing to draw."
NOT_EVALUABLE = "This patient could not be evaluated in any arm, so there is nothing to draw."

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that text is measured alike everywhere
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LIGHT["muted"],
    "axes.labelcolor": LIGHT["ink"],
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "grid.color": LIGHT["faint"],
    "grid.linewidth": 0.7,
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.labelcolor": LIGHT["ink"],
    "ytick.labelcolor": LIGHT["ink"],
    "figure.facecolor": LIGHT["paper"],
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.handlelength": 2.2,
    "path.simplify": False,
    "svg.fonttype": "none",
}


@contextmanager
def svg_figure(path: str | Path, title: str, height_in: float, is_simulated: bool) -> Iterator[Figure]:
    """A figure to draw on, `WIDTH_IN` wide, written to `path` at the end; `title` is what a screen reader says.

    A figure of simulated patients says so at its foot.
    """
    look = {**STYLE, "svg.hashsalt": Path(path).stem}
    with style.context(["default", look]):
        figure = Figure(figsize=(WIDTH_IN, height_in), dpi=SVG_DPI)
        figure.subplots_adjust(0.06, FOOT_IN / height_in if is_simulated else 0, 0.99, 0.9, 0.15, 0.3)
        if is_simulated:
            _mark_simulated(figure)
            title = f"{title} {NOTE}."
        yield figure
        lay_out(figure)
        with atomic_file(path) as beside:
            figure.savefig(beside, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
            beside.write_text(_generic_fonts(beside.read_text("utf-8")), "utf-8")


def write_remark(path: str | Path, title: str, remark: str, is_simulated: bool) -> None:
    """In place of a figure for which there is nothing to draw: one sentence that says why."""
    with svg_figure(path, f"{title} {remark}", 0.9, is_simulated) as figure:
        figure.text(0.01, 0.65, remark, va="center", color=LIGHT["muted"])


def panel_rows(shown: Sequence) -> int:
    """How many rows `panels` makes for what is shown."""
    return -(-len(shown) // PANELS_A_ROW)


def panels(figure: Figure, shown: Sequence) -> list[Axes]:
    """A panel for each thing that is shown, `PANELS_A_ROW` in a row at most, all with the same y axis."""
    return [axes for (axes,) in columns_of_panels(figure, shown, 1)]


def columns_of_panels(figure: Figure, shown: Sequence, n: int) -> list[list[Axes]]:
    """As `panels`, n of them one above the other for each thing that is shown."""
    n_blocks, width = panel_rows(shown), min(len(shown), PANELS_A_ROW)
    grid = figure.subplots(n_blocks * n, width, sharey=True, squeeze=False).reshape(n_blocks, n, width)
    columns = grid.transpose(0, 2, 1).reshape(-1, n)
    for axes in columns[len(shown) :].flat:
        axes.axis("off")
    return columns[: len(shown)].tolist()


def share_axis(axes: Axes) -> None:
    """A y axis from 0 to 1, with room for marks on its ends."""
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.grid(axis="y")


def _mark_simulated(figure: Figure) -> None:
    foot = FOOT_IN / figure.get_figheight()
    figure.text(0.995, 0.2 * foot, NOTE, ha="right", va="bottom", fontsize=8.5, color=LIGHT["muted"], style="italic")


def _generic_fonts(svg: str) -> str:
    return re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "sans-serif", svg)
