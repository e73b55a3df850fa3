"""Numbers and names as the pages print them."""

import math
from collections.abc import Sequence

from kalemia.core.config import Range
from kalemia.report.chiu2022 import MeanSd

MISSING = "\N{EN DASH}"
METRIC_NAMES = {"accuracy": "Accuracy", "auc": "AUC", "sensitivity": "Sensitivity", "specificity": "Specificity"}
PROTOCOLS = {
    "forward": "every training draw precedes every test draw",
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


def count_percent(values: Sequence[float]) -> str:
    """A number and its share, for example ``610 (59.6%)``."""
    n, share = values
    return f"{count(n)} ({percent(share)})"


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
    """For example ``0.627 (0.581 to 0.669)``; a dash if unknown."""
    value, low, high = values
    return MISSING if _unknown(value) else f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def bounds(range_: Range) -> str:
    """For example ``above 5.5`` or ``from 3.5 to 5``."""
    parts = [(range_.above, "above"), (range_.from_, "from"), (range_.to, "to"), (range_.below, "below")]
    return " ".join(f"{word} {value:g}" for value, word in parts if math.isfinite(value))


def _unknown(value: float | None) -> bool:
    return value is None or value != value
