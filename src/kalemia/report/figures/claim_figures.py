"""Figures of the claims: what the arms are compared with, their baselines, and AUC by distance to training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kalemia.core.config import Study
from kalemia.core.wording import display_name, plural
from kalemia.evaluation.claims.rule import in_order
from kalemia.report.figures.canvas import NOBODY, panel_rows, panels, share_axis, svg_figure, write_remark
from kalemia.report.figures.distance_bins import DISTANCE_EDGES_HOURS, by_distance, distance_names
from kalemia.report.figures.palette import LIGHT, model_color
from kalemia.report.formatting import number
from kalemia.report.results import StudyResults


def write_claims_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """For each arm, one row per comparison: the differences by patient, their mean, and its one-sided bounds."""
    arms = list(study.arms)
    shown_arms = [arm for arm in arms if any(comparisons_of(data, arm))]
    if not shown_arms:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    n_rows = max(len(comparisons_of(data, arm)) for arm in shown_arms)
    with svg_figure(paths, title, 0.6 + (0.8 + 0.42 * n_rows) * len(shown_arms), study.is_simulated) as figure:
        grid = figure.subplots(len(shown_arms), 1, squeeze=False, sharex=True)[:, 0]
        for arm, axes in zip(shown_arms, grid, strict=True):
            draw_comparisons(axes, comparisons_of(data, arm), model_color(arm, arms))
            axes.set_title(arm)
        grid[-1].set_xlabel("difference in AUC; against the last value, in concordance")
        figure.legend(handles=claims_legend(), loc="upper left", ncols=3)


def write_baselines_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """For each arm the mean AUC of the generic network and every comparator, and of the last round."""
    from kalemia.evaluation.baseline_averages import LAST_ROUND
    from kalemia.personal.baselines import COMPARATOR, REFERENCE, of_role

    arms = list(study.arms)
    averages: dict[str, dict[str, dict]] = {}
    for row in data.evaluation["baseline_averages"].to_pylist():
        averages.setdefault(row["arm"], {})[row["model"]] = row
    shown_arms = [arm for arm in arms if arm in averages]
    if not shown_arms:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    names = [*of_role(REFERENCE), *of_role(COMPARATOR)]
    names = [name for name in names if any(name in averages[arm] for arm in shown_arms)]
    with svg_figure(paths, title, 0.4 + (1 + 0.25 * len(names)) * panel_rows(shown_arms), study.is_simulated) as figure:
        for arm, axes in zip(shown_arms, panels(figure, shown_arms), strict=True):
            of_arm, color = averages[arm], model_color(arm, arms)
            means = [of_arm[name]["auc"] if name in of_arm else np.nan for name in names]
            axes.barh(range(len(names)), means, height=0.62, color=LIGHT["generic"], alpha=0.55)
            for place, mean in enumerate(means):
                axes.text(0.02, place, number(mean, 2), va="center", fontsize=9.5, color=LIGHT["ink"])
            axes.axvline(of_arm[LAST_ROUND]["auc"], color=color, lw=2.4, label="last round")
            axes.axvline(0.5, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
            axes.set_title(f"{arm} ({plural(of_arm[LAST_ROUND]['patients'], 'patient')})")
            axes.set_xlim(0, 1)
            axes.set_yticks(range(len(names)), [display_name(name) for name in names])
            axes.set_xlabel("mean AUC")
        figure.axes[0].invert_yaxis()
        marks = [Line2D([], [], color=LIGHT["ink"], lw=2.4, label="after the last round (color of the arm)")]
        marks += [Line2D([], [], color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4, label="chance")]
        figure.legend(handles=marks, loc="upper left", ncols=2)


def write_leakage_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """AUC of test draws by their hours to the nearest training draw, before and after training."""
    arms = list(study.arms)
    rows = data.evaluation["training_distances"].to_pylist()
    shown_arms = [arm for arm in arms if any(row["arm"] == arm for row in rows)]
    if not shown_arms:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    with svg_figure(paths, title, 0.3 + 2.8 * panel_rows(shown_arms), study.is_simulated) as figure:
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
                axes.text(place, -0.01, n, ha="center", va="bottom", fontsize=9.5, color=LIGHT["muted"])
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


def comparisons_of(data: StudyResults, arm: str) -> list[dict]:
    """The comparisons of an arm that at least two patients have."""
    claims = in_order(data.claims["arms"][arm])
    return [one for _, claim in claims for one in claim["comparisons"] if one["patients"] > 1]


def draw_comparisons(axes: Axes, comparisons: list[dict], color: str) -> None:
    """One row per comparison: the differences by patient, their mean, and its one-sided bounds."""
    for row, one in enumerate(comparisons):
        values = sorted(one["by_patient"].values())
        axes.scatter(values, row + np.linspace(-0.24, 0.24, len(values)), s=14, color=color, alpha=0.45, lw=0)
        axes.plot([one["lower"], one["upper"]], [row, row], color=LIGHT["ink"], lw=2.4)
        axes.plot(one["difference"], row, color=LIGHT["ink"], marker="D", ms=6.5, mec=LIGHT["paper"])
    axes.axvline(0, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4)
    axes.set_yticks(range(len(comparisons)), [f"minus {one['words']}" for one in comparisons])
    axes.set_ylim(len(comparisons) - 0.5, -0.5)
    axes.set_xlim(-1.02, 1.02)


def claims_legend() -> list[Line2D]:
    """What the marks of `draw_comparisons` mean."""
    return [
        Line2D([], [], color=LIGHT["muted"], marker="o", lw=0, ms=5, label="one patient (color of the arm)"),
        Line2D([], [], color=LIGHT["ink"], marker="D", lw=2.4, ms=6.5, label="mean, one-sided 95% bounds"),
        Line2D([], [], color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.4, label="no difference"),
    ]
