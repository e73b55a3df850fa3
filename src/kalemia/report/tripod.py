"""The items of the reporting guideline TRIPOD+AI, and where each is answered."""

import csv
from functools import cache
from importlib.resources import files

CITATION = "Collins GS, Moons KGM, Dhiman P, et al. BMJ 2024;385:e078378"
DOI = "10.1136/bmj-2023-078378"


@cache
def reporting_items() -> tuple[tuple[str, str, str], ...]:
    """(item, topic, where it is answered) in the guideline's order, of which the topic is in our words:
    data/tripod_ai.csv. What "the user" answers, Kalemia cannot.
    """
    with (files("kalemia") / "data/tripod_ai.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return tuple(map(tuple, rows))
