"""The figures of intervals and of real prevalence: the forest of patients, and decision curves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.core.wording import plural
from kalemia.report.figures.canvas import NOBODY, panel_rows, panels, svg_figure, write_remark
from kalemia.report.figures.palette import LIGHT, model_color
from kalemia.report.results import StudyResults

MIN_BENEFIT = -0.1  # what harms more is beyond the axis
# Beyond it one false alert outweighs more than four true ones, and curves jump with single draws.
MAX_THRESHOLD = 0.8


def write_forest_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """Each patient's AUC with the generic network and after the last round, with intervals: a column an arm."""
    arms = list(study.arms)
    rows = [row for row in data.evaluation["patient_metrics"].to_pylist() if row["metric"] == "auc"]
    subjects = sorted({row["subject_id"] for row in rows})
    names = [data.shown[subject_name(subject)] for subject in subjects]
    if not subjects:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    with svg_figure(paths, title, 0.3 + (1 + 0.32 * len(subjects)) * panel_rows(arms), study.is_simulated) as figure:
        for arm, axes in zip(arms, panels(figure, arms), strict=True):
            arm_rows = [row for row in rows if row["arm"] == arm]
            color = model_color(arm, arms)
            for place, subject in enumerate(subjects):
                of_patient = sorted(
                    (row for row in arm_rows if row["subject_id"] == subject), key=lambda row: row["round"]
                )
                if not of_patient:
                    axes.text(0.0, place, "not evaluable", va="center", color=LIGHT["muted"])
                    continue
                _draw_before_and_after(axes, place, of_patient[0], of_patient[-1], color)
            means = [
                {**row, "value": row["mean"]} for row in data.averages if (row["arm"], row["metric"]) == (arm, "auc")
            ]
            if means and means[0]["patients"]:
                _draw_before_and_after(axes, len(subjects) + 0.4, means[0], means[-1], color, marker="D")
            axes.axvline(0.5, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
            axes.axhline(len(subjects) - 0.3, color=LIGHT["faint"], lw=0.8)
            axes.set_title(f"{arm} ({plural(len({row['subject_id'] for row in arm_rows}), 'patient')})")
            axes.set_xlim(-0.03, 1.03)
            axes.set_xlabel("AUC over the test draws of the patient")
            axes.set_yticks([*range(len(subjects)), len(subjects) + 0.4], [*names, "mean"])
            axes.set_ylim(len(subjects) + 1, -0.7)
        figure.legend(handles=_forest_legend(), loc="upper left", ncols=3)


def write_decision_curve_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """Net benefit over threshold probabilities, generic and after the last round: a panel an arm."""
    arms = list(study.arms)
    rows = data.evaluation["decision_curve"].to_pylist()
    shown_arms = [arm for arm in arms if any(row["arm"] == arm for row in rows)]
    if not shown_arms:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    worth = {(row["arm"], row["round"]): row for row in data.evaluation["prevalence"].to_pylist()}
    with svg_figure(paths, title, 0.3 + 3.1 * panel_rows(shown_arms), study.is_simulated) as figure:
        for arm, axes in zip(shown_arms, panels(figure, shown_arms), strict=True):
            _draw_curve(axes, rows, arm, 0, "net_benefit", color=LIGHT["generic"], ls="--", lw=1.8)
            _draw_curve(axes, rows, arm, data.n_rounds, "net_benefit", color=model_color(arm, arms), lw=2.2)
            _draw_curve(axes, rows, arm, 0, "treat_all", color=LIGHT["ink"], ls=(0, (4, 3)), lw=1.2)
            axes.axhline(0, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
            prevalence = worth[arm, 0]
            axes.set_title(
                f"{arm} ({plural(prevalence['n_draws'], 'draw')}, {100 * prevalence['prevalence']:.0f}% positive)"
            )
            axes.set_xlim(0, MAX_THRESHOLD)
            axes.set_ylim(MIN_BENEFIT, max(0.1, 1.08 * max(row["treat_all"] for row in rows)))
            axes.set_xlabel("threshold probability")
            axes.grid(axis="y")
        figure.axes[0].set_ylabel("net benefit per draw")
        figure.legend(handles=_curve_legend(), loc="upper left", ncols=4)


def _draw_before_and_after(axes: Axes, place: float, before: dict, after: dict, color: str, marker: str = "o") -> None:
    for row, shift, shade in ((before, -0.13, LIGHT["generic"]), (after, 0.13, color)):
        if row["value"] is None:
            continue
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place + shift] * 2, color=shade, lw=1.8, solid_capstyle="butt")
        axes.plot(row["value"], place + shift, color=shade, marker=marker, ms=5.5, mec=LIGHT["paper"], mew=0.6)


def _draw_curve(axes: Axes, rows: list[dict], arm: str, round_: int, column: str, **look) -> None:
    arm_rows = [row for row in rows if (row["arm"], row["round"]) == (arm, round_)]
    values = np.array([row[column] for row in arm_rows])
    axes.plot([row["probability"] for row in arm_rows], np.maximum(values, MIN_BENEFIT - 1), **look)


def _forest_legend() -> list[Line2D]:
    return [
        Line2D([], [], color=LIGHT["generic"], marker="o", ms=5.5, lw=1.8, label="generic network"),
        Line2D([], [], color=LIGHT["ink"], marker="o", ms=5.5, lw=1.8, label="after the last round (color of the arm)"),
        Line2D([], [], color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4, label="chance"),
    ]


def _curve_legend() -> list[Line2D]:
    return [
        Line2D([], [], color=LIGHT["generic"], ls="--", lw=1.8, label="generic network"),
        Line2D([], [], color=LIGHT["ink"], lw=2.2, label="after the last round (color of the arm)"),
        Line2D([], [], color=LIGHT["ink"], ls=(0, (4, 3)), lw=1.2, label="always alert"),
        Line2D([], [], color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4, label="never alert"),
    ]
