"""Many small panels in one axes: data are moved to their panel by arithmetic, which costs far less than many axes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from kalemia.report.figures.palette import LIGHT

DATA_MARGIN = 0.05  # of the range of the data, on each side
TICK_IN, TICK_LABEL_IN = 3.5 / 72, 7 / 72  # from the edge of a panel: the end of a tick, and its label
N_TICKS = 5  # intervals between ticks, at most
TITLE_IN = 6 / 72  # from the top of a panel to the baseline of its title
LINE_WIDTH = 0.8  # of frames and ticks

Limits = tuple[float, float]


@dataclass(frozen=True)
class Margins:
    """Inches around the panels (without the foot of simulated patients), and between them."""

    left: float = 0.1
    right: float = 0.08
    head: float = 0.3
    foot: float = 0.1
    gap_x: float = 0.08
    gap_y: float = 0.08
    block_gap: float = 0.0  # further inches between blocks of columns


@dataclass(frozen=True)
class Panel:
    """One panel: where it is, in inches from the lower left of the figure, and the limits of its data."""

    tiles: "Tiles"
    left: float
    bottom: float
    width: float
    height: float
    x_limits: Limits
    y_limits: Limits

    def line(self, points: np.ndarray, color: str, width: float, cap: str = "butt") -> None:
        """Draw a line through points (n, 2)."""
        self.tiles.stroke(self._place(points), color, width, cap)

    def dots(self, points: np.ndarray, color: str, size: float, alpha: float) -> None:
        """Draw dots at points (n, 2): strokes without length, a tenth of the bytes of as many markers."""
        codes = np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), len(points))
        self.tiles.stroke(np.repeat(self._place(points), 2, axis=0), color, size, "round", alpha, codes)

    def text(self, x: float, y: float, text: str, shift_in: tuple[float, float] = (0.0, 0.0), **look) -> None:
        """Write at a share of the panel's width and height, moved by inches."""
        at = self.left + x * self.width + shift_in[0], self.bottom + y * self.height + shift_in[1]
        self.tiles.axes.text(*at, text, **look)

    def title(self, title: str, fontsize: float = 11) -> None:
        """Write a title above the panel, at its left."""
        self.text(0, 1, title, (0, TITLE_IN), weight="bold", fontsize=fontsize)

    def class_title(self, title: str, color: str) -> None:
        """A title with a mark in the color of a class before it: the color itself is too light for words."""
        mark = np.array([[self.left + 4 / 72, self.bottom + self.height + 9.5 / 72]])
        self.tiles.stroke(np.repeat(mark, 2, axis=0), color, 7, "round")
        self.text(0, 1, title, (0.14, TITLE_IN), weight="bold")

    def frame(self) -> None:
        """A faint frame: for pictures whose axes have no unit."""
        corners = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
        self.tiles.stroke(self._share(corners), LIGHT["faint"], LINE_WIDTH)

    def vertical_lines(self, positions: Iterable[float], color: str, width: float) -> None:
        """Draw lines over the whole height of the panel."""
        for x in positions:
            self.line(np.array([[x, self.y_limits[0]], [x, self.y_limits[1]]]), color, width)

    def label_y(self, label: str, distance_in: float) -> None:
        """Write upright, so far left of the panel; the last line is the nearest to it."""
        look = {"rotation": 90, "ha": "right", "va": "center", "multialignment": "center"}
        self.text(0, 0.5, label, (-distance_in, 0), **look)

    def label_x(self, label: str) -> None:
        """Write below the panel's tick labels."""
        self.text(0.5, 0, label, (0, -0.27), ha="center", va="top")

    def axis(self, x_labels: bool, y_labels: bool) -> None:
        """Draw the left and the lower edge with ticks, and say the numbers of ticks where asked to."""
        self.tiles.stroke(self._share([[0, 1], [0, 0], [1, 0]]), LIGHT["muted"], LINE_WIDTH)
        for tick, number in labeled_ticks(self.x_limits).items():
            ((x, _),) = self._place(np.array([[tick, self.y_limits[0]]]))
            self.tiles.stroke(np.array([[x, self.bottom], [x, self.bottom - TICK_IN]]), LIGHT["muted"], LINE_WIDTH)
            if x_labels:
                self.tiles.axes.text(x, self.bottom - TICK_LABEL_IN, number, ha="center", va="top")
        for tick, number in labeled_ticks(self.y_limits).items():
            ((_, y),) = self._place(np.array([[self.x_limits[0], tick]]))
            self.tiles.stroke(np.array([[self.left, y], [self.left - TICK_IN, y]]), LIGHT["muted"], LINE_WIDTH)
            if y_labels:
                look = {"ha": "right", "va": "center_baseline"}
                self.tiles.axes.text(self.left - TICK_LABEL_IN, y, number, **look)

    def _place(self, points: np.ndarray) -> np.ndarray:
        """Points of the data (n, 2), in inches."""
        low, high = np.array([self.x_limits, self.y_limits], dtype=np.float64).T
        return self._share((points - low) / (high - low))

    def _share(self, shares: np.ndarray | list) -> np.ndarray:
        """Shares of the panel's width and height (n, 2), in inches."""
        return np.array([self.left, self.bottom]) + np.asarray(shares) * np.array([self.width, self.height])


class Tiles:
    """A grid of panels. Strokes of one look are one path, drawn in the order in which the looks were first used."""

    def __init__(self, axes: Axes, n_rows: int, n_columns: int, margins: Margins, columns_a_block: int):
        self.axes = axes
        self._margins, self._block = margins, columns_a_block
        self.width_in, height_in = axes.figure.get_size_inches()
        self.height_in = axes.figure.subplotpars.top * height_in  # the title is above
        self._foot = margins.foot + axes.figure.subplotpars.bottom * height_in
        n_block_gaps = (n_columns - 1) // columns_a_block
        gaps = margins.gap_x * (n_columns - 1) + margins.block_gap * n_block_gaps
        self._panel_width = (self.width_in - margins.left - margins.right - gaps) / n_columns
        heights = self.height_in - margins.head - self._foot - margins.gap_y * (n_rows - 1)
        self._panel_height = heights / n_rows
        self._strokes: dict[tuple, list[tuple[np.ndarray, np.ndarray]]] = {}

    def panel(self, row: int, column: int, x_limits: Limits = (0, 1), y_limits: Limits = (0, 1)) -> Panel:
        """The panel of a row from the top and a column."""
        margins = self._margins
        left = margins.left + column * (self._panel_width + margins.gap_x) + column // self._block * margins.block_gap
        top = self.height_in - margins.head - row * (self._panel_height + margins.gap_y)
        size = self._panel_width, self._panel_height
        return Panel(self, left, top - self._panel_height, *size, x_limits, y_limits)

    def stroke(
        self,
        points: np.ndarray,
        color: str,
        width: float,
        cap: str = "butt",
        alpha: float | None = None,
        codes: np.ndarray | None = None,
    ) -> None:
        """Draw points (n, 2), in inches from the lower left of the figure, as one line, or by codes as of a path."""
        if codes is None:
            codes = np.full(len(points), Path.LINETO, Path.code_type)
            codes[:1] = Path.MOVETO
        self._strokes.setdefault((color, width, cap, alpha), []).append((np.asarray(points), codes))

    def add_paths(self) -> None:
        """Add all strokes to the axes."""
        for (color, width, cap, alpha), parts in self._strokes.items():
            path = Path(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
            if len(path.vertices):
                look = {"edgecolor": color, "linewidth": width, "capstyle": cap, "joinstyle": "round", "alpha": alpha}
                self.axes.add_artist(PathPatch(path, facecolor="none", clip_on=False, **look))


@contextmanager
def tiled(
    figure: Figure, n_rows: int, n_columns: int, margins: Margins, columns_a_block: int | None = None
) -> Iterator[Tiles]:
    """Panels over the whole figure, which needs no layout then; what is drawn appears when the context ends."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, figure.get_figwidth()), ylim=(0, figure.get_figheight()))
    axes.axis("off")
    tiles = Tiles(axes, n_rows, n_columns, margins, columns_a_block or n_columns)
    yield tiles
    tiles.add_paths()


def limits_around(values: np.ndarray, margin: float = DATA_MARGIN) -> Limits:
    """The range of values and a margin on each side, which is a share of it."""
    low, high = float(np.min(values)), float(np.max(values))
    extra = max(margin * (high - low), 1e-9)
    return low - extra, high + extra


def labeled_ticks(limits: Limits) -> dict[float, str]:
    """Round numbers within limits, as text with equally many digits."""
    found = MaxNLocator(N_TICKS, steps=(1, 2, 5, 10)).tick_values(*limits)
    within = found[(found >= limits[0]) & (found <= limits[1])].tolist()
    digits = max((len(f"{tick:g}".partition(".")[2]) for tick in within), default=0)
    return {tick: f"{tick:.{digits}f}".replace("-", "\N{MINUS SIGN}") for tick in within}
