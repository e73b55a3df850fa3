"""Panels of what a network looks at: Grad-CAM on the mean beat, and single beats in the plane."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.report.figures.palette import ATTENTION_LEVELS, LIGHT, SCALE_LEVELS, class_color
from kalemia.report.figures.tiles import Limits, Panel, Tiles, limits_around
from kalemia.report.results import Embedding, Explanation

TIME_MS = (np.arange(BEAT_SAMPLES) - R_INDEX) * 1000 / RATE_HZ
FULL, PALE = 0.85, 0.3  # opacity of beats
CLASS_NAMES = {0: "negative", 1: "positive"}
DOT_SIZE = 2.5
COLORINGS = ("class", "potassium", "episode")


class BeatMap(NamedTuple):
    """A mean beat (120,) in mV, and the attention (120,), 0 to 1, that a network pays to it."""

    beat_mv: np.ndarray
    attention: np.ndarray


Group = tuple[np.ndarray, str, float]  # which beats (n,), their color and opacity


def draw_attention(panel: Panel, map_: BeatMap) -> None:
    """The beat as a line that is darker and broader the more attention a sample has."""
    levels = _levels(map_.attention, ATTENTION_LEVELS)[:-1]
    starts = np.flatnonzero(np.diff(levels, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(levels)], strict=True):
        part = slice(start, stop + 1)
        points = np.column_stack([TIME_MS[part], map_.beat_mv[part]])
        panel.line(points, *_attention_look(levels[start]), cap="round")


def beat_limits(beats_mv: Iterable[np.ndarray], margin: float) -> tuple[Limits, Limits]:
    """Limits of the x and y axis for beats (120,), with a margin of y that is a share of its range."""
    beats_mv = list(beats_mv)
    return (float(TIME_MS[0]), float(TIME_MS[-1])), limits_around(np.stack(beats_mv), margin) if beats_mv else (0, 1)


def draw_waves(panel: Panel, limits_ms: dict[str, Limits]) -> None:
    """Where each wave begins and ends, and its name above."""
    panel.vertical_lines(sorted({at_ms for limits in limits_ms.values() for at_ms in limits}), LIGHT["faint"], 0.8)
    first, last = panel.x_limits
    for name, (start_ms, stop_ms) in limits_ms.items():
        middle = ((start_ms + stop_ms) / 2 - first) / (last - first)
        panel.text(middle, 0.98, name, ha="center", va="top", fontsize=7.5, color=LIGHT["muted"])


def wave_limits_ms(explanations: Iterable[Explanation]) -> dict[str, Limits]:
    """Where the waves begin and end, ms from the R peak; where patients differ, the mean."""
    limits: dict[str, list[Limits]] = {}
    for explanation in explanations:
        for row in explanation.waves:
            if row["from_ms"] is not None:
                limits.setdefault(row["wave"], []).append((row["from_ms"], row["to_ms"]))
    return {wave: tuple(np.mean(of_wave, axis=0).tolist()) for wave, of_wave in limits.items()}


def draw_attention_scale(tiles: Tiles) -> None:
    """Draw the scale above the panels: color and line width against attention."""
    looks = [_attention_look(level) for level in range(ATTENTION_LEVELS)]
    _draw_scale(tiles, looks, "round", "attention 0", "1")


def draw_color_scale(tiles: Tiles, low: str, high: str) -> None:
    """Above the panels: the colors of a scale, and what its ends are."""
    _draw_scale(tiles, [(LIGHT[f"scale-{level}"], 6) for level in range(SCALE_LEVELS)], "butt", low, high)


def draw_beats(panel: Panel, positions: np.ndarray, groups: Iterable[Group]) -> None:
    """Beats at positions (n, 2), group by group, the last on top."""
    panel = replace(panel, x_limits=limits_around(positions[:, 0]), y_limits=limits_around(positions[:, 1]))
    for mine, color, alpha in groups:
        panel.dots(positions[mine], color, DOT_SIZE, alpha)


def colored(beats: Embedding, coloring: str, limits: Limits) -> list[Group]:
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


def potassium_limits(explanations: Iterable[Explanation]) -> Limits:
    """The smallest and the largest value among the beats."""
    values = [beats.potassium for explanation in explanations for beats in explanation.embedding.values()]
    return float(min(map(np.min, values))), float(max(map(np.max, values)))


def draw_key(figure: Figure, tiles: Tiles, coloring: str, limits: Limits, unit: str) -> None:
    """Above the panels: what the colors of one of `COLORINGS` mean."""
    if coloring == "class":
        figure.legend(handles=class_legend(), loc="upper left", ncols=4)
    elif coloring == "episode":
        draw_color_scale(tiles, "episodes: the first", "the last")
    else:
        draw_color_scale(tiles, f"{limits[0]:.1f}", f"{limits[1]:.1f} {unit}")


def class_legend() -> list[Line2D]:
    """Handles of the two classes, training or not."""
    return [
        Line2D([], [], color=class_color(k), marker="o", ls="none", alpha=alpha, label=f"{CLASS_NAMES[k]}{addition}")
        for k in (0, 1)
        for alpha, addition in ((FULL, ""), (PALE, ", training"))
    ]


def _levels(shares: np.ndarray, n: int) -> np.ndarray:
    """Sort numbers from 0 to 1 into n equal steps."""
    return np.clip((shares * n).astype(int), 0, n - 1)


def _attention_look(level: int) -> tuple[str, float]:
    return LIGHT[f"attention-{level}"], 1.2 + 0.35 * int(level)


def _draw_scale(tiles: Tiles, looks: list[tuple[str, float]], cap: str, low: str, high: str) -> None:
    left, width, y = 0.8 * tiles.width_in, 0.12 * tiles.width_in, tiles.height_in - 0.22
    edges = left + width * np.linspace(0, 1, len(looks) + 1)
    for (color, line_width), start, stop in zip(looks, edges, edges[1:], strict=False):
        tiles.stroke(np.array([[start, y], [stop, y]]), color, line_width, cap)
    tiles.axes.text(left - 0.1, y, low, ha="right", va="center")
    tiles.axes.text(left + width + 0.1, y, high, ha="left", va="center")
