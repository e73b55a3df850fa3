"""Inclusion: the flow from every value to the two populations, and the characteristics of these (Table 1)."""

from functools import partial

from kalemia.core.config import Analyte, Study
from kalemia.report import chiu2022 as paper
from kalemia.report.formatting import MISSING, count, count_percent, median_iqr, number
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """The steps of the flow, the decisions of the review and the link to it, and the rows of Table 1."""
    return {
        "paper": paper,
        "flow": data.flow["steps"],
        "reviewed": data.flow["reviewed"],
        "review": data.review,
        "characteristics": characteristics_rows(data.characteristics, study.analyte, notes),
    }


def characteristics_rows(ours: dict, analyte: Analyte, notes: Notes) -> list[dict]:
    """Table 1: each row a name and four cells, generic and personal, ours beside the paper's.

    Our shares are of those of whom it is known, the paper's are as printed; a row says how many are missing where
    some are.
    """
    ours = {population: of | {"ethnicity": _with_shares(of["ethnicity"])} for population, of in ours.items()}

    def row(name: str, key: str, show, missing: str = "", doubt: str | None = None) -> dict:
        cells = [
            show(of[population][key]) for population in ("generic", "personal") for of in (ours, paper.CHARACTERISTICS)
        ]
        for place, population in ((0, "generic"), (2, "personal")):
            if missing and ours[population]["missing"][missing]:
                cells[place] += f"; {count(ours[population]['missing'][missing])} missing"
        return {"name": name, "cells": cells, "marks": [None, notes.mark(doubt) if doubt else None, None, None]}

    def group_row(group: str) -> dict:
        return row(
            f"{group[:1].upper()}{group[1:]}, n (%)",
            "ethnicity",
            lambda groups: count_percent(groups[group]) if groups else MISSING,
            doubt=paper.HISPANIC_DOUBT if group == "Hispanic" else None,
        )

    value, unit = analyte.name.capitalize(), f", {analyte.unit}, mean (SD)"
    return [
        row("Patients", "n", count),
        row("Age at the first draw, years, median (IQR)", "age_median_iqr", median_iqr, "age"),
        row("Men, n (%)", "men", count_percent, "gender", paper.GENDER_DOUBT),
        *map(group_row, paper.CHARACTERISTICS["generic"]["ethnicity"]),
        row("Height, cm, median (IQR)", "height_cm_median_iqr", partial(median_iqr, digits=1), "height"),
        row("Weight, kg, median (IQR)", "weight_kg_median_iqr", partial(median_iqr, digits=1), "weight"),
        row(f"{value} of negative draws{unit}", "potassium_negative_mean_sd", _mean_sd),
        row(f"{value} of positive draws{unit}", "potassium_positive_mean_sd", _mean_sd),
        row("Draws used", "draws", count),
        row("of these positive", "positive", count),
        row("of these negative", "negative", count),
    ]


def _with_shares(groups: dict[str, int] | None) -> dict[str, list] | None:
    return groups and {group: [n, n / sum(groups.values())] for group, n in groups.items()}


def _mean_sd(pair: list[float | None]) -> str:
    """With the paper's digits."""
    mean, sd = pair
    return MISSING if mean is None else f"{number(mean, 1)} ({number(sd, 2)})"


SECTION = Section(
    place=20,
    title="Inclusion",
    build=build,
    figures=(
        Figure(
            "flow",
            "Inclusion: subjects and draws left after each step, and why the others were excluded.",
            "flow_figure.write_flow_figure",
        ),
    ),
)
