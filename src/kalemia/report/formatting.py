"""Numbers and names as the pages print them."""

import math
from collections.abc import Sequence

from kalemia.cohort.inclusion_flow import CLASSES
from kalemia.report.chiu2022 import MeanSd

MISSING = "\N{EN DASH}"
METRIC_NAMES = {"accuracy": "Accuracy", "auc": "AUC", "sensitivity": "Sensitivity", "specificity": "Specificity"}
SHORT_PROTOCOLS = {  # in eight words, where an arm first appears
    "forward": "learns from the past, tested on the future",
    "rolling": "predicts each draw from the draws before it",
    "paper": "tested on a random quarter of the draws",
    "episode": "never splits a run of draws alike",
    "admission": "never splits a stay in the hospital",
}
PROTOCOLS = {
    "forward": "every training draw precedes every test draw",
    "rolling": "each draw is predicted by a network of the draws before it",
    "paper": "the test draws are chosen at random",
    "episode": "no run of draws of one label and no recording is split",
    "admission": "no admission is split",
}


def number(value: float | None, digits: int = 3) -> str:
    """Fixed digits; a dash if unknown (None or NaN)."""
    return MISSING if _unknown(value) else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """With commas between thousands; a dash for None."""
    return MISSING if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share as a percentage with one digit."""
    return MISSING if _unknown(share) else f"{100 * share:.1f}%"


def count_percent(values: Sequence[float | None]) -> str:
    """A number and its share, for example ``610 (59.6%)``; a dash if unknown."""
    n, share = values
    return MISSING if n is None else f"{count(n)} ({percent(share)})"


def median_iqr(values: Sequence[float | None], digits: int = 0) -> str:
    """Median and quartiles, for example ``64 (52-76)``; a dash if unknown."""
    median, low, high = values
    return MISSING if median is None else f"{median:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def mean_sd(pair: Sequence[float | None], digits: int = 3) -> str:
    """For example ``0.604 (0.211)``; a dash for an unknown part."""
    mean, sd = pair
    return MISSING if _unknown(mean) else f"{number(mean, digits)} ({number(sd, digits)})"


def published(result: MeanSd | None) -> str:
    """The paper's mean (SD); ``about`` its mean where no figure was printed, a dash where it says nothing."""
    if result is None:
        return MISSING
    return f"about {number(result.mean)}" if result.approximate else mean_sd((result.mean, result.sd))


def interval(values: Sequence[float | None], digits: int = 3) -> str:
    """For example ``0.627 (0.581 to 0.669)``, or ``0.627`` where there are no bounds; a dash if unknown."""
    value, low, high = values
    if _unknown(value) or _unknown(low):
        return number(value, digits)
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def points(value: float | None, low: float | None, high: float | None) -> str:
    """A difference of shares in percentage points, ``+2.7 (-0.3 to +5.6)``; a dash if unknown, or if there are none."""
    if value is None or (low is None and value == 0):
        return MISSING
    shown = f"{100 * value:+z.1f}"
    return shown if low is None else f"{shown} ({100 * low:+.1f} to {100 * high:+.1f})"


def value_range(values: Sequence[float | None]) -> str:
    """Median, lowest and highest value, for example ``6.3; 5.6-8.9``; the one value if they are equal."""
    middle, lowest, highest = values
    if middle is None:
        return ""
    return number(middle, 1) if lowest == highest else f"{number(middle, 1)}; {number(lowest, 1)}-{number(highest, 1)}"


def loss_cells(row: dict) -> dict:
    """One step or reason of the flow: the draws it took of each class, with their values, and the difference."""
    cells = []
    for name in CLASSES:
        lost, entered = row[f"{name}_lost"], row[f"{name}_entered"]
        share = f" ({percent(lost / entered)})" if lost else ""
        cells.append(
            (
                f"{count(lost)} of {count(entered)}{share}",
                value_range([row[f"{name}_{of}"] for of in ("median", "lowest", "highest")]),
            )
        )
    return {
        "rule": row["reason"] or row["step"],
        "is_step": row["reason"] is None,
        "cells": cells,
        "difference": points(row["difference"], row["difference_low"], row["difference_high"]),
        "marked": loss_mark(row),
    }


def loss_mark(row: dict) -> str:
    """Of which class a rule takes a larger share, if the interval of the difference does not hold 0."""
    low, high = row["difference_low"], row["difference_high"]
    if low is None or low <= 0 <= high:
        return ""
    return "more positive" if low > 0 else "more negative"


def _unknown(value: float | None) -> bool:
    return value is None or value != value


def signed_interval(values: tuple[float | None, float | None, float | None]) -> str:
    """For example ``+0.12 (-0.01 to +0.25)``; a dash if unknown."""
    value, low, high = (None if number is None or math.isnan(number) else number for number in values)
    if value is None:
        return MISSING
    return f"{value:+z.2f}" if low is None else f"{value:+z.2f} ({low:+.2f} to {high:+.2f})"
