"""Inclusion: the flow from every value to the two populations, what it took of each class, and who these are."""

from functools import partial

from kalemia.cohort.inclusion_flow import CODED, displayed_steps, step_name
from kalemia.core.config import Analyte, Study
from kalemia.core.wording import list_counts, plural
from kalemia.report import chiu2022 as paper
from kalemia.report.formatting import (
    MISSING,
    count,
    count_percent,
    loss_cells,
    loss_mark,
    median_iqr,
    number,
    percent,
    points,
    value_range,
)
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section

EVERYBODY = 2  # the row of a measure that is known of everybody: number of draws

FLAG_WORDS = {"comparator": "bound (< or >)"}  # the page calls something else a comparator


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """The flow with the decisions of the review, the draws it took by class, whom it left, and the rows of Table 1."""
    from kalemia.evaluation.selection_bias import ECG_RULES
    from kalemia.sources.registry import describe_source

    source = describe_source(study)
    steps = displayed_steps(data.flow["steps"], study.analyte, study.cohort, source.has_clinical_database)
    losses = [
        row | {"step": step_name(row["step"], study.cohort)}
        for row in data.evaluation["losses"].to_pylist()
        if study.cohort.exclude_codes or row["step"] != CODED
    ]
    whole = [row for row in losses if row["step"] == ECG_RULES]
    return {
        "paper": paper,
        "flow": [step | {"losses": {why: of["draws"] for why, of in step["reasons"].items()}} for step in steps],
        "pairing": data.flow["pairing"],
        "flags": list_counts({FLAG_WORDS.get(flag, flag): n for flag, n in data.flow["flags"].items()}),
        "reviewed": review_in_words(data.flow["reviewed"]),
        "review": data.review,
        "together": [loss_cells(row) | {"verdict": loss_verdict(row)} for row in whole],
        "losses": [loss_cells(row) for row in losses if row["step"] != ECG_RULES] + list(map(loss_cells, whole)),
        "evaluable": evaluable_cells(data.evaluation["evaluable"].to_pylist(), study.analyte),
        "n_evaluable": data.evaluation["evaluable"]["evaluable_people"].to_pylist()[EVERYBODY],
        "n_others": data.evaluation["evaluable"]["others_people"].to_pylist()[EVERYBODY],
        "characteristics": characteristics_rows(data.characteristics, study.analyte, notes),
        "age_rule": source.age_rule if has_any(data.characteristics, "age_median_iqr") else None,
        "has_body": has_any(data.characteristics, "height_cm_median_iqr", "weight_kg_median_iqr"),
    }


def has_any(characteristics: dict, *keys: str) -> bool:
    """Whether one of some characteristics is known of somebody in a population."""
    found = [characteristics[population][key] for population in ("generic", "personal") for key in keys]
    values = [value for of in found if of for value in (of.values() if isinstance(of, dict) else of)]
    return any(value is not None for value in values)


def review_in_words(reviewed: dict) -> str:
    """For example ``kept 2 draws: 2 positive (7.1; 6.2-8.0). It left out 0 draws``; empty if it did neither."""
    if not reviewed["accepted"] and not reviewed["rejected"]:
        return ""
    parts = []
    for name in ("accepted", "rejected"):
        classes = [
            f"{of['draws']:,} {label} ({value_range(of['value'])})" for label, of in reviewed[f"{name}_classes"].items()
        ]
        parts.append(": ".join([plural(reviewed[name], "draw"), *filter(None, [", ".join(classes)])]))
    rescued = f", {reviewed['rescued']:,} of them by beats that the checks had rejected" if reviewed["rescued"] else ""
    return f"kept {parts[0]}{rescued}. It left out {parts[1]}"


def loss_verdict(row: dict) -> str:
    """The answer to whether the rules on the ECG lose more of the positive draws, in a sentence."""
    if row["difference_low"] is None:
        return "That cannot be compared here."
    return {
        "more positive": "Yes: they lose a larger share of the positive draws.",
        "more negative": "No: they lose a larger share of the negative draws.",
        "": "The interval includes 0: a difference of this size may be chance.",
    }[loss_mark(row)]


def evaluable_cells(rows: list[dict], analyte: Analyte) -> list[dict]:
    """How evaluable patients differ from the others, one measure a row."""
    names = {
        "age": "Age at the first draw, years",
        "men": "Men",
        "draws": "Labeled draws of a person",
        "positive_draws": "of these positive",
        "value": f"Mean {analyte.name} of a person, {analyte.unit}",
        "highest_value": f"Highest {analyte.name} of a person, {analyte.unit}",
    }
    cells = []
    for row in rows:
        if row["evaluable_mean"] is None and row["others_mean"] is None and row["measure"] in ("age", "men"):
            continue  # the source does not know people
        is_share = row["measure"] == "men"
        bounds = row["difference"], row["difference_low"], row["difference_high"]
        low, high = bounds[1:]
        cells.append(
            {
                "name": names[row["measure"]],
                "groups": [_group_cell(row, group, is_share) for group in ("evaluable", "others")],
                "difference": points(*bounds) if is_share else _signed(*bounds),
                "marked": low is not None and not low <= 0 <= high,
            }
        )
    return cells


def characteristics_rows(ours: dict, analyte: Analyte, notes: Notes) -> list[dict]:
    """Table 1: each row a name and four cells, generic and personal, ours beside the paper's.

    A row of what this study knows of nobody is left out. Our shares are of those of whom it is known, the paper's are
    as printed; a row says how many are missing where some are.
    """
    known = partial(has_any, ours)
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
    rows = [row("Patients", "n", count)]
    if known("age_median_iqr"):
        rows.append(row("Age at the first draw, years, median (IQR)", "age_median_iqr", median_iqr, "age"))
    if known("men"):
        rows.append(row("Men, n (%)", "men", count_percent, "gender", paper.GENDER_DOUBT))
    if known("ethnicity"):
        rows += map(group_row, paper.CHARACTERISTICS["generic"]["ethnicity"])
    for name, key, what in (("Height, cm", "height_cm", "height"), ("Weight, kg", "weight_kg", "weight")):
        if known(f"{key}_median_iqr"):
            show = partial(median_iqr, digits=1)
            rows.append(row(f"{name}, median (IQR)", f"{key}_median_iqr", show, what))
    return [
        *rows,
        row(f"{value} of negative draws{unit}", "potassium_negative_mean_sd", _mean_sd),
        row(f"{value} of positive draws{unit}", "potassium_positive_mean_sd", _mean_sd),
        row("Draws used", "draws", count),
        row("of these positive", "positive", count),
        row("of these negative", "negative", count),
    ]


def _with_shares(groups: dict[str, int] | None) -> dict[str, list] | None:
    total = sum((groups or {}).values())
    return {group: [n, n / total] for group, n in groups.items()} if total else None


def _group_cell(row: dict, group: str, is_share: bool) -> str:
    mean, sd = row[f"{group}_mean"], row[f"{group}_sd"]
    if mean is None or is_share:
        return percent(mean)
    return number(mean, 1) if sd is None else f"{number(mean, 1)} ({number(sd, 1)})"


def _signed(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return MISSING
    return f"{value:+z.1f}" if low is None else f"{value:+z.1f} ({low:+.1f} to {high:+.1f})"


def _mean_sd(pair: list[float | None]) -> str:
    """With the paper's digits."""
    mean, sd = pair
    return MISSING if mean is None else f"{number(mean, 1)} ({number(sd, 2)})"


SECTION = Section(
    place=20,
    title="Inclusion",
    gist="Who was included, who was left out and why, and whether the rules lose more of the high values",
    build=build,
    figures=(
        Figure(
            "flow",
            "Who was included: the draws and subjects left after each step, and why others left.",
            "flow_figure.write_flow_figure",
        ),
    ),
    tables={
        "losses": "Draws lost of each class at every rule, with the difference of the shares lost and its interval.",
        "evaluable": "How evaluable patients differ from all others with a labeled value.",
    },
)
