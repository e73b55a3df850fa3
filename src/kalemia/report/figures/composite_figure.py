"""Figure 1: what the claims compare, and one patient: beats by class, potassium and probability over time."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from kalemia.core.config import Study
from kalemia.report.figures.canvas import NOBODY, svg_figure, write_remark
from kalemia.report.figures.claim_figures import comparisons_of, draw_comparisons
from kalemia.report.figures.palette import LIGHT, model_color
from kalemia.report.figures.patient_figures import (
    Timeline,
    decision_legend,
    draw_mean_beat,
    draw_probabilities,
    draw_values,
)
from kalemia.report.formatting import number
from kalemia.report.results import StudyResults


def write_composite_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """Left the comparisons of the deciding arm and the patient's mean beats, right the patient over time."""
    example = data.example
    if example is None:
        write_remark(paths, title, NOBODY, study.is_simulated)
        return
    arm, name = data.claims["arm"], data.shown[example.subject]
    with svg_figure(paths, title, 0, study.is_simulated) as figure:
        (claims, values), (beats, probabilities) = figure.subplots(2, 2)
        if comparisons := comparisons_of(data, arm):
            draw_comparisons(claims, comparisons, model_color(arm, list(study.arms)))
            _name_within(claims, comparisons)
        else:
            claims.text(0, 0.5, "It takes two patients to compare.", va="center", color=LIGHT["muted"])
            claims.axis("off")
        claims.set_title("a  What personal training gains")
        claims.set_xlabel("difference in AUC")
        beats_mv = data.explanations[example.subject].mean_beat_mv
        for label in (0, 1):
            if ("generic", label) in beats_mv:
                draw_mean_beat(beats, beats_mv["generic", label], label)
        beats.set_title(f"c  {name}: mean beat by class")
        timeline = Timeline.of([draw["draw_time"] for draw in example.draws])
        draw_values(values, timeline, example.draws, study.analyte)
        values.set_title(f"b  {name}: {study.analyte.name}")
        draw_probabilities(probabilities, timeline, example.draws)
        probabilities.set_title(f"d  {name}: its network, AUC {number(example.auc, 2)}")
        for axes in (values, probabilities):
            timeline.label(axes)
        values.set_xlabel("")
        figure.legend(handles=decision_legend(), loc="upper left", ncols=6, columnspacing=1.2)


def _name_within(axes: Axes, comparisons: list[dict]) -> None:
    """Write what each row compares with inside the panel, where the names leave its width to the data."""
    beneath = {"facecolor": LIGHT["paper"], "edgecolor": "none", "pad": 0}  # hides the line at 0
    axes.set_yticks([])
    for row, one in enumerate(comparisons):
        name = f"above {one['words']}"
        axes.text(-1, row - 0.35, name, va="bottom", fontsize=9.5, color=LIGHT["muted"], bbox=beneath)
    axes.set_ylim(len(comparisons) - 0.6, -0.85)
