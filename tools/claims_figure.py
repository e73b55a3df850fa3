"""docs/claims.svg: how often each claim is shown in simulated studies, from the table of benchmarks/claims.py."""

import csv
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kalemia.core.wording import display_name
from kalemia.evaluation.claims.rule import CLAIMS
from kalemia.report.figures.canvas import share_axis, svg_figure
from kalemia.report.figures.palette import LIGHT

RATES = Path(__file__).parents[1] / "benchmarks/claims.csv"
TITLE = "How often each claim is shown in simulated studies, by itself: where nothing is planted, and by the true gain."
MOST = 0.07  # false positives that are accepted
STYLES = {"rolling": "-", "forward": (0, (2, 1.5))}
SIZE_COLORS = ("scale-5", "scale-4", "scale-2", "scale-0")


def read_rates() -> list[dict]:
    """The table, with numbers as numbers."""
    with RATES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    words = ("planted", "protocol", "claim")
    return [{name: value if name in words else float(value) for name, value in row.items()} for row in rows]


def is_null(row: dict) -> bool:
    """Whether nothing is planted that a claim could be true of."""
    return row["planted"][-2] in "bcf"


def claims_figure() -> str:
    """The figure as SVG: above false positives by patients, below power by gain; a column a claim."""
    rates = read_rates()
    nulls = [row for row in rates if is_null(row)]
    powers = [row for row in rates if row["planted"].startswith("own effect")]
    worlds, sizes = list(dict.fromkeys(row["planted"] for row in nulls)), sorted({row["patients"] for row in nulls})
    colors = {world: LIGHT[f"arm-{place}"] for place, world in enumerate(worlds)}
    shades = {size: LIGHT[name] for size, name in zip(sizes, SIZE_COLORS, strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claims.svg"
        with svg_figure([path], TITLE, 5.4, True) as figure:
            above, below = figure.subplots(2, len(CLAIMS))
            for claim, upper, lower in zip(CLAIMS, above, below, strict=True):
                _draw_false_positives(upper, [row for row in nulls if row["claim"] == claim], colors)
                _draw_power(lower, [row for row in powers if row["claim"] == claim], shades)
                upper.set_title(display_name(claim))
                upper.set_xticks(sizes)
            above[0].set_ylabel("shown, nothing planted")
            below[0].set_ylabel("shown, an own effect planted")
            figure.legend(handles=_legend(colors, shades), loc="upper left", ncols=4)
        return path.read_text("utf-8")


def _draw_false_positives(axes: Axes, rows: list[dict], colors: dict[str, str]) -> None:
    for (world, protocol), mine in groupby(rows, key=lambda row: (row["planted"], row["protocol"])):
        points = [(row["patients"], row["alone"]) for row in mine]
        axes.plot(*zip(*points, strict=True), color=colors[world], ls=STYLES[protocol], lw=1.8, marker="o", ms=4)
    axes.axhline(MOST, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
    axes.set_ylim(0, 0.12)
    axes.set_yticks([0, 0.05, 0.1], ["0", "5%", "10%"])
    axes.grid(axis="y")
    axes.set_xlabel("patients")


def _draw_power(axes: Axes, rows: list[dict], shades: dict[float, str]) -> None:
    for size, color in shades.items():
        points = sorted((row["gain"], row["alone"]) for row in rows if row["patients"] == size)
        axes.plot(*zip(*points, strict=True), color=color, lw=1.8, marker="o", ms=4)
    share_axis(axes)
    axes.axhline(0.8, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
    axes.set_xlabel("gain in concordance" if rows[0]["claim"] == "adds" else "gain in AUC")


def _legend(colors: dict[str, str], shades: dict[float, str]) -> Iterable[Line2D]:
    worlds = [Line2D([], [], color=color, lw=1.8, marker="o", ms=4, label=world) for world, color in colors.items()]
    styles = [Line2D([], [], color=LIGHT["ink"], lw=1.8, ls=style, label=name) for name, style in STYLES.items()]
    sizes = [Line2D([], [], color=color, lw=1.8, label=f"{size:.0f} patients") for size, color in shades.items()]
    bound = Line2D([], [], color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4, label="7% above, 80% below")
    return [*worlds, *styles, *sizes, bound]
