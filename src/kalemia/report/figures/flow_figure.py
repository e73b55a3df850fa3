"""The inclusion flow as boxes: what goes on at the left, what each step lost and why at the right."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from kalemia.cohort.inclusion_flow import displayed_steps
from kalemia.core.config import Study
from kalemia.core.wording import plural
from kalemia.report.figures.canvas import WIDTH_IN, svg_figure
from kalemia.report.figures.palette import LIGHT
from kalemia.report.results import StudyResults
from kalemia.sources.registry import describe_source

# inches
LINE, PADDING = 0.2, 0.08
ARROW, APART = 0.34, 0.1  # least height of an arrow, least distance of two boxes one above the other
MAIN_LEFT, MAIN_WIDTH = 0.05, 3.9
LOST_LEFT = 4.75
RULE_WIDTH = 46  # characters of a line that fit into a box
LOST_WIDTH = WIDTH_IN - LOST_LEFT - 0.05


def write_flow_figure(paths: Sequence[Path], title: str, study: Study, data: StudyResults) -> None:
    """From every value of the analyte to the two populations, by the steps of cohort/flow.json."""
    has_items = describe_source(study).has_clinical_database
    flow = displayed_steps(data.flow["steps"], study.analyte, study.cohort, has_items)
    steps = [_step_lines(step) for step in flow]
    losses = [_loss_lines(step) for step in flow]
    ends = [_population_lines(name, data.characteristics[name], data.populations) for name in ("generic", "personal")]
    gaps = [0.0, *(_gap(above, loss, below) for above, loss, below in zip(steps, losses[1:], steps[1:], strict=False))]
    total = sum(gaps) + sum(map(_height, steps)) + 2 * ARROW + max(map(_height, ends)) + 0.1
    title = f"{title} {count_words(flow[0])} at first, {count_words(flow[-1])} used."
    with svg_figure(paths, title, total + (0.22 if study.is_simulated else 0), study.is_simulated) as figure:
        axes = figure.add_subplot()
        axes.set(xlim=(0, WIDTH_IN), ylim=(-total + 0.05, 0.05))
        axes.axis("off")
        top = 0.0
        for lines, loss, gap in zip(steps, losses, gaps, strict=True):
            if gap:
                _arrow(axes, MAIN_LEFT + MAIN_WIDTH / 2, top, top - gap)
            if loss:
                middle = top - gap / 2
                axes.plot([MAIN_LEFT + MAIN_WIDTH / 2, LOST_LEFT], [middle, middle], color=LIGHT["muted"], lw=0.9)
                _box(axes, LOST_LEFT, middle + _height(loss) / 2, LOST_WIDTH, loss, LIGHT["faint"])
            top -= gap
            _box(axes, MAIN_LEFT, top, MAIN_WIDTH, lines, LIGHT["muted"])
            top -= _height(lines)
        _draw_ends(axes, top, ends)


def count_words(step: dict) -> str:
    """For example ``1,034 draws of 57 subjects``."""
    return f"{plural(step['draws'], 'draw')} of {plural(step['subjects'], 'subject')}"


def _step_lines(step: dict) -> list[str]:
    name = step["step"]
    return [name[:1].upper() + name[1:], count_words(step), *textwrap.wrap(step["rule"] or "", RULE_WIDTH)]


def _loss_lines(step: dict) -> list[str]:
    """The head line, then one line a reason, the most frequent first."""
    if not step["lost_draws"] and not step["lost_subjects"]:
        return []
    reasons = sorted(step["reasons"].items(), key=lambda item: (-item[1]["draws"], item[0]))
    subjects = f", with them {plural(step['lost_subjects'], 'subject')}" if step["lost_subjects"] else ""
    head = f"Left out: {plural(step['lost_draws'], 'draw')}{subjects}"
    return [head, *(f"{reason}: {counts['draws']:,}" for reason, counts in reasons)]


def _population_lines(name: str, characteristics: dict, populations: pa.Table) -> list[str]:
    lines = [
        f"{name.capitalize()} population",
        count_words({"draws": characteristics["draws"], "subjects": characteristics["n"]}),
        f"{characteristics['positive']:,} positive, {characteristics['negative']:,} negative",
    ]
    if name == "generic":
        splits = populations["split"].to_pylist()
        lines.append(", ".join(f"{splits.count(split):,} {split}" for split in ("train", "validation", "test")))
    else:
        lines.append("one network each, never part of the generic one")
    return lines


def _height(lines: list[str]) -> float:
    return len(lines) * LINE + 2 * PADDING


def _gap(above: list[str], loss: list[str], below: list[str]) -> float:
    """Between two steps: room for the arrow, and for the loss beside it, which may reach half along both steps."""
    beside = (_height(above) + _height(below)) / 2
    return max(ARROW, _height(loss) + APART - beside) if loss else ARROW


def _box(axes: Axes, left: float, top: float, width: float, lines: list[str], edge: str) -> None:
    height = _height(lines)
    axes.add_patch(Rectangle((left, top - height), width, height, facecolor=LIGHT["paper"], edgecolor=edge, lw=0.9))
    for number, line in enumerate(lines):
        y = top - PADDING - (number + 0.5) * LINE
        weight = "bold" if number == 0 else "normal"
        axes.text(left + 0.14, y, line, va="center", weight=weight)


def _arrow(axes: Axes, x: float, top: float, bottom: float) -> None:
    style = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch((x, top), (x, bottom), color=LIGHT["muted"], lw=0.9, **style))


def _draw_ends(axes: Axes, top: float, ends: list[list[str]]) -> None:
    """The fork below the last step into the two populations."""
    lefts, fork = (MAIN_LEFT, LOST_LEFT), top - ARROW
    stem = MAIN_LEFT + MAIN_WIDTH / 2
    axes.plot([stem, stem], [top, fork], color=LIGHT["muted"], lw=0.9)
    centers = [left + MAIN_WIDTH / 2 for left in lefts]
    axes.plot([centers[0], centers[1]], [fork, fork], color=LIGHT["muted"], lw=0.9)
    for left, center, lines in zip(lefts, centers, ends, strict=True):
        _arrow(axes, center, fork, fork - ARROW)
        _box(axes, left, fork - ARROW, MAIN_WIDTH, lines, LIGHT["ink"])
