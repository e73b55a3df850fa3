"""Numbers as text, and the colors of figures and pages."""

import re
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core.config import Range
from kalemia.core.wording import bounds, plural
from kalemia.report.figures.palette import ARM_COLORS, DARK, LIGHT, model_look
from kalemia.report.formatting import count, count_percent, mean_sd, number, percent
from report_pages import figure_paths


def test_numbers_are_written_as_the_paper_writes_them():
    assert mean_sd((0.604, 0.211)) == "0.604 (0.211)"
    assert mean_sd((4.3, 0.4), 2) == "4.30 (0.40)"
    assert count(41291) == "41,291"
    assert percent(0.596) == "59.6%"
    assert (plural(1, "draw"), plural(1034, "draw")) == ("1 draw", "1,034 draws")


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_what_is_not_known_is_a_dash(missing):
    assert number(missing) == "\N{EN DASH}"
    assert percent(missing) == "\N{EN DASH}"
    assert count_percent((None, missing)) == "\N{EN DASH}"
    assert mean_sd((missing, missing)) == "\N{EN DASH}"
    assert mean_sd((0.5, missing)) == "0.500 (\N{EN DASH})"


def test_bounds_are_said_in_words():
    assert bounds(Range(above=5.5)) == "above 5.5"
    assert bounds(Range(from_=3.5, to=5.0)) == "from 3.5 to 5"
    assert bounds(Range(from_=1, below=2)) == "from 1 below 2"


@given(st.floats(0, 1))
def test_a_number_reads_back_within_its_digits(value):
    assert float(number(value)) == pytest.approx(value, abs=0.0005 + 1e-12)


def _linear(color):
    """Of ``#rrggbb``, the red, green and blue light, 0 to 1."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _contrast(one, other):
    """WCAG 2 contrast ratio of two ``#rrggbb`` colors."""

    low, high = sorted(_linear(color) @ [0.2126, 0.7152, 0.0722] for color in (one, other))
    return (high + 0.05) / (low + 0.05)


# Color vision without one of the three cones, in linear RGB: Machado, Oliveira and Fernandes (IEEE Trans Vis Comput
# Graph 2009;15:1291), severity 1.
MACHADO = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ_OF_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
ARMS = [f"arm-{place}" for place in range(ARM_COLORS)]


def _lab(color, vision):
    """CIELAB of ``#rrggbb`` as an eye of `MACHADO`, or one with all cones (None), sees it."""
    seen = np.clip((np.eye(3) if vision is None else np.array(MACHADO[vision])) @ _linear(color), 0, 1)
    share = XYZ_OF_RGB @ seen / XYZ_OF_RGB.sum(axis=1)
    x, y, z = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_stand_out_from_the_ground(palette):
    for name in ("ink", "muted"):
        assert _contrast(palette[name], palette["paper"]) >= 4.5
    for name in ("positive", "negative", "generic", *ARMS):
        assert _contrast(palette[name], palette["paper"]) >= 3


@pytest.mark.slow
def test_words_in_figures_have_colors_that_can_be_read(results, many_arms):
    name_of = {color: name for name, color in LIGHT.items()}
    words = [
        text
        for folder in (results, many_arms)
        for path in figure_paths(folder)
        for text in re.findall(r"<text [^>]*>", path.read_text())
    ]
    colors = {color for text in words for color in re.findall(r"#[0-9a-f]{6}", text)}
    assert len(words) > 1000
    assert {"ink", "muted"} <= {name_of[color] for color in colors}
    for color, palette in product(colors, (LIGHT, DARK)):
        assert _contrast(palette[name_of[color]], palette["paper"]) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("vision", [None, *MACHADO])
@pytest.mark.parametrize("together", [("generic", *ARMS), ("positive", "negative", "generic")], ids=["arms", "classes"])
def test_colors_of_one_figure_are_told_apart_by_every_eye(palette, vision, together):
    seen = {name: _lab(palette[name], vision) for name in together}
    for one, other in combinations(together, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= 15, (one, other)


def test_a_color_blind_eye_confuses_what_it_should():
    assert np.linalg.norm(_lab("#ffffff", None) - [100, 0, 0]) < 0.1
    assert np.linalg.norm(_lab("#ff0000", None) - [53.24, 80.09, 67.20]) < 0.1  # of sRGB's red, D65
    red, green = "#b35a00", "#6b7d00"
    assert np.linalg.norm(_lab(red, None) - _lab(green, None)) > 40
    assert np.linalg.norm(_lab(red, "deuteranopia") - _lab(green, "deuteranopia")) < 15


def test_no_two_of_nine_arms_look_alike():
    arms = [f"arm{place}" for place in range(9)]
    looks = [model_look(arm, arms) for arm in arms]
    for parts in (("color", "marker"), ("color", "dash"), ("color", "hatch")):
        assert len({tuple(str(getattr(look, part)) for part in parts) for look in looks}) == len(arms)
    assert {(look.marker, look.dash, look.hatch) for look in looks[:4]} == {("o", "-", "")}


def test_a_color_tells_what_it_means():
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert set(LIGHT) == set(DARK)
