"""Panels of what a network looks at: Grad-CAM on the mean beat, and single beats in the plane."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import ScaledTranslation

from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.report.figures.canvas import hide_ticks, reserve_head
from kalemia.report.figures.palette import ATTENTION_LEVELS, LIGHT, SCALE_LEVELS, class_color
from kalemia.report.results import Embedding, Explanation

TIME_MS = (np.arange(BEAT_SAMPLES) - R_INDEX) * 1000 / RATE_HZ
FULL, PALE = 0.85, 0.3  # opacity of beats
CLASS_NAMES = {0: "negative", 1: "positive"}
EN_SPACE = "\N{EN SPACE}"  # half as wide as letters are high in every font, and not swallowed as blanks are
COLORINGS = ("class", "potassium", "episode")

Group = tuple[np.ndarray, str, float]  # which beats (n,), their color and opacity


def draw_attention(axes: Axes, beat_mv: np.ndarray, attention: np.ndarray) -> None:
    """The beat (120,) in mV as a line that is darker and broader the more attention (120,), 0 to 1, a sample has."""
    levels = _levels(attention, ATTENTION_LEVELS)[:-1]
    starts = np.flatnonzero(np.diff(levels, prepend=-1))
    stops = [*starts[1:], len(levels)]
    lines = [np.column_stack([TIME_MS[i : j + 1], beat_mv[i : j + 1]]) for i, j in zip(starts, stops, strict=True)]
    axes.add_collection(_attention_lines(lines, levels[starts]))
    axes.set_xlim(TIME_MS[0], TIME_MS[-1])
    axes.autoscale_view(scalex=False)


def draw_waves(axes: Axes, limits_ms: dict[str, tuple[float, float]]) -> None:
    """Where each wave begins and ends, and its name above."""
    for name, (start_ms, stop_ms) in limits_ms.items():
        for at_ms in (start_ms, stop_ms):
            axes.axvline(at_ms, color=LIGHT["faint"], lw=0.8, zorder=0)
        axes.text(
            (start_ms + stop_ms) / 2, 0.98, name, transform=axes.get_xaxis_transform(), ha="center", va="top",
            fontsize=7.5, color=LIGHT["muted"],
        )  # fmt: skip


def wave_limits_ms(explanations: Iterable[Explanation]) -> dict[str, tuple[float, float]]:
    """Where the waves begin and end, ms from the R peak; where patients differ, the mean."""
    limits: dict[str, list[tuple[float, float]]] = {}
    for explanation in explanations:
        for row in explanation.waves:
            if row["from_ms"] is not None:
                limits.setdefault(row["wave"], []).append((row["from_ms"], row["to_ms"]))
    return {wave: tuple(np.mean(of_wave, axis=0).tolist()) for wave, of_wave in limits.items()}


def draw_attention_scale(figure: Figure) -> None:
    """Above the panels: which color and breadth stand for how much attention."""
    axes = _scale_axes(figure, ATTENTION_LEVELS)
    edges = np.arange(ATTENTION_LEVELS + 1)
    lines = [np.array([[i, 0], [j, 0]]) for i, j in pairwise(edges)]
    axes.add_collection(_attention_lines(lines, edges[:-1]))
    _name_ends(axes, "attention 0", "1", ATTENTION_LEVELS)


def draw_color_scale(figure: Figure, low: str, high: str) -> None:
    """Above the panels: the colors of a scale, and what its ends are."""
    axes = _scale_axes(figure, SCALE_LEVELS)
    for level in range(SCALE_LEVELS):
        axes.plot([level, level + 1], [0, 0], color=LIGHT[f"scale-{level}"], lw=6, solid_capstyle="butt")
    _name_ends(axes, low, high, SCALE_LEVELS)


def draw_beats(axes: Axes, positions: np.ndarray, groups: Iterable[Group]) -> None:
    """Beats at positions (n, 2), group by group, the last on top."""
    hide_ticks(axes)
    for mine, color, alpha in groups:
        if np.any(mine):
            axes.add_patch(_dots(positions[mine], color, alpha))
    axes.autoscale_view()


def colored(beats: Embedding, coloring: str, limits: tuple[float, float]) -> list[Group]:
    """The beats by one of `COLORINGS`: class, pale where the model has learned from the draw; potassium on the scale
    between two limits; or episode, on the scale from the first to the last.
    """
    if coloring == "class":
        return [
            ((beats.labels == label) & (beats.learned == learned), class_color(label), PALE if learned else FULL)
            for learned in (True, False)
            for label in (0, 1)
        ]
    values, (low, high) = beats.potassium, limits
    if coloring == "episode":
        values, low, high = beats.episodes, 0, beats.episodes.max()
    levels = _levels((values - low) / max(high - low, 1e-9), SCALE_LEVELS)
    return [(levels == level, LIGHT[f"scale-{level}"], FULL) for level in range(SCALE_LEVELS)]


def potassium_limits(explanations: Iterable[Explanation]) -> tuple[float, float]:
    """The smallest and the largest value among the beats."""
    values = [beats.potassium for explanation in explanations for beats in explanation.embedding.values()]
    return float(min(map(np.min, values))), float(max(map(np.max, values)))


def draw_key(figure: Figure, coloring: str, limits: tuple[float, float], unit: str) -> None:
    """Above the panels: what the colors of one of `COLORINGS` mean."""
    if coloring == "class":
        figure.legend(handles=class_legend(), loc="outside upper left", ncols=4)
    elif coloring == "episode":
        draw_color_scale(figure, "episodes: the first", "the last")
    else:
        draw_color_scale(figure, f"{limits[0]:.1f}", f"{limits[1]:.1f} {unit}")


def set_class_title(axes: Axes, title: str, label: int) -> None:
    """A title with a mark in the color of a class before it: the color itself is too light for words."""
    axes.set_title(f"{2 * EN_SPACE}{title}")
    above = axes.transAxes + ScaledTranslation(4 / 72, 9.5 / 72, axes.figure.dpi_scale_trans)
    axes.plot(0, 1, transform=above, color=class_color(label), marker="o", ms=7, clip_on=False)


def class_legend() -> list[Line2D]:
    """Handles of the two classes, training or not."""
    return [
        Line2D([], [], color=class_color(k), marker="o", ls="none", alpha=alpha, label=f"{CLASS_NAMES[k]}{addition}")
        for k in (0, 1)
        for alpha, addition in ((FULL, ""), (PALE, ", training"))
    ]


def _levels(shares: np.ndarray, n: int) -> np.ndarray:
    """Of numbers from 0 to 1, which of n equal steps they lie in."""
    return np.clip((shares * n).astype(int), 0, n - 1)


def _scale_axes(figure: Figure, n_levels: int) -> Axes:
    reserve_head(figure, 0.4)
    axes = figure.add_axes((0.8, 1 - 0.32 / figure.get_figheight(), 0.12, 0.2 / figure.get_figheight()))
    axes.set(xlim=(-0.3, n_levels + 0.3), ylim=(-1, 1))
    axes.axis("off")
    return axes


def _name_ends(axes: Axes, low: str, high: str, n_levels: int) -> None:
    axes.text(-0.8, 0, low, ha="right", va="center")
    axes.text(n_levels + 0.8, 0, high, ha="left", va="center")


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
