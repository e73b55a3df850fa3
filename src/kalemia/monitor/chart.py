"""The picture of the page of a monitor: panels over time as the numbers of a SVG, which the template draws."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kalemia.ecg.filters import recorded_runs

WIDTH, LEFT, RIGHT = 1000, 52, 12
_TITLE, _GAP, _FOOT = 20, 14, 22
_MOST_TICKS = 9
_TICKS_H = (1 / 12, 1 / 6, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 72, 168, 336, 672)


@dataclass
class Panel:
    """One panel: lines are texts of points; bands are (x, width); marks are (x, y, text); limits is the dashed line."""

    title: str
    top: float
    height: float
    low: float
    high: float
    ticks: list[tuple[float, str]]
    lines: list[str] = field(default_factory=list)
    bands: list[tuple[float, float]] = field(default_factory=list)
    gaps: list[tuple[float, float]] = field(default_factory=list)
    marks: list[tuple[float, float, str]] = field(default_factory=list)
    limit: float | None = None

    def y(self, value: float) -> float:
        """The place of a value; one beyond the panel's range lies on its edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.top + self.height * (1 - share)


class Chart:
    """Panels below each other over the hours from 0 to `hours`; `height` grows with each that is added."""

    def __init__(self, hours: float):
        self.hours, self.panels, self._bottom = hours, [], 0.0

    @property
    def height(self) -> float:
        return self._bottom + _FOOT

    @property
    def bottom(self) -> float:
        """Of the lowest panel."""
        return self._bottom

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(x, text) of the axis of time."""
        step = next((step for step in _TICKS_H if self.hours / step <= _MOST_TICKS), _TICKS_H[-1])
        hours = np.arange(0, self.hours + step / 100, step).tolist()
        return [(self.x(hour), f"{60 * hour:.0f} min" if step < 1 else f"{hour:.0f} h") for hour in hours]

    def x(self, hour: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * hour / self.hours

    def add_panel(self, title: str, height: float, low: float, high: float, ticks: Sequence[float]) -> Panel:
        """An empty panel for values from `low` to `high`."""
        top = self._bottom + _TITLE + (_GAP if self.panels else 0)
        panel = Panel(title, top, height, low, high, [])
        panel.ticks = [(panel.y(tick), f"{tick:g}") for tick in ticks]
        self.panels.append(panel)
        self._bottom = top + height
        return panel

    def draw_line(self, panel: Panel, hours: np.ndarray, values: np.ndarray) -> None:
        """A line over `hours` (n,), interrupted where values (n,) are NaN; a value between two NaN is a dot."""
        for run in recorded_runs(values):
            points = [f"{self.x(h):.1f},{panel.y(v):.1f}" for h, v in zip(hours[run], values[run], strict=True)]
            panel.lines.append(" ".join(points * (2 if len(points) == 1 else 1)))

    def span(self, start_hour: float, stop_hour: float) -> tuple[float, float]:
        """(x, width) of a stretch of time, at least as wide as can be seen."""
        start, stop = self.x(max(0.0, start_hour)), self.x(min(self.hours, stop_hour))
        return start, max(1.5, stop - start)


def nice_range(values: np.ndarray, step: float, default: tuple[float, float]) -> tuple[float, float, list[float]]:
    """Low and high end of an axis that holds the values (n,), both multiples of `step`, and ticks there."""
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if len(known) else default
    low, high = step * np.floor(low / step), step * np.ceil(high / step)
    high = max(high, low + step)
    return float(low), float(high), [float(low), float(high)]
