"""Figures of training: the generic network, its calibration, and the rounds of personal training."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.core.wording import plural
from kalemia.evaluation.calibration import MIN_DRAWS
from kalemia.report import chiu2022 as paper
from kalemia.report.figures.canvas import (
    NOBODY,
    PANELS_A_ROW,
    columns_of_panels,
    panel_rows,
    panels,
    round_axis,
    share_axis,
    svg_figure,
    write_remark,
)
from kalemia.report.figures.palette import LIGHT, Look, model_color, model_look
from kalemia.report.formatting import METRIC_NAMES
from kalemia.report.results import StudyResults

IMPORTED = "The generic network is imported, so this study did not train it."


def write_generic_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """Loss and accuracy over the epochs of the generic training, with the epoch whose weights were kept."""
    if not len(data.history):
        write_remark(paths, title, IMPORTED, study.is_simulated)
        return
    history, best = data.history.to_pydict(), data.summary["generic"]["best_epoch"]
    with svg_figure(paths, f"{title} Epoch {best} was kept.", 2.9, study.is_simulated) as figure:
        for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for split, color, style in (("train", LIGHT["generic"], "--"), ("validation", LIGHT["ink"], "-")):
                values = history[f"{split}_{quantity}"]
                axes.plot(history["epoch"], values, color=color, ls=style, lw=1.8, label=split)
            axes.axvline(best, color=LIGHT["muted"], ls=(0, (1, 1.5)), lw=1.6, label=f"kept: epoch {best}")
            axes.set_title(quantity.capitalize() + (" (beats)" if quantity == "accuracy" else " (cross entropy)"))
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(axis="y")
        figure.legend(*axes.get_legend_handles_labels(), loc="upper left", ncols=3)


def write_calibration_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """The share of positives over the generic network's predicted probability: a panel a split, draws and beats."""
    if not len(data.history):
        write_remark(paths, title, IMPORTED, study.is_simulated)
        return
    metrics, splits = data.summary["generic"], ("train", "validation", "test")
    with svg_figure(paths, title, 3.3, study.is_simulated) as figure:
        for split, axes in zip(splits, figure.subplots(1, len(splits), sharey=True), strict=True):
            _calibration_axes(axes)
            for unit, color, marker in (("beats", LIGHT["generic"], "s"), ("draws", LIGHT["ink"], "o")):
                deciles = metrics[split][unit]["calibration"]
                predicted = [decile["predicted"] for decile in deciles]
                share, low, high = zip(*(decile["observed"] for decile in deciles), strict=True)
                axes.vlines(predicted, low, high, color=color, lw=1.4)
                axes.plot(predicted, share, color=color, lw=1.2, marker=marker, ms=4.5, label=unit)
            axes.set_title(split)
        figure.axes[0].set_ylabel("fraction positive")
        figure.legend(*axes.get_legend_handles_labels(), loc="upper left", ncols=2)


def write_arm_calibration_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """The share of positives over the last round's predicted probability, of all patients together: a panel an arm."""
    arms = list(study.arms)
    rows = data.evaluation["calibration"].to_pylist()
    shown_arms = [arm for arm in arms if any(row["arm"] == arm for row in rows)]
    if not shown_arms:
        remark = f"No arm has {MIN_DRAWS} test draws, so there is no curve to draw."
        write_remark(paths, title, remark, study.is_simulated)
        return
    with svg_figure(paths, title, 0.2 + 3.1 * panel_rows(shown_arms), study.is_simulated) as figure:
        for arm, axes in zip(shown_arms, panels(figure, shown_arms), strict=True):
            arm_rows, look = [row for row in rows if row["arm"] == arm], model_look(arm, arms)
            predicted, share, low, high = (
                np.array([row[name] for row in arm_rows], float)
                for name in ("predicted", "observed", "observed_low", "observed_high")
            )
            _calibration_axes(axes)
            axes.vlines(predicted, low, high, color=look.color, lw=1.4)
            axes.plot(predicted, share, color=look.color, lw=1.6, marker=look.marker, ms=5.5)
            n_draws = plural(sum(row["n_draws"] for row in arm_rows), "test draw")
            axes.set_title(f"{arm} ({n_draws}, {plural(arm_rows[0]['patients'], 'patient')})")
            if axes.get_subplotspec().is_first_col():
                axes.set_ylabel("fraction positive")


def write_rounds_figure(
    paths: Sequence[Path], title: str, study: Study, data: StudyResults, metrics: tuple[str, ...]
) -> None:
    """Metrics over rounds: below each other for an arm, a thin line a patient; the mean, and the paper's."""
    arms = list(study.arms)
    if not len(data.evaluation["rounds"]):
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    with svg_figure(paths, title, 0.5 + 2.15 * len(metrics) * panel_rows(arms), study.is_simulated) as figure:
        for arm, column in zip(arms, columns_of_panels(figure, arms, len(metrics)), strict=True):
            arm_rounds = [row for row in data.rounds if row["arm"] == arm]
            n_patients = len({row["subject_id"] for row in arm_rounds})
            last = max((row["round"] for row in arm_rounds), default=0)  # other arms may have more
            averages = [row for row in data.averages if row["arm"] == arm and row["round"] <= last]
            for metric, axes in zip(metrics, column, strict=True):
                axes.set_title(f"{METRIC_NAMES[metric]}, {arm} ({plural(n_patients, 'patient')})")
                _draw_published(axes, metric, data.n_rounds)
                _draw_patients(axes, data, arm, metric, model_color(arm, arms))
                arm_rows = [
                    row
                    for row in averages
                    if row["metric"] == metric and row["decision"] in (None, study.evaluation.decision)
                ]
                _draw_mean(axes, arm_rows, model_color(arm, arms))
                share_axis(axes)
                round_axis(axes, data.n_rounds)
                axes.tick_params(labelbottom=axes is column[-1])
            axes.set_xlabel("rounds of personal training")
        figure.legend(handles=_rounds_legend(), loc="upper left", ncols=3)


def write_arms_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """Every metric after the last round, the arms side by side: dots are patients, joined across arms."""
    arms = list(study.arms)
    if not len(data.evaluation["rounds"]):
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    names = {"rotation": 50, "ha": "right", "rotation_mode": "anchor"} if len(arms) > PANELS_A_ROW else {}
    with svg_figure(paths, title, 3.6 if names else 2.9, study.is_simulated) as figure:
        for metric, axes in zip(METRIC_NAMES, figure.subplots(1, len(METRIC_NAMES), sharey=True), strict=True):
            last = [_last_round(data, arm, metric) for arm in arms]
            _join_patients(axes, last)
            for place, (arm, values) in enumerate(zip(arms, last, strict=True)):
                look = model_look(arm, arms)
                places = [place + offset for offset in dodge(list(values.values()))]
                axes.scatter(places, list(values.values()), s=20, color=look.color, marker=look.marker, alpha=0.6, lw=0)
                _draw_mean_beside(axes, place + 0.3, np.array(list(values.values())), look)
            published = paper.ROUNDS[metric].get(5)
            if published:
                axes.axhline(published.mean, color=LIGHT["muted"], ls=(0, (4, 3)), lw=1.1)
            axes.set_title(METRIC_NAMES[metric])
            axes.set_xlim(-0.5, len(arms) - 0.4)
            axes.set_xticks(range(len(arms)), arms, **names)
            share_axis(axes)
        figure.legend(handles=_arms_legend(), loc="upper left", ncols=3)


def dodge(values: list[float]) -> list[float]:
    """Offsets around 0, for each value, that put equal values beside each other, the first at the left."""
    offsets = []
    for i, value in enumerate(values):
        step = min(0.06, 0.4 / values.count(value))
        offsets.append((values[:i].count(value) - (values.count(value) - 1) / 2) * step)
    return offsets


def _calibration_axes(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=LIGHT["muted"], ls=(0, (4, 3)), lw=1.1)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("predicted probability")
    share_axis(axes)


def _draw_published(axes: Axes, metric: str, n_rounds: int) -> None:
    known = {round_: result for round_, result in paper.ROUNDS[metric].items() if round_ <= n_rounds}
    means = [result.mean for result in known.values()]
    axes.plot(known.keys(), means, color=LIGHT["muted"], ls=(0, (4, 3)), lw=1.1)
    for round_, result in known.items():
        fill = LIGHT["muted" if result.is_sure else "paper"]
        axes.plot(round_, result.mean, color=LIGHT["muted"], mfc=fill, marker="D", ms=3.5)


def _draw_patients(axes: Axes, data: StudyResults, arm: str, metric: str, color: str) -> None:
    rows = [row for row in data.rounds if row["arm"] == arm]
    for subject in sorted({row["subject_id"] for row in rows}):
        arm_rows = sorted((row["round"], row[metric]) for row in rows if row["subject_id"] == subject)
        line = axes.plot(*zip(*arm_rows, strict=True), color=color, lw=1, alpha=0.45)[0]
        line.set_gid(f"line-{subject_name(subject)}-{arm}-{metric}")


def _draw_mean(axes: Axes, averages: list[dict], color: str) -> None:
    """The mean over patients after each round, with its 95% interval."""
    known = [row for row in averages if row["mean"] is not None]
    intervals = [(row["round"], row["low"], row["high"]) for row in known if row["low"] is not None]
    if intervals:
        axes.vlines(*zip(*intervals, strict=True), color=color, lw=1.8, capstyle="projecting", zorder=3)
    rounds, means = [row["round"] for row in known], [row["mean"] for row in known]
    axes.plot(rounds, means, color=color, lw=2.6, marker="o", ms=6.5, mec=LIGHT["paper"], zorder=4)


def _draw_mean_beside(axes: Axes, place: float, values: np.ndarray, look: Look) -> None:
    known = values[np.isfinite(values)]
    if len(known):
        _sd_bar(axes, place, known, look.color)
        axes.plot(place, known.mean(), color=look.color, marker=look.marker, ms=7.5, mec=LIGHT["paper"], zorder=4)


def _sd_bar(axes: Axes, x: float, known: np.ndarray, color: str) -> None:
    if len(known) > 1:
        mean, sd = known.mean(), known.std(ddof=1)
        axes.plot([x, x], [max(0, mean - sd), min(1, mean + sd)], color=color, lw=1.8, zorder=3)


def _last_round(data: StudyResults, arm: str, metric: str) -> dict[int, float]:
    """Each patient's value after the patient's own last round; patients without one are left out."""
    rows = sorted((row for row in data.rounds if row["arm"] == arm), key=lambda row: row["round"])
    last = {row["subject_id"]: row[metric] for row in rows}
    return {subject: value for subject, value in last.items() if value is not None and np.isfinite(value)}


def _join_patients(axes: Axes, last: list[dict[int, float]]) -> None:
    places = [
        dict(zip(values, [place + offset for offset in dodge(list(values.values()))], strict=True))
        for place, values in enumerate(last)
    ]
    for (x, one), (x_other, other) in pairwise(zip(places, last, strict=True)):
        for subject in sorted(one.keys() & other.keys()):
            axes.plot(
                [x[subject], x_other[subject]], [one[subject], other[subject]], color=LIGHT["faint"], lw=0.9, zorder=1
            )


def _rounds_legend() -> list[Line2D]:
    ink = LIGHT["generic"]
    return [
        Line2D([], [], color=ink, lw=1, alpha=0.6, label="one patient"),
        Line2D([], [], color=ink, lw=2.6, marker="o", ms=6.5, mec=LIGHT["paper"], label="mean and its 95% interval"),
        _published_handle(f"Chiu 2022, mean of {paper.PATIENTS} patients", marker="D"),
    ]


def _arms_legend() -> list[Line2D]:
    ink = LIGHT["generic"]
    known = [(name, paper.ROUNDS[metric]) for metric, name in METRIC_NAMES.items()]
    approximate = [name for name, rounds in known if 5 in rounds and rounds[5].approximate]
    return [
        Line2D([], [], color=ink, marker="o", ms=4, ls="none", alpha=0.6, label="one patient"),
        Line2D([], [], color=ink, marker="o", ms=7.5, mec=LIGHT["paper"], lw=1.8, label="mean and SD"),
        _published_handle(f"Chiu 2022 after round 5 (of {' and '.join(approximate)}: about)", marker=""),
    ]


def _published_handle(label: str, marker: str) -> Line2D:
    return Line2D([], [], color=LIGHT["muted"], ls=(0, (4, 3)), lw=1.1, marker=marker, ms=3.5, label=label)
