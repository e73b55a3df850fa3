"""The look of every figure, and its writing: SVG with text as text, PDF and PNG, the same bytes each time."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kalemia.core.files.atomic import atomic_file
from kalemia.report.figures.layout import Box, lay_out
from kalemia.report.figures.palette import LIGHT

WIDTH_IN = 10.4
SVG_DPI = 72  # as matplotlib writes SVG
DPI = {"svg": SVG_DPI, "pdf": SVG_DPI, "png": 200}
TITLE_SIZE, TITLE_CHARACTERS = 12.5, 92  # of a line
FOOT_IN = 0.22  # of figures of simulated patients
PANELS_A_ROW = 3
MOST_ROUNDS_NAMED = 5  # below a panel, after the generic network
LEGEND_COLUMNS = 5  # of arms or models, at most
NOTE = "Simulated patients: not a clinical result"
NOBODY = "No patient could be evaluated in any arm, so there is nothing to draw."
NOT_EVALUABLE = "This patient could not be evaluated in any arm, so there is nothing to draw."

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that text is measured alike everywhere
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
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
    "legend.fontsize": 10.5,
    "legend.handlelength": 2.2,
    "path.simplify": False,
    "svg.fonttype": "none",
}


@contextmanager
def svg_figure(paths: Sequence[Path], title: str, height_in: float, is_simulated: bool) -> Iterator[Figure]:
    """A figure to draw on, `WIDTH_IN` wide and 16:9 or higher, written to `paths` at the end, the SVG first.

    The title is written above; a screen reader says it, too. A figure of simulated patients says so at its foot.
    """
    with _figure(paths, title, max(height_in + _title_in(title), WIDTH_IN * 9 / 16), is_simulated) as figure:
        yield figure


def write_remark(paths: Sequence[Path], title: str, remark: str, is_simulated: bool) -> None:
    """In place of a figure for which there is nothing to draw: one sentence that says why."""
    with _figure(paths, title, 0.7 + _title_in(title), is_simulated, remark) as figure:
        figure.text(0.004, 0.5 * figure.subplotpars.top + 0.1, remark, va="center", color=LIGHT["muted"])


@contextmanager
def _figure(
    paths: Sequence[Path], title: str, height_in: float, is_simulated: bool, remark: str = ""
) -> Iterator[Figure]:
    look = {**STYLE, "svg.hashsalt": paths[0].stem}
    with style.context(["default", look]):
        figure = Figure(figsize=(WIDTH_IN, height_in), dpi=SVG_DPI)
        bottom, top = FOOT_IN / height_in if is_simulated else 0, 1 - _title_in(title) / height_in
        figure.subplots_adjust(0.06, bottom, 0.99, top, 0.15, 0.3)
        _write_title(figure, title)
        if is_simulated:
            _mark_simulated(figure)
        said = " ".join(filter(None, [title, remark, f"{NOTE}." if is_simulated else ""]))
        yield figure
        columns = lay_out(figure)
        for path in paths:
            with atomic_file(path) as beside:
                kind = path.suffix.removeprefix(".")
                figure.savefig(beside, format=kind, dpi=DPI[kind], metadata=_metadata(kind, said))
                if kind == "svg":
                    head_pt = SVG_DPI * _title_in(title)
                    beside.write_text(_for_pages(beside.read_text("utf-8"), head_pt, columns), "utf-8")


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
    for axes in columns.flat:
        axes.tick_params(labelleft=True)  # a narrow page shows each column by itself
    for axes in columns[len(shown) :].flat:
        axes.axis("off")
    return columns[: len(shown)].tolist()


def round_axis(axes: Axes, n_rounds: int) -> None:
    """An x axis of the generic network and the rounds after it, with as many numbers as are apart."""
    step = -(-n_rounds // MOST_ROUNDS_NAMED)
    places = range(0, n_rounds + 1, max(1, step))
    axes.set_xticks(places, ["gen.", *map(str, places[1:])])


def share_axis(axes: Axes) -> None:
    """A y axis from 0 to 1, with room for marks on its ends."""
    axes.set_ylim(-0.03, 1.03)
    axes.tick_params(labelleft=True)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.grid(axis="y")


def _mark_simulated(figure: Figure) -> None:
    foot = FOOT_IN / figure.get_figheight()
    figure.text(0.995, 0.2 * foot, NOTE, ha="right", va="bottom", fontsize=8.5, color=LIGHT["muted"], style="italic")


def _title_in(title: str) -> float:
    """The inches that a title takes."""
    return 0.1 + 0.24 * len(textwrap.wrap(title, TITLE_CHARACTERS))


def _write_title(figure: Figure, title: str) -> None:
    text = textwrap.fill(title, TITLE_CHARACTERS)
    top = 1 - 0.06 / figure.get_figheight()
    figure.text(0.004, top, text, va="top", weight="bold", fontsize=TITLE_SIZE, linespacing=1.15)


def _metadata(kind: str, title: str) -> dict:
    """What the file says about itself: the title, and nothing that differs between two runs."""
    if kind == "svg":
        return {"Date": None, "Creator": None, "Title": title}
    if kind == "pdf":
        return {"CreationDate": None, "Creator": None, "Producer": None, "Title": title}
    return {"Software": None, "Title": title}


def _for_pages(svg: str, title_pt: float, columns: list[Box]) -> str:
    """With a generic font, and with the columns of panels, which a narrow page shows one below the other."""
    svg = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "sans-serif", svg)
    shown = ";".join(" ".join(f"{edge:.1f}" for edge in column) for column in columns)
    return svg.replace("<svg ", f'<svg data-title="{title_pt:.1f}" data-columns="{shown}" ', 1)
