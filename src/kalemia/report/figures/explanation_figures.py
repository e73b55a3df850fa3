"""Figures of what the networks of all patients look at, and how far that can be trusted."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kalemia.core.config import Study
from kalemia.core.wording import plural
from kalemia.explanation.summary import SAME_MAP_CORRELATION, Estimate, Summary
from kalemia.explanation.wave_windows import WAVES
from kalemia.report.figures.canvas import NOBODY, svg_figure, write_remark
from kalemia.report.figures.explanation_drawing import (
    CLASS_NAMES,
    BeatMap,
    beat_limits,
    colored,
    draw_attention,
    draw_attention_scale,
    draw_beats,
    draw_key,
    draw_waves,
    potassium_limits,
    wave_limits_ms,
)
from kalemia.report.figures.palette import LIGHT, class_color, model_look
from kalemia.report.figures.tiles import Limits, Margins, Panel, tiled
from kalemia.report.results import Explanation, StudyResults

MAP_COLUMNS = 4  # of the Grad-CAM figure, at most
PANELS_A_ROW = 6  # of the figures of single beats
THINNED = 4  # one in so many beats is drawn where all patients are
CHECKS = {  # what a map is held against -> how the figures name it
    "halves": "other draws",
    "head": "head",
    "stage4": "+ stage 4",
    "stage3": "+ stage 3",
    "stage2": "+ stage 2",
    "stage1": "+ stage 1",
    "stem": "all weights",
    "labels": "labels",
}


def stages_of(explanations: dict[str, Explanation]) -> list[int]:
    """The stages whose maps there are, the last first."""
    return sorted({stage for one in explanations.values() for stage in one.stages}, reverse=True)


def stage_name(stage: int) -> str:
    """For example ``last stage`` or ``stage 2``."""
    return {4: "last stage", 0: "stem"}.get(stage, f"stage {stage}")


def write_gradcam_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """Mean over patients of the mean beat and of the attention: a row a model, a column a stage and class."""
    if not data.explanations:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    explanations, models = data.explanations.values(), ["generic", *study.arms]
    maps, labels = {}, {}
    for model in models:
        n = sum(model in one.embedding for one in explanations)
        labels[model] = f"{'before' if model == 'generic' else 'after'}: {model}\n{plural(n, 'patient')}\nmV"
        for stage, label in product(stages_of(data.explanations), (0, 1)):
            mine = [one for one in explanations if (model, stage, label) in one.attention]
            maps[model, stage, label] = mine and BeatMap(
                np.mean([one.mean_beat_mv[model, label] for one in mine], axis=0),
                np.mean([one.attention[model, stage, label] for one in mine], axis=0),
            )
    write_maps(paths, title, study, labels, maps, wave_limits_ms(explanations))


def write_maps(
    paths: Sequence[Path],
    title: str,
    study: Study,
    labels: dict[str, str],
    maps: dict[tuple[str, int, int], BeatMap | None],
    limits_ms: dict[str, Limits],
) -> None:
    """Write the figure of Grad-CAM maps by model, stage and label: a row a model, a column a stage and label.

    labels: what is written beside a model's row. maps: None where there is none, in the order of the columns.
    """
    columns = list(dict.fromkeys((stage, label) for _, stage, label in maps))
    blocks = [columns[start : start + MAP_COLUMNS] for start in range(0, len(columns), MAP_COLUMNS)]
    rows = list(product(blocks, labels))
    limits = beat_limits((map_.beat_mv for map_ in maps.values() if map_), 0.16)
    label_in = 0.52 + 0.2 * max(label.count("\n") + 1 for label in labels.values())
    gap_y = 0.13 if len(blocks) == 1 else 0.3  # room for the titles of further blocks
    margins = Margins(left=label_in, head=0.62, foot=0.46, gap_x=0.18, gap_y=gap_y)
    with (
        svg_figure(paths, title, 0.7 + 1.4 * len(rows), study.is_simulated) as figure,
        tiled(figure, len(rows), min(MAP_COLUMNS, len(columns)), margins) as tiles,
    ):
        for row, (block, model) in enumerate(rows):
            for column, (stage, label) in enumerate(block):
                panel, map_ = tiles.panel(row, column, *limits), maps[model, stage, label]
                draw_waves(panel, limits_ms)
                panel.axis(x_labels=row == len(rows) - 1, y_labels=column == 0)
                if row % len(labels) == 0:
                    panel.class_title(f"{stage_name(stage)}, {CLASS_NAMES[label]}", class_color(label))
                if column == 0:
                    panel.label_y(labels[model], 0.46)
                if row == len(rows) - 1:
                    panel.label_x("ms from the R peak")
                if map_:
                    draw_attention(panel, map_)
        draw_attention_scale(tiles)


def write_waves_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """Before and after, wave by wave: attention of each stage, change of the logit and loss of AUC; a row an arm."""
    if not data.explanations:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    arms, stages = list(study.arms), stages_of(data.explanations)
    summary = Summary(list(data.explanations.values()), study.seed)
    columns = [*(f"Grad-CAM, {stage_name(stage)}" for stage in stages), "Occlusion, logit", "Occlusion, AUC lost"]
    with svg_figure(paths, title, 0.75 + 1.9 * len(arms), study.is_simulated) as figure:
        grid = figure.subplots(len(arms), len(columns), sharex=True, sharey="col", squeeze=False)
        for arm, row in zip(arms, grid, strict=True):
            for stage, axes in zip(stages, row, strict=False):
                even, places = [summary.even_share("generic", stage, wave) for wave in WAVES], np.arange(len(WAVES))
                axes.hlines(even, places - 0.36, places + 0.36, color=LIGHT["muted"], lw=1.2, ls=(0, (3, 2)))
            for place, model in ((-0.16, "generic"), (0.16, arm)):
                for stage, axes in zip(stages, row, strict=False):
                    _draw_estimates(axes, place, [summary.share(model, stage, wave) for wave in WAVES], model, arms)
                _draw_estimates(row[-2], place, [summary.change(arm, model, wave) for wave in WAVES], model, arms)
                _draw_estimates(row[-1], place, [summary.auc_drop(arm, model, wave) for wave in WAVES], model, arms)
            row[-1].axhline(0, color=LIGHT["muted"], lw=0.8)
            row[0].set_ylabel(f"{arm}\nshare")
        for name, axes in zip(columns, grid[0], strict=True):
            axes.set_title(name)
        for axes in grid.flat:
            axes.set_xticks(range(len(WAVES)), WAVES)
            axes.grid(axis="y")
        for axes in grid[:, :-1].flat:
            axes.set_ylim(-0.02, 1.02)
        figure.legend(handles=_waves_legend(arms), loc="upper left", ncols=min(4, 2 + len(arms)))


def write_sanity_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """How alike the true map and others are: a row a model, a column a stage."""
    if not data.explanations:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    arms, stages = list(study.arms), stages_of(data.explanations)
    summary = Summary(list(data.explanations.values()), study.seed)
    models = ["generic", *arms]
    with svg_figure(paths, title, 0.9 + 1.6 * len(models), study.is_simulated) as figure:
        grid = figure.subplots(len(models), len(stages), sharex=True, sharey=True, squeeze=False)
        for model, row in zip(models, grid, strict=True):
            for stage, axes in zip(stages, row, strict=True):
                axes.axhline(SAME_MAP_CORRELATION, color=LIGHT["muted"], lw=1.1, ls=(0, (4, 3)))
                axes.axhline(0, color=LIGHT["faint"], lw=0.8)
                axes.axvspan(0.5, 6.5, color=LIGHT["faint"], alpha=0.35, lw=0, zorder=0)
                found = [summary.similarity(model, stage, against) for against in CHECKS]
                _draw_estimates(axes, 0, found, model, arms)
                axes.set_title(f"{model}, {stage_name(stage)}")
                axes.set_ylim(-1.05, 1.05)
                axes.tick_params(labelleft=True)
                axes.set_xlim(-0.6, len(CHECKS) - 0.4)
                axes.set_yticks([-1, -0.5, 0, 0.5, 1])
                axes.grid(axis="y")
            row[0].set_ylabel("rank correlation\nwith the original map")
        for axes in grid[-1]:
            axes.set_xticks(range(len(CHECKS)), CHECKS.values(), rotation=50, ha="right", rotation_mode="anchor")


def write_embedding_figure(
    paths: Sequence[Path], title: str, study: Study, data: StudyResults, method: str, coloring: str
) -> None:
    """Every patient's beats in the plane, before and after: a block of panels a patient, a panel a model."""
    if not data.explanations:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    explanations = data.explanations
    models = ["generic", *study.arms]
    blocks = max(1, PANELS_A_ROW // len(models))  # patients in one row
    n_rows = -(-len(explanations) // blocks)
    limits = potassium_limits(explanations.values())
    margins = Margins(head=0.54, foot=0.05, gap_y=0.28, block_gap=0.14)
    with (
        svg_figure(paths, title, 0.5 + 1.75 * n_rows, study.is_simulated) as figure,
        tiled(figure, n_rows, blocks * len(models), margins, len(models)) as tiles,
    ):
        for place, (subject, explanation) in enumerate(explanations.items()):
            for column, model in enumerate(models, (place % blocks) * len(models)):
                panel = tiles.panel(place // blocks, column)
                panel.title(f"{data.shown[subject]}, {model}" if model == "generic" else model)
                draw_model(panel, explanation, model, method, coloring, limits, THINNED)
        draw_key(figure, tiles, coloring, limits, study.analyte.unit)


def draw_model(
    panel: Panel,
    explanation: Explanation,
    model: str,
    method: str,
    coloring: str,
    limits: Limits,
    every: int = 1,
) -> None:
    """One in `every` of the beats of one patient and model; a word in place of them where there is no such model."""
    panel.frame()
    if model not in explanation.embedding:
        panel.text(0.5, 0.5, "not evaluable", ha="center", va="center", color=LIGHT["muted"])
        return
    beats = explanation.embedding[model].every(every)
    draw_beats(panel, beats.positions[method], colored(beats, coloring, limits))


def _draw_estimates(axes: Axes, shift: float, estimates: list[Estimate], model: str, arms: list[str]) -> None:
    known = [(place + shift, one) for place, one in enumerate(estimates) if np.isfinite(one.mean)]
    if known:
        places, means, lows, highs = zip(*((place, one.mean, one.low, one.high) for place, one in known), strict=True)
        color = model_look(model, arms).color
        axes.vlines(places, lows, highs, color=color, lw=1.8, capstyle="projecting", zorder=3)
        axes.plot(places, means, ls="none", zorder=4, **_mark(model, arms))


def _mark(model: str, arms: list[str]) -> dict:
    look = model_look(model, arms)
    face = LIGHT["paper"] if model == "generic" else look.color
    return {"marker": look.marker, "ms": 5.5, "mfc": face, "mec": look.color, "mew": 1.6}


def _waves_legend(arms: list[str]) -> list[Line2D]:
    def handle(model: str, label: str) -> Line2D:
        return Line2D([], [], color=model_look(model, arms).color, lw=1.8, label=label, **_mark(model, arms))

    even = Line2D([], [], color=LIGHT["muted"], lw=1.2, ls=(0, (3, 2)), label="uniform map")
    return [handle("generic", "before: generic"), *(handle(arm, f"after: {arm}") for arm in arms), even]
