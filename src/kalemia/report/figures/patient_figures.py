"""Figures of one patient: metrics over rounds, values over time, and mean beats."""

from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kalemia.core.config import Analyte, Study
from kalemia.report.figures.canvas import LEGEND_COLUMNS, NOT_EVALUABLE, share_axis, svg_figure, write_remark
from kalemia.report.figures.explanation_drawing import CLASS_NAMES, TIME_MS
from kalemia.report.figures.palette import LIGHT, class_color, model_look
from kalemia.report.formatting import METRIC_NAMES
from kalemia.report.inputs import PatientArm, PatientResults

MAX_GAP_DAYS = 5.0  # longer ones are shortened in the picture of potassium over time
SHORTENED_DAYS = 0.6


def write_patient_rounds_figure(path: Path, title: str, study: Study, patient: PatientResults) -> None:
    """The four metrics over the patient's own test draws after each round, a line an arm."""
    arms = list(study.arms)
    evaluable = [arm for arm in arms if patient.arms[arm].predictions]
    if not evaluable:
        write_remark(path, title, NOT_EVALUABLE, study.is_simulated)
        return
    with svg_figure(path, title, 2.7, study.is_simulated) as figure:
        n_rounds = max(len(patient.arms[arm].metrics) for arm in evaluable)
        for metric, axes in zip(METRIC_NAMES, figure.subplots(1, len(METRIC_NAMES), sharey=True), strict=True):
            for arm in evaluable:
                values = [metrics[metric] for metrics in patient.arms[arm].metrics]
                look = model_look(arm, arms)
                axes.plot(
                    values, color=look.color, ls=look.dash, lw=1.8, marker=look.marker, ms=5, alpha=0.9, label=arm
                )
            axes.set_title(METRIC_NAMES[metric])
            axes.set_xticks(range(n_rounds), ["gen.", *map(str, range(1, n_rounds))])
            axes.set_xlabel("round")
            share_axis(axes)
        n_columns = min(len(evaluable), LEGEND_COLUMNS)
        figure.legend(*axes.get_legend_handles_labels(), loc="upper left", ncols=n_columns)


def write_potassium_figure(path: Path, title: str, study: Study, patient: PatientResults) -> None:
    """Potassium over time, a row an arm: what each draw was for, and whether the last round decides it rightly."""
    arms, analyte = list(study.arms), study.analyte
    with svg_figure(path, title, 0.75 + 1.9 * len(arms), study.is_simulated) as figure:
        usable = [row for row in patient.excerpts if row["reason"] is None]
        days = _days([row["draw_time"] for row in usable])
        places = shortened_gaps(days)
        values = np.array([row["value"] for row in usable], dtype=float)
        grid = figure.subplots(len(arms), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for arm, axes in zip(arms, grid, strict=True):
            _shade_classes(axes, analyte, values)
            axes.plot(places, values, color=LIGHT["faint"], lw=1, zorder=1)
            for row, place in zip(usable, places, strict=True):
                _draw_decision(axes, place, row, patient.arms[arm].last_by_draw.get(row["draw_id"]))
            _mark_gaps(axes, days, places)
            axes.set_title(f"{arm}{_evaluability(patient.arms[arm])}")
            axes.set_ylabel(analyte.unit)
        _label_days(grid[-1], days, places)
        figure.legend(handles=_decision_legend(), loc="upper left", ncols=5, columnspacing=1.4)


def write_beats_figure(path: Path, title: str, study: Study, patient: PatientResults) -> None:
    """The mean beat of every draw as a thin line, and the mean over the draws of each class as a thick one."""
    if not len(patient.draw_labels):
        write_remark(path, title, "No labeled draw of this patient has usable beats.", study.is_simulated)
        return
    with svg_figure(path, title, 3.2, study.is_simulated) as figure:
        axes = figure.add_subplot()
        for label in (0, 1):
            beats_mv, color = patient.draw_beats_mv[patient.draw_labels == label], class_color(label)
            if len(beats_mv):
                axes.plot(TIME_MS, beats_mv.T, color=color, lw=0.7, alpha=0.3)
                name = f"{CLASS_NAMES[label]}, mean of {len(beats_mv)} draws"
                axes.plot(TIME_MS, beats_mv.mean(axis=0), color=color, lw=2.4, label=name)
        axes.set(xlim=(TIME_MS[0], TIME_MS[-1]), xlabel="ms from the R peak", ylabel="mV")
        axes.grid()
        axes.legend(loc="upper right")


def shortened_gaps(days: np.ndarray) -> np.ndarray:
    """Positions for ascending `days` (draws,), in which a gap above `MAX_GAP_DAYS` takes `SHORTENED_DAYS`."""
    gaps = np.diff(days, prepend=days[:1])
    return np.cumsum(np.where(gaps > MAX_GAP_DAYS, SHORTENED_DAYS, gaps))


def _days(times: list[datetime]) -> np.ndarray:
    """Days since the first of `times`."""
    return np.array([(time - times[0]).total_seconds() / 86400 for time in times])


def _draw_decision(axes: Axes, place: float, draw: dict, prediction: dict | None) -> None:
    color = class_color(draw["label"])
    role = prediction["role"] if prediction else "other"
    if role == "test" and prediction["decision"] == draw["label"]:
        axes.plot(place, draw["value"], marker="o", ms=7, mfc=color, mec=LIGHT["paper"], zorder=3)
    elif role == "test":
        axes.plot(place, draw["value"], marker="X", ms=9.5, mfc=color, mec=LIGHT["ink"], mew=1, zorder=3)
    elif role == "train":
        axes.plot(place, draw["value"], marker="s", ms=6, mfc=LIGHT["paper"], mec=color, mew=1.4, zorder=2)
    else:
        axes.plot(place, draw["value"], marker="o", ms=3.5, mfc=color, mec="none", zorder=2)


def _decision_legend() -> list[Line2D]:
    ink, paper = LIGHT["ink"], LIGHT["paper"]
    common = {"color": ink, "ls": "none"}
    return [
        Line2D([], [], marker="s", ms=6, mfc=paper, mec=ink, mew=1.4, label="training", **common),
        Line2D([], [], marker="o", ms=7, label="test, right", **common),
        Line2D([], [], marker="X", ms=9, label="test, wrong", **common),
        Line2D([], [], marker="o", ms=3.5, label="neither", **common),
    ]


def _shade_classes(axes: Axes, analyte: Analyte, values: np.ndarray) -> None:
    """Tint the ranges of the two classes, within the values seen and a little more."""
    low, high = (values.min() - 0.3, values.max() + 0.3) if len(values) else (0, 1)
    for label, range_ in ((0, analyte.negative), (1, analyte.positive)):
        bottom, top = max(low, range_.above, range_.from_), min(high, range_.below, range_.to)
        if bottom < top:
            axes.axhspan(bottom, top, color=class_color(label), alpha=0.08, lw=0, zorder=0)
    axes.set_ylim(low, high)


def _mark_gaps(axes: Axes, days: np.ndarray, places: np.ndarray) -> None:
    for after in np.flatnonzero(np.diff(days) > MAX_GAP_DAYS):
        middle = (places[after] + places[after + 1]) / 2
        axes.axvline(middle, color=LIGHT["muted"], lw=1, ls=(0, (1, 2)))


def _label_days(axes: Axes, days: np.ndarray, places: np.ndarray) -> None:
    """Ticks at the first draw of every stretch, and between them at whole days, eight or so in all."""
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


def _evaluability(arm: PatientArm) -> str:
    if arm.reason is not None:
        return f": {arm.reason}"
    test = arm.metrics[-1]
    right = round(test["accuracy"] * test["n_test"])
    return f" after round {len(arm.metrics) - 1}: {right} of {test['n_test']} test draws right"
