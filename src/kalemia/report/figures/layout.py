"""Places the panels of a figure so that ticks, labels and titles have room: by measuring each panel once.

Matplotlib's constrained layout measures twice and solves for positions whose last bits depend on the order of addresses
in memory (github.com/nucleic/kiwi/issues/57), so that files would differ.
"""

from io import StringIO
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator

PAD_PT = 3.0  # at the edges of the figure, and above and below its legend
COLUMN_GAP_PT, ROW_GAP_PT = 10.0, 7.0
TICK_STEPS = 5  # of an axis, at most


class Box(NamedTuple):
    """A part of a figure, in points from its upper left."""

    left: float
    top: float
    width: float
    height: float


def lay_out(figure: Figure) -> list[Box]:
    """Place all subplots, which are of one grid, between the legend and the foot; returns the boxes of its columns.

    The legend is below the title, which ends at the top of `figure.subplotpars`; the foot ends at its bottom. The
    figure must have 72 dots per inch.
    """
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, 0, 1, figure.subplotpars.top), figure.transFigure)
    panels = [axes for axes in figure.axes if axes.get_subplotspec()]
    if not panels:
        return []
    for axes in panels:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_locator(), AutoLocator):
                axis.get_major_locator().set_params(nbins=TICK_STEPS)  # whatever the size, which is not yet known
    width, height = figure.bbox.size
    renderer = RendererSVG(width, height, StringIO())
    grid = panels[0].get_gridspec()
    left, right = np.zeros((2, grid.ncols))
    above, below = np.zeros((2, grid.nrows))
    cells = [(axes.get_subplotspec().rowspan.start, axes.get_subplotspec().colspan.start) for axes in panels]
    for axes, (row, column) in zip(panels, cells, strict=True):
        inner, outer = axes.bbox, axes.get_tightbbox(renderer, for_layout_only=True)
        left[column], right[column] = max(left[column], inner.x0 - outer.x0), max(right[column], outer.x1 - inner.x1)
        above[row], below[row] = max(above[row], outer.y1 - inner.y1), max(below[row], inner.y0 - outer.y0)
    legends = [legend.get_window_extent(renderer).height + 2 * PAD_PT for legend in figure.legends]
    title = (1 - figure.subplotpars.top) * height
    head, foot = title + max(legends, default=0) + PAD_PT, figure.subplotpars.bottom * height + PAD_PT
    lefts, widths = _along(width - 2 * PAD_PT, left, right, np.array(grid.get_width_ratios()), COLUMN_GAP_PT)
    tops, heights = _along(height - head - foot, above, below, np.array(grid.get_height_ratios()), ROW_GAP_PT)
    for axes, (row, column) in zip(panels, cells, strict=True):
        bottom = height - head - tops[row] - heights[row]
        place = np.array([PAD_PT + lefts[column], bottom, widths[column], heights[row]])
        axes.set_position(place / (width, height, width, height))
    starts, ends = lefts - left, lefts + widths + right
    return [
        Box(PAD_PT + start, head, end - start, height - head - foot)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _along(
    length: float, before: np.ndarray, after: np.ndarray, ratios: np.ndarray, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of panels in a row or column: what margins and gaps leave, divided by the ratios."""
    left_over = length - np.sum(before + after) - gap * (len(ratios) - 1)
    lengths = left_over * ratios / np.sum(ratios)
    ends = np.cumsum(before + lengths + after + gap) - gap - after
    return ends - lengths, lengths
