"""Small panels that share one axes."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from kalemia.report.figures.canvas import svg_figure
from kalemia.report.figures.explanation_drawing import BeatMap, beat_limits, draw_attention
from kalemia.report.figures.tiles import Margins, labeled_ticks, limits_around, tiled

MARGINS = Margins(left=1, right=0.5, head=0.5, foot=0.25, gap_x=0.1, gap_y=0.2, block_gap=0.3)


@pytest.fixture
def drawn():
    """A figure of 10 by 5 inches with two rows of four panels, in blocks of two; and its panels before the paths."""
    figure = Figure(figsize=(10, 5))
    figure.subplots_adjust(bottom=0.05, top=1)
    with tiled(figure, 2, 4, MARGINS, columns_a_block=2) as tiles:
        yield figure, tiles


def test_panels_fill_the_figure_within_its_margins(drawn):
    _, tiles = drawn
    first, last = tiles.panel(0, 0), tiles.panel(1, 3)
    assert (first.left, first.bottom + first.height) == pytest.approx((1, 4.5))
    assert (last.left + last.width, last.bottom) == pytest.approx((9.5, 0.25 + 0.05 * 5))
    lefts = [tiles.panel(0, column).left for column in range(4)]
    assert np.diff(lefts) - first.width == pytest.approx([0.1, 0.4, 0.1])
    assert first.bottom - tiles.panel(1, 0).bottom - first.height == pytest.approx(0.2)


def test_data_are_drawn_within_their_panel_and_one_look_is_one_path(drawn):
    figure, tiles = drawn
    for column in range(4):
        panel = tiles.panel(1, column, (-1, 1), (0, 10))
        panel.line(np.array([[-1, 0], [1, 10]]), "#ff0000", 2)
        panel.dots(np.array([[0, 5]]), "#0000ff", 3, 0.5)
    tiles.add_paths()
    red, blue = figure.axes[0].patches
    assert red.get_path().vertices[:2] == pytest.approx(
        np.array([[1, 0.5], [1 + tiles.panel(1, 0).width, 0.5 + tiles.panel(1, 0).height]])
    )
    last = tiles.panel(1, 3)
    middle = [last.left + last.width / 2, last.bottom + last.height / 2]
    assert blue.get_path().vertices[-2:] == pytest.approx(np.array([middle, middle]))
    assert (len(red.get_path().vertices), len(blue.get_path().vertices)) == (8, 8)


def test_a_beat_is_drawn_whole_and_its_colors_follow_the_attention(tmp_path):
    beat_mv, attention = np.sin(np.arange(120)), np.repeat([0.0, 1.0, 0.0], 40)
    with (
        svg_figure([tmp_path / "beat.svg"], "A beat.", 2.0, is_simulated=True) as figure,
        tiled(figure, 1, 1, Margins()) as tiles,
    ):
        draw_attention(tiles.panel(0, 0, *beat_limits([beat_mv], 0.1)), BeatMap(beat_mv, attention))
    pale, dark = re.findall(r'<path d="([^"]+)"[^>]*stroke-linecap: round', (tmp_path / "beat.svg").read_text())
    assert (pale.count("M"), pale.count("L"), dark.count("M"), dark.count("L")) == (2, 79, 1, 40)


def test_numbers_of_ticks_have_equally_many_digits():
    assert labeled_ticks((-0.67, 0.97)) == {-0.5: "\N{MINUS SIGN}0.5", 0: "0.0", 0.5: "0.5"}
    assert list(labeled_ticks((-320, 632)).values()) == ["\N{MINUS SIGN}200", "0", "200", "400", "600"]


def test_limits_have_a_margin_and_are_never_empty():
    assert limits_around(np.array([0.0, 10.0])) == pytest.approx((-0.5, 10.5))
    low, high = limits_around(np.array([2.0, 2.0]))
    assert low < 2 < high
