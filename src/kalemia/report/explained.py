"""Panels of what a network looks at: Grad-CAM on the mean beat, and t-SNE of single beats."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from kalemia.report.canvas import bare, reserve_head
from kalemia.report.inputs import Explanation
from kalemia.report.palette import ATTENTION_LEVELS, LIGHT, class_color
from kalemia.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ

TIME_MS = (np.arange(BEAT_SAMPLES) - R_INDEX) * 1000 / RATE_HZ
FULL, PALE = 0.85, 0.3  # opacity of beats
CLASS_NAMES = {0: "negative", 1: "positive"}


def draw_attention(axes: Axes, beat_mv: np.ndarray, attention: np.ndarray) -> None:
    """The beat (120,) in mV as a line that is darker and broader the more attention (120,), 0 to 1, a sample has."""
    levels = np.clip((attention * ATTENTION_LEVELS).astype(int), 0, ATTENTION_LEVELS - 1)[:-1]
    starts = np.flatnonzero(np.diff(levels, prepend=-1))
    stops = [*starts[1:], len(levels)]
    lines = [np.column_stack([TIME_MS[i : j + 1], beat_mv[i : j + 1]]) for i, j in zip(starts, stops, strict=True)]
    axes.add_collection(_attention_lines(lines, levels[starts]))
    axes.set_xlim(TIME_MS[0], TIME_MS[-1])
    axes.autoscale_view(scalex=False)


def draw_attention_scale(figure: Figure) -> None:
    """Above the panels: which color and breadth stand for how much attention."""
    reserve_head(figure, 0.4)
    axes = figure.add_axes((0.85, 1 - 0.32 / figure.get_figheight(), 0.12, 0.2 / figure.get_figheight()))
    edges = np.arange(ATTENTION_LEVELS + 1)
    lines = [np.array([[i, 0], [j, 0]]) for i, j in pairwise(edges)]
    axes.add_collection(_attention_lines(lines, edges[:-1]))
    axes.set(xlim=(-0.3, ATTENTION_LEVELS + 0.3), ylim=(-1, 1))
    axes.axis("off")
    axes.text(-0.8, 0, "attention 0", ha="right", va="center")
    axes.text(ATTENTION_LEVELS + 0.8, 0, "1", ha="left", va="center")


def draw_embedding(axes: Axes, explanation: Explanation, model: str) -> None:
    """Beats at the t-SNE positions of one model, colored by label, pale where the model has learned from their draw.

    A remark stands where the patient lacks the model.
    """
    bare(axes)
    if model not in explanation.embedding:
        axes.text(0.5, 0.5, "not evaluable", ha="center", va="center", color=LIGHT["muted"], transform=axes.transAxes)
        return
    beats = explanation.embedding[model]
    for learned, alpha in ((True, PALE), (False, FULL)):
        for label in (0, 1):
            mine = (beats.labels == label) & (beats.learned == learned)
            if np.any(mine):
                axes.add_patch(_dots(beats.positions["t-SNE"][mine], class_color(label), alpha))
    axes.autoscale_view()


def class_legend() -> list[Line2D]:
    """Handles of the two classes, learned from or not."""
    return [
        Line2D([], [], color=class_color(k), marker="o", ls="none", alpha=alpha, label=f"{CLASS_NAMES[k]}{addition}")
        for k in (0, 1)
        for alpha, addition in ((FULL, ""), (PALE, ", learned from"))
    ]


def _attention_lines(lines: list[np.ndarray], levels: np.ndarray) -> LineCollection:
    return LineCollection(
        lines,
        colors=[LIGHT[f"attention-{level}"] for level in levels],
        linewidths=[1.2 + 0.35 * level for level in levels],
        capstyle="round",
    )


def _dots(positions: np.ndarray, color: str, alpha: float) -> PathPatch:
    """Dots as one path of round-capped strokes without length: a tenth of the bytes of as many markers."""
    vertices = np.repeat(positions, 2, axis=0)
    path = Path(vertices, np.tile([Path.MOVETO, Path.LINETO], len(positions)))
    path.should_simplify = False
    return PathPatch(path, edgecolor=color, facecolor="none", linewidth=2.5, capstyle="round", alpha=alpha)
