"""The colors of every figure and page, by what they mean, on a light and on a dark ground."""

from typing import NamedTuple

ATTENTION_LEVELS = 7
SCALE_LEVELS = 7
ARM_COLORS = 4

# Classes have Okabe and Ito's colors; arms have them darkened on white and shifted, until each stands out from the
# ground and all remain distinct in the common kinds of color blindness; scales have Viridis, whose lightness alone
# tells the order. No two entries may be equal: a page finds out from a figure's color what it means.
LIGHT = {
    "ink": "#1c2126",
    "muted": "#5c666f",
    "faint": "#d3d8dc",
    "paper": "#ffffff",
    "positive": "#d55e00",
    "negative": "#0072b2",
    "generic": "#868c92",
    "arm-0": "#a5589d",
    "arm-1": "#008257",
    "arm-2": "#c68500",
    "arm-3": "#249cd3",
    "attention-0": "#c3c8cc",
    "attention-1": "#d3c08f",
    "attention-2": "#e0b04f",
    "attention-3": "#e69420",
    "attention-4": "#dd7208",
    "attention-5": "#c14a00",
    "attention-6": "#8f2400",
    "scale-0": "#440154",
    "scale-1": "#46307e",
    "scale-2": "#375a8c",
    "scale-3": "#287d8e",
    "scale-4": "#1f9f88",
    "scale-5": "#44bf70",
    "scale-6": "#95d840",
}

DARK = {
    "ink": "#e4e7ea",
    "muted": "#a3abb3",
    "faint": "#3d444b",
    "paper": "#16191d",
    "positive": "#f0813a",
    "negative": "#4ba3dc",
    "generic": "#9aa1a8",
    "arm-0": "#b57cbb",
    "arm-1": "#4bc490",
    "arm-2": "#eeb33b",
    "arm-3": "#94ccf4",
    "attention-0": "#555c64",
    "attention-1": "#74674a",
    "attention-2": "#9a7c3a",
    "attention-3": "#c28d2e",
    "attention-4": "#e59a35",
    "attention-5": "#fbb35c",
    "attention-6": "#ffdf9f",
    "scale-0": "#5b6fc4",
    "scale-1": "#3d84a8",
    "scale-2": "#21918c",
    "scale-3": "#26ad81",
    "scale-4": "#5ec962",
    "scale-5": "#a8db34",
    "scale-6": "#fde725",
}


class Look(NamedTuple):
    """How a model is drawn where several share an axis: color, marker, dashes of lines, and hatching of bars."""

    color: str
    marker: str
    dash: str | tuple
    hatch: str


# Marker, dashes and hatching of the arms that have the colors for the first time, the second, ...
_TURNS = (
    ("o", "-", ""),
    ("s", (0, (5, 1.6)), "////"),
    ("^", (0, (1.4, 1.2)), "...."),
    ("D", (0, (6, 1.4, 1.4, 1.4)), "xxxx"),
)


def class_color(label: int | None) -> str:
    """Of a draw's label: 1 positive, 0 negative, None neither."""
    return LIGHT["generic" if label is None else "positive" if label else "negative"]


def model_color(model: str, arms: list[str]) -> str:
    """Of `generic` or of an arm, by the arm's place in the configuration."""
    return LIGHT["generic"] if model == "generic" else LIGHT[f"arm-{arms.index(model) % ARM_COLORS}"]


def model_look(model: str, arms: list[str]) -> Look:
    """Of `generic` or of an arm; no two of the first 16 arms share one."""
    turn = 0 if model == "generic" else arms.index(model) // ARM_COLORS
    return Look(model_color(model, arms), *_TURNS[turn % len(_TURNS)])
