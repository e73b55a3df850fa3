"""Figures of one patient: metrics over rounds, values over time, and mean beats."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kalemia.core.config import Analyte, Study
from kalemia.core.wording import plural
from kalemia.report.figures.canvas import (
    LEGEND_COLUMNS,
    NOT_EVALUABLE,
    round_axis,
    share_axis,
    svg_figure,
    write_remark,
)
from kalemia.report.figures.explanation_drawing import CLASS_NAMES, TIME_MS
from kalemia.report.figures.palette import LIGHT, class_color, model_look
from kalemia.report.formatting import METRIC_NAMES
from kalemia.report.inputs import PatientArm, PatientResults

MAX_GAP_DAYS = 5.0  # longer ones are shortened in the picture of potassium over time
SHORTENED_DAYS = 0.6


def write_patient_rounds_figure(paths: Sequence[Path], title: str, study: Study, patient: PatientResults) -> None:
    """The four metrics over the patient's own test draws after each round, a line an arm."""
    arms = list(study.arms)
    evaluable = [arm for arm in arms if patient.arms[arm].predictions]
    if not evaluable:
        write_remark(paths, title, NOT_EVALUABLE, study.is_simulated)
        return
    with svg_figure(paths, title, 2.7, study.is_simulated) as figure:
        n_rounds = max(len(patient.arms[arm].metrics) for arm in evaluable)
        for metric, axes in zip(METRIC_NAMES, figure.subplots(1, len(METRIC_NAMES), sharey=True), strict=True):
            for arm in evaluable:
                values = [metrics[metric] for metrics in patient.arms[arm].metrics]
                look = model_look(arm, arms)
                axes.plot(
                    values, color=look.color, ls=look.dash, lw=1.8, marker=look.marker, ms=5, alpha=0.9, label=arm
                )
            axes.set_title(METRIC_NAMES[metric])
            round_axis(axes, n_rounds - 1)
            axes.set_xlabel("round")
            share_axis(axes)
        n_columns = min(len(evaluable), LEGEND_COLUMNS)
        figure.legend(*axes.get_legend_handles_labels(), loc="upper left", ncols=n_columns)


def write_potassium_figure(paths: Sequence[Path], title: str, study: Study, patient: PatientResults) -> None:
    """Potassium over time, and below it on the same axis the probability that the last round of each arm gives."""
    usable = [row for row in patient.excerpts if row["reason"] is None]
    shown_arms = [arm for arm in study.arms if patient.arms[arm].predictions]
    with svg_figure(paths, title, 2.3 + 1.7 * len(shown_arms), study.is_simulated) as figure:
        grid = figure.subplots(1 + len(shown_arms), 1, sharex=True, squeeze=False)[:, 0]
        timeline = Timeline.of([row["draw_time"] for row in usable])
        draw_values(grid[0], timeline, usable, study.analyte)
        for arm, axes in zip(shown_arms, grid[1:], strict=True):
            by_draw = patient.arms[arm].last_by_draw
            draw_probabilities(axes, timeline, [by_draw.get(row["draw_id"]) for row in usable])
            axes.set_title(f"{arm}, after round {len(patient.arms[arm].metrics) - 1}: {_right(patient.arms[arm])}")
        timeline.label(grid[-1])
        figure.legend(handles=decision_legend(), loc="upper left", ncols=6, columnspacing=1.2)


def write_beats_figure(paths: Sequence[Path], title: str, study: Study, patient: PatientResults) -> None:
    """The mean beat of every draw as a thin line, and the mean over the draws of each class as a thick one."""
    if not len(patient.draw_labels):
        write_remark(paths, title, "No labeled draw of this patient has usable beats.", study.is_simulated)
        return
    with svg_figure(paths, title, 3.2, study.is_simulated) as figure:
        axes = figure.add_subplot()
        for label in (0, 1):
            beats_mv = patient.draw_beats_mv[patient.draw_labels == label]
            if len(beats_mv):
                axes.plot(TIME_MS, beats_mv.T, color=class_color(label), lw=0.7, alpha=0.3)
                draw_mean_beat(axes, beats_mv.mean(axis=0), label, f", mean of {plural(len(beats_mv), 'draw')}")
        axes.legend(loc="upper right")


def draw_mean_beat(axes: Axes, beat_mv: np.ndarray, label: int, addition: str = "") -> None:
    """The mean beat (120,) of a class, named in the legend."""
    axes.plot(TIME_MS, beat_mv, color=class_color(label), lw=2.4, label=f"{CLASS_NAMES[label]}{addition}")
    axes.set(xlim=(TIME_MS[0], TIME_MS[-1]), xlabel="ms from the R peak", ylabel="mV")
    axes.grid(visible=True)


def draw_values(axes: Axes, timeline: "Timeline", draws: list[dict], analyte: Analyte) -> None:
    """The value of each draw in the color of its class, on the ranges of the two classes."""
    values = np.array([draw["value"] for draw in draws], dtype=float)
    _shade_classes(axes, analyte, values)
    axes.plot(timeline.places, values, color=LIGHT["faint"], lw=1, zorder=1)
    for draw, place in zip(draws, timeline.places, strict=True):
        axes.plot(place, draw["value"], marker="o", ms=6, mfc=class_color(draw["label"]), mec=LIGHT["paper"], zorder=3)
    timeline.mark_gaps(axes)
    axes.set_title(analyte.name.capitalize())
    axes.set_ylabel(analyte.unit)


def draw_probabilities(axes: Axes, timeline: "Timeline", predictions: list[dict | None]) -> None:
    """The probability of a positive draw for each draw: its class by color, its role and the decision by the mark."""
    known = [(place, one) for place, one in zip(timeline.places, predictions, strict=True) if one]
    places, probabilities = [place for place, _ in known], [one["probability"] for _, one in known]
    axes.plot(places, probabilities, color=LIGHT["faint"], lw=1, zorder=1)
    for place, one in known:
        _draw_decision(axes, place, one)
    axes.axhline(0.5, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
    timeline.mark_gaps(axes)
    share_axis(axes)
    axes.set_ylabel("P(positive)")


@dataclass(frozen=True)
class Timeline:
    """Days since the first draw, ascending (draws,), and their places on an axis on which long pauses are short."""

    days: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, times: list[datetime]) -> "Timeline":
        """Of draws in the order of time."""
        days = np.array([(time - times[0]).total_seconds() / 86400 for time in times])
        return cls(days, shortened_gaps(days))

    def mark_gaps(self, axes: Axes) -> None:
        """A dotted line in each pause that is shortened."""
        for after in np.flatnonzero(np.diff(self.days) > MAX_GAP_DAYS):
            middle = (self.places[after] + self.places[after + 1]) / 2
            axes.axvline(middle, color=LIGHT["muted"], lw=1, ls=(0, (1, 2)))

    def label(self, axes: Axes) -> None:
        """Ticks at the first draw of every stretch, and between them at whole days, eight or so in all."""
        days, places = self.days, self.places
        step = max(1, round((places[-1] if len(places) else 0) / 8))
        ticks: dict[float, int] = {}
        for first in np.flatnonzero(np.diff(days, prepend=-np.inf) > MAX_GAP_DAYS):
            after = np.flatnonzero(np.diff(days[first:]) > MAX_GAP_DAYS)
            last = first + after[0] if len(after) else len(days) - 1
            for day in range(int(days[first]), int(days[last]) + 1, step):
                ticks[places[first] + day - days[first]] = day
        axes.set_xticks(list(ticks), [str(day) for day in ticks.values()])
        shortened = "; dotted: a longer pause, shortened" if np.any(np.diff(days) > MAX_GAP_DAYS) else ""
        axes.set_xlabel(f"days since the first draw{shortened}")


def shortened_gaps(days: np.ndarray) -> np.ndarray:
    """Positions for ascending `days` (draws,), in which a gap above `MAX_GAP_DAYS` takes `SHORTENED_DAYS`."""
    gaps = np.diff(days, prepend=days[:1])
    return np.cumsum(np.where(gaps > MAX_GAP_DAYS, SHORTENED_DAYS, gaps))


def _draw_decision(axes: Axes, place: float, one: dict) -> None:
    color, y = class_color(one["label"]), one["probability"]
    if one["role"] == "test" and one["decision"] == one["label"]:
        axes.plot(place, y, marker="o", ms=7, mfc=color, mec=LIGHT["paper"], zorder=3)
    elif one["role"] == "test":
        axes.plot(place, y, marker="X", ms=9.5, mfc=color, mec=LIGHT["ink"], mew=1, zorder=3)
    elif one["role"] == "train":
        axes.plot(place, y, marker="s", ms=6, mfc=LIGHT["paper"], mec=color, mew=1.4, zorder=2)
    else:
        axes.plot(place, y, marker="o", ms=3.5, mfc=color, mec="none", zorder=2)


def decision_legend() -> list[Line2D]:
    """What colors and marks of `draw_values` and `draw_probabilities` mean."""
    ink, paper = LIGHT["ink"], LIGHT["paper"]
    common = {"color": ink, "ls": "none"}
    return [
        *(Line2D([], [], marker="s", ms=7, ls="none", color=class_color(k), label=CLASS_NAMES[k]) for k in (1, 0)),
        Line2D([], [], marker="s", ms=6, mfc=paper, mec=ink, mew=1.4, label="training", **common),
        Line2D([], [], marker="o", ms=7, label="test, right", **common),
        Line2D([], [], marker="X", ms=9, label="test, wrong", **common),
        Line2D([], [], marker="o", ms=3.5, label="other", **common),
    ]


def _shade_classes(axes: Axes, analyte: Analyte, values: np.ndarray) -> None:
    """Tint the ranges of the two classes, within the values seen and a little more."""
    low, high = (values.min() - 0.3, values.max() + 0.3) if len(values) else (0, 1)
    for label, range_ in ((0, analyte.negative), (1, analyte.positive)):
        bottom, top = max(low, range_.above, range_.from_), min(high, range_.below, range_.to)
        if bottom < top:
            axes.axhspan(bottom, top, color=class_color(label), alpha=0.08, lw=0, zorder=0)
    axes.set_ylim(low, high)


def _right(arm: PatientArm) -> str:
    test = arm.metrics[-1]
    return f"{round(test['accuracy'] * test['n_test'])} of {plural(test['n_test'], 'test draw')} right"
