"""Figures of what one patient's networks look at, and how far that can be trusted."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from kalemia.core.config import Study
from kalemia.explanation.summary import attention_share, auc_drop, change_share
from kalemia.explanation.wave_windows import WAVES
from kalemia.report.figures.canvas import LEGEND_COLUMNS, NOT_EVALUABLE, svg_figure, write_remark
from kalemia.report.figures.explanation_drawing import (
    COLORINGS,
    BeatMap,
    beat_limits,
    class_legend,
    draw_attention,
    draw_attention_scale,
    potassium_limits,
    wave_limits_ms,
)
from kalemia.report.figures.explanation_figures import CHECKS, draw_model, stage_name, write_maps
from kalemia.report.figures.palette import LIGHT, model_look
from kalemia.report.figures.tiles import Margins, tiled
from kalemia.report.formatting import number
from kalemia.report.inputs import PatientResults
from kalemia.report.results import Explanation

BAR = 0.8  # breadth of the bars of one wave together


def write_maps_figure(paths: Sequence[Path], title: str, study: Study, patient: PatientResults) -> None:
    """The mean beats colored by attention: a row a model, a column a stage and class."""
    found = patient.explanation
    if found is None:
        write_remark(paths, title, NOT_EVALUABLE, study.is_simulated)
        return
    models = _evaluable_models(study, found)
    maps = {
        (model, stage, label): (model, stage, label) in found.attention
        and BeatMap(found.mean_beat_mv[model, label], found.attention[model, stage, label])
        for model, stage, label in product(models, sorted(found.stages, reverse=True), (0, 1))
    }
    labels = {model: f"{model}\nmV" for model in models}
    write_maps(paths, title, study, labels, maps, wave_limits_ms([found]))


def write_wave_bars_figure(paths: Sequence[Path], title: str, study: Study, patient: PatientResults) -> None:
    """Wave by wave: attention of each stage, a bar a model; and without the wave, of each arm before and after."""
    found = patient.explanation
    if found is None:
        write_remark(paths, title, NOT_EVALUABLE, study.is_simulated)
        return
    models = _evaluable_models(study, found)
    arms, stages = list(study.arms), sorted(found.stages, reverse=True)
    mine = [arm for arm in arms if arm in models]
    with svg_figure(paths, title, 0.75 + 1.9 * (1 + len(mine)), study.is_simulated) as figure:
        grid = figure.subplots(1 + len(mine), max(2, len(stages)), squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for stage, axes in zip(stages, grid[0], strict=False):
            shares = {m: [attention_share(found.waves, m, stage, wave) for wave in WAVES] for m in models}
            _draw_bars(axes, shares, arms, f"Grad-CAM, {stage_name(stage)}: share of attention")
            even = [attention_share(found.waves, "generic", stage, wave, "even_share") for wave in WAVES]
            places = np.arange(len(WAVES))
            axes.hlines(even, places - 0.45, places + 0.45, color=LIGHT["ink"], lw=1.2, ls=(0, (3, 2)))
        for arm, row in zip(mine, grid[1:], strict=True):
            for axes, name, of_wave in zip(
                row, ("change of the logit", "loss of AUC"), (change_share, auc_drop), strict=False
            ):
                lost = {m: [of_wave(found.occlusion, arm, m, wave) for wave in WAVES] for m in ("generic", arm)}
                _draw_bars(axes, lost, arms, f"Occlusion, test draws of {arm}: {name}")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper left", ncols=min(len(models), LEGEND_COLUMNS))


def write_random_maps_figure(paths: Sequence[Path], title: str, study: Study, patient: PatientResults) -> None:
    """The last stage's map for a positive beat beside those of networks made random: a row a model."""
    found = patient.explanation
    if found is None:
        write_remark(paths, title, NOT_EVALUABLE, study.is_simulated)
        return
    models = _evaluable_models(study, found)
    stage, label = max(found.stages), 1
    others = {
        (row["model"], row["reference"]): row
        for row in found.sanity
        if (row["stage"], row["label"]) == (stage, label) and row["reference"] in CHECKS
    }
    columns = {"original map": None} | {name: check for check, name in CHECKS.items() if check != "halves"}
    limits = beat_limits((found.mean_beat_mv[model, label] for model in models), 0.05)
    margins = Margins(left=0.32, head=0.62, gap_y=0.1)
    with (
        svg_figure(paths, title, 0.75 + 1.1 * len(models), study.is_simulated) as figure,
        tiled(figure, len(models), len(columns), margins) as tiles,
    ):
        for row, model in enumerate(models):
            beat_mv = found.mean_beat_mv[model, label]
            for column, (name, check) in enumerate(columns.items()):
                panel, other = tiles.panel(row, column, *limits), others.get((model, check))
                if row == 0:
                    panel.title(name, fontsize=9)
                if check is None:
                    draw_attention(panel, BeatMap(beat_mv, found.attention[model, stage, label]))
                    panel.label_y(model, 0.09)
                elif other:
                    draw_attention(panel, BeatMap(beat_mv, np.array(other["attention"])))
                    panel.text(1, 1, number(other["spearman"], 2), ha="right", va="top", fontsize=9)
        draw_attention_scale(tiles)


def write_planes_figure(paths: Sequence[Path], title: str, study: Study, patient: PatientResults, method: str) -> None:
    """The beats in the plane: a row a model, a column a coloring."""
    found = patient.explanation
    if found is None:
        write_remark(paths, title, NOT_EVALUABLE, study.is_simulated)
        return
    models = _evaluable_models(study, found)
    limits, trusted = potassium_limits([found]), {(row["model"], row["method"]): row for row in found.projections}
    names = {
        "class": "class",
        "potassium": f"{study.analyte.name}, dark {limits[0]:.1f} to bright {limits[1]:.1f} {study.analyte.unit}",
        "episode": "episode, dark the first to bright the last",
    }
    margins = Margins(left=0.7 if method == "PCA" else 0.5, head=0.54, foot=0.06)
    with (
        svg_figure(paths, title, 0.6 + 2.1 * len(models), study.is_simulated) as figure,
        tiled(figure, len(models), len(COLORINGS), margins) as tiles,
    ):
        for row, model in enumerate(models):
            for column, coloring in enumerate(COLORINGS):
                panel = tiles.panel(row, column)
                draw_model(panel, found, model, method, coloring, limits)
                if row == 0:
                    panel.title(names[coloring])
            projection = trusted[model, method]
            held = "" if projection["variance"] is None else f"\n{projection['variance']:.0%} of variance"
            label = f"{model}\ntrustworthiness {projection['trustworthiness']:.2f}{held}"
            tiles.panel(row, 0).label_y(label, 0.06)
        figure.legend(handles=class_legend(), loc="upper left", ncols=4)


def _evaluable_models(study: Study, explanation: Explanation) -> list[str]:
    return [model for model in ("generic", *study.arms) if model in explanation.embedding]


def _draw_bars(axes: Axes, values: dict[str, list[float]], arms: list[str], title: str) -> None:
    axes.axis("on")
    width = BAR / len(values)
    for place, (model, of_waves) in enumerate(values.items()):
        places = np.arange(len(WAVES)) + (place - (len(values) - 1) / 2) * width
        look = model_look(model, arms)
        fill = {"color": look.color, "hatch": look.hatch, "ec": LIGHT["paper"], "lw": 0}
        axes.bar(places, of_waves, 0.9 * width, label=model, **fill)
    axes.set_xticks(range(len(WAVES)), WAVES)
    axes.locator_params(
        axis="y", nbins=4
    )  # as many whatever the height, so that numbers keep the width they were given
    axes.set_title(title)
    axes.grid(axis="y")
    axes.axhline(0, color=LIGHT["muted"], lw=0.8)
