"""Figures of the verdict: arms against their negative controls and baselines, and by distance to training."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kalemia.core.config import Study
from kalemia.core.wording import display_name, plural
from kalemia.report.figures.canvas import NOBODY, panel_rows, panels, share_axis, svg_figure, write_remark
from kalemia.report.figures.distance_bins import DISTANCE_EDGES_HOURS, by_distance, distance_names
from kalemia.report.figures.palette import LIGHT, model_color
from kalemia.report.formatting import number
from kalemia.report.results import StudyResults


def write_verdict_figure(path: Path, title: str, study: Study, data: StudyResults) -> None:
    """For each arm: the mean AUC of the real run and of every negative-control run; and the differences by patient."""
    arms = list(study.arms)
    shown_arms = [arm for arm in arms if "difference" in data.verdict["arms"][arm]]
    if not shown_arms:
        write_remark(path, title, NOBODY, study.is_simulated)
        return
    with svg_figure(path, title, 0.7 + 1.9 * len(shown_arms), study.is_simulated) as figure:
        grid = figure.subplots(len(shown_arms), 2, squeeze=False, width_ratios=(1.25, 1))
        for arm, (left, right) in zip(shown_arms, grid, strict=True):
            found, color = data.verdict["arms"][arm], model_color(arm, arms)
            _draw_nulls(left, found, color)
            left.set_title(f"{arm}: {found['verdict']}")
            _draw_forest(right, found, color)
            right.set_title(f"{arm}, minus {display_name(found['best_baseline'])}, by patient")
        grid[-1, 0].set_xlabel("mean AUC over patients after the last round")
        grid[-1, 1].set_xlabel("difference in AUC")
        figure.legend(handles=_verdict_legend(), loc="upper left", ncols=4)


def write_baselines_figure(path: Path, title: str, study: Study, data: StudyResults) -> None:
    """For each arm the mean AUC of every baseline, and of the last round."""
    arms = list(study.arms)
    shown_arms = [arm for arm in arms if data.verdict["arms"][arm].get("baselines")]
    if not shown_arms:
        write_remark(path, title, NOBODY, study.is_simulated)
        return
    names = list(data.verdict["arms"][shown_arms[0]]["baselines"])
    with svg_figure(path, title, 0.4 + (1 + 0.25 * len(names)) * panel_rows(shown_arms), study.is_simulated) as figure:
        for arm, axes in zip(shown_arms, panels(figure, shown_arms), strict=True):
            found, color = data.verdict["arms"][arm], model_color(arm, arms)
            means = [found["baselines"].get(name, np.nan) for name in names]
            axes.barh(range(len(names)), means, height=0.62, color=LIGHT["generic"], alpha=0.55)
            for place, mean in enumerate(means):
                axes.text(0.02, place, number(mean, 2), va="center", fontsize=8.5, color=LIGHT["ink"])
            axes.axvline(found["auc"], color=color, lw=2.4, label="last round")
            axes.axvline(0.5, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
            axes.set_title(f"{arm} ({plural(found['patients'], 'patient')})")
            axes.set_xlim(0, 1)
            axes.set_yticks(range(len(names)), [display_name(name) for name in names])
            axes.set_xlabel("mean AUC")
        figure.axes[0].invert_yaxis()
        marks = [Line2D([], [], color=LIGHT["ink"], lw=2.4, label="after the last round (color of the arm)")]
        marks += [Line2D([], [], color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4, label="chance")]
        figure.legend(handles=marks, loc="upper left", ncols=2)


def write_leakage_figure(path: Path, title: str, study: Study, data: StudyResults) -> None:
    """AUC of test draws by their hours to the nearest training draw, before and after training."""
    arms = list(study.arms)
    rows = data.evaluation["training_distances"].to_pylist()
    shown_arms = [arm for arm in arms if any(row["arm"] == arm for row in rows)]
    if not shown_arms:
        write_remark(path, title, NOBODY, study.is_simulated)
        return
    with svg_figure(path, title, 0.3 + 2.8 * panel_rows(shown_arms), study.is_simulated) as figure:
        for arm, axes in zip(shown_arms, panels(figure, shown_arms), strict=True):
            arm_rows = [row for row in rows if row["arm"] == arm]
            for name, color, style in (
                ("placement_generic", LIGHT["generic"], "--"),
                ("placement", model_color(arm, arms), "-"),
            ):
                bins = by_distance(arm_rows, name)
                places = [place for place, n, _ in bins if n]
                axes.plot(places, [mean for _, n, mean in bins if n], color=color, ls=style, lw=2, marker="o", ms=6)
            for place, n, _ in bins:
                axes.text(place, -0.01, n, ha="center", va="bottom", fontsize=8.5, color=LIGHT["muted"])
            axes.axhline(0.5, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
            axes.set_title(arm)
            axes.set_xticks(range(len(DISTANCE_EDGES_HOURS) - 1), distance_names())
            axes.set_xlim(-0.5, len(DISTANCE_EDGES_HOURS) - 1.5)
            axes.set_xlabel("hours to the nearest training draw")
            share_axis(axes)
        figure.axes[0].set_ylabel("AUC (mean placement)")
        marks = [Line2D([], [], color=LIGHT["generic"], ls="--", marker="o", lw=2, label="generic network")]
        marks += [Line2D([], [], color=LIGHT["ink"], marker="o", lw=2, label="after the last round (color of the arm)")]
        marks += [Line2D([], [], lw=0, label="numbers: test draws")]
        figure.legend(handles=marks, loc="upper left", ncols=3)


def _draw_nulls(axes: Axes, found: dict, color: str) -> None:
    kinds = list(found["nulls"])
    for row, kind in enumerate(kinds):
        aucs = found["nulls"][kind]["aucs"]
        offsets = np.linspace(-0.22, 0.22, len(aucs)) if len(aucs) > 1 else np.zeros(len(aucs))
        axes.scatter(aucs, row + offsets, s=16, color=LIGHT["generic"], alpha=0.75, lw=0)
        axes.plot([found["nulls"][kind]["truth"]] * 2, [row - 0.36, row + 0.36], color=color, lw=2.6)
    best = found["baselines"][found["best_baseline"]]
    axes.axvline(best, color=LIGHT["ink"], ls=(0, (4, 3)), lw=1.3)
    axes.axvline(0.5, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
    if not kinds:
        axes.plot([found["auc"]] * 2, [-0.36, 0.36], color=color, lw=2.6)
    axes.set_yticks(range(max(1, len(kinds))), [display_name(kind) for kind in kinds] or ["no negative controls"])
    axes.set_ylim(max(1, len(kinds)) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)


def _draw_forest(axes: Axes, found: dict, color: str) -> None:
    values = sorted(found["by_patient"].values())
    axes.scatter(values, range(len(values)), s=18, color=color, alpha=0.6, lw=0)
    (low, high), place = found["interval"], len(values) + 0.6
    axes.plot([low, high], [place, place], color=color, lw=2.2)
    axes.plot(found["difference"], place, color=color, marker="D", ms=7, mec=LIGHT["paper"])
    axes.axvline(0, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
    axes.set_yticks([place], [f"mean of {plural(len(values), 'patient')}"])
    axes.set_ylim(-0.8, place + 0.9)
    reach = 1.08 * max(0.2, *(abs(value) for value in [*values, low, high]))
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=5)


def _verdict_legend() -> list[Line2D]:
    return [
        Line2D([], [], color=LIGHT["ink"], lw=2.6, label="real run (color of the arm)"),
        Line2D([], [], color=LIGHT["generic"], marker="o", lw=0, ms=5, label="negative-control run"),
        Line2D([], [], color=LIGHT["ink"], ls=(0, (4, 3)), lw=1.3, label="best baseline"),
        Line2D([], [], color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4, label="chance; no difference"),
    ]
