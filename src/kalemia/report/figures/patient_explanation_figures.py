"""Figures of what one patient's networks look at, and how far that can be trusted."""

from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from kalemia.core.config import Study
from kalemia.explanation.summary import attention_share, auc_drop, change_share
from kalemia.explanation.wave_windows import WAVES
from kalemia.report.figures.canvas import LEGEND_COLUMNS, NOT_EVALUABLE, svg_figure, write_remark
from kalemia.report.figures.explanation_drawing import (
    CLASS_NAMES,
    COLORINGS,
    class_legend,
    draw_attention,
    draw_attention_scale,
    draw_waves,
    potassium_limits,
    set_class_title,
    wave_limits_ms,
)
from kalemia.report.figures.explanation_figures import CHECKS, COLUMNS, draw_model, stage_name
from kalemia.report.figures.palette import LIGHT, model_look
from kalemia.report.formatting import number
from kalemia.report.inputs import PatientResults
from kalemia.report.results import Explanation

BAR = 0.8  # breadth of the bars of one wave together


def write_maps_figure(path: Path, title: str, study: Study, patient: PatientResults) -> None:
    """The mean beats colored by attention: a row a model, a column a stage and class."""
    found = patient.explanation
    if found is None:
        write_remark(path, title, NOT_EVALUABLE, study.is_simulated)
        return
    models = _evaluable_models(study, found)
    maps = list(product(sorted(found.stages, reverse=True), (0, 1)))
    blocks = [maps[start : start + COLUMNS] for start in range(0, len(maps), COLUMNS)]
    limits_ms = wave_limits_ms([found])
    with svg_figure(path, title, 0.7 + 1.4 * len(models) * len(blocks), study.is_simulated) as figure:
        n_rows, n_columns = len(models) * len(blocks), min(COLUMNS, len(maps))
        grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        for (block, model), row in zip(product(blocks, models), grid, strict=True):
            for axes in row[len(block) :]:
                axes.axis("off")
            for (stage, label), axes in zip(block, row, strict=False):
                if model == models[0]:
                    set_class_title(axes, f"{stage_name(stage)}, {CLASS_NAMES[label]}", label)
                draw_waves(axes, limits_ms)
                if (model, stage, label) in found.attention:
                    draw_attention(axes, found.mean_beat_mv[model, label], found.attention[model, stage, label])
            row[0].set_ylabel(f"{model}\nmV")
        for axes in grid[-1]:
            axes.set_xlabel("ms from the R peak")
        grid[0, 0].margins(y=0.16)
        draw_attention_scale(figure)


def write_wave_bars_figure(path: Path, title: str, study: Study, patient: PatientResults) -> None:
    """Wave by wave: attention of each stage, a bar a model; and without the wave, of each arm before and after."""
    found = patient.explanation
    if found is None:
        write_remark(path, title, NOT_EVALUABLE, study.is_simulated)
        return
    models = _evaluable_models(study, found)
    arms, stages = list(study.arms), sorted(found.stages, reverse=True)
    mine = [arm for arm in arms if arm in models]
    with svg_figure(path, title, 0.75 + 1.9 * (1 + len(mine)), study.is_simulated) as figure:
        grid = figure.subplots(1 + len(mine), max(2, len(stages)), squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for stage, axes in zip(stages, grid[0], strict=False):
            shares = {m: [attention_share(found.waves, m, stage, wave) for wave in WAVES] for m in models}
            _draw_bars(axes, shares, arms, f"Grad-CAM, {stage_name(stage)}: share of attention")
            for place, wave in enumerate(WAVES):
                even = attention_share(found.waves, "generic", stage, wave, "even_share")
                axes.plot([place - 0.45, place + 0.45], [even, even], color=LIGHT["ink"], lw=1.2, ls=(0, (3, 2)))
        for arm, row in zip(mine, grid[1:], strict=True):
            for axes, name, of_wave in zip(
                row, ("change of the logit", "loss of AUC"), (change_share, auc_drop), strict=False
            ):
                lost = {m: [of_wave(found.occlusion, arm, m, wave) for wave in WAVES] for m in ("generic", arm)}
                _draw_bars(axes, lost, arms, f"Occlusion, test draws of {arm}: {name}")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=min(len(models), LEGEND_COLUMNS))


def write_random_maps_figure(path: Path, title: str, study: Study, patient: PatientResults) -> None:
    """The last stage's map for a positive beat beside those of networks made random: a row a model."""
    found = patient.explanation
    if found is None:
        write_remark(path, title, NOT_EVALUABLE, study.is_simulated)
        return
    models = _evaluable_models(study, found)
    stage, label = max(found.stages), 1
    others = {
        (row["model"], row["reference"]): row
        for row in found.sanity
        if (row["stage"], row["label"]) == (stage, label) and row["reference"] in CHECKS
    }
    columns = {"original map": None} | {name: check for check, name in CHECKS.items() if check != "halves"}
    with svg_figure(path, title, 0.75 + 1.1 * len(models), study.is_simulated) as figure:
        grid = figure.subplots(len(models), len(columns), sharex=True, sharey=True, squeeze=False)
        for model, row in zip(models, grid, strict=True):
            for (name, check), axes in zip(columns.items(), row, strict=True):
                axes.axis("off")
                if model == models[0]:
                    axes.set_title(name, fontsize=8.5)
                other = others.get((model, check))
                if check is None:
                    draw_attention(axes, found.mean_beat_mv[model, label], found.attention[model, stage, label])
                elif other:
                    draw_attention(axes, found.mean_beat_mv[model, label], np.array(other["attention"]))
                    axes.text(
                        1, 1, number(other["spearman"], 2), transform=axes.transAxes, ha="right", va="top", fontsize=8
                    )
            row[0].text(-0.08, 0.5, model, transform=row[0].transAxes, rotation=90, ha="right", va="center")
        draw_attention_scale(figure)


def write_planes_figure(path: Path, title: str, study: Study, patient: PatientResults, method: str) -> None:
    """The beats in the plane: a row a model, a column a coloring."""
    found = patient.explanation
    if found is None:
        write_remark(path, title, NOT_EVALUABLE, study.is_simulated)
        return
    models = _evaluable_models(study, found)
    limits, trusted = potassium_limits([found]), {(row["model"], row["method"]): row for row in found.projections}
    names = {
        "class": "class",
        "potassium": f"{study.analyte.name}, dark {limits[0]:.1f} to bright {limits[1]:.1f} {study.analyte.unit}",
        "episode": "episode, dark the first to bright the last",
    }
    with svg_figure(path, title, 0.6 + 2.1 * len(models), study.is_simulated) as figure:
        grid = figure.subplots(len(models), len(COLORINGS), squeeze=False)
        for model, row in zip(models, grid, strict=True):
            for coloring, axes in zip(COLORINGS, row, strict=True):
                draw_model(axes, found, model, method, coloring, limits)
                if model == models[0]:
                    axes.set_title(names[coloring])
            projection = trusted[model, method]
            held = "" if projection["variance"] is None else f"\n{projection['variance']:.0%} of variance"
            row[0].set_ylabel(f"{model}\ntrustworthiness {projection['trustworthiness']:.2f}{held}")
        figure.legend(handles=class_legend(), loc="outside upper left", ncols=4)


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
    axes.set_title(title)
    axes.grid(axis="y")
    axes.axhline(0, color=LIGHT["muted"], lw=0.8)
