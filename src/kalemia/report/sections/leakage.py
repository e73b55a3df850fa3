"""Leakage: what training and test share, and how AUC changes with the time between them."""

import numpy as np

from kalemia.core.config import Arm, Study
from kalemia.report.figures.distance_bins import by_distance, distance_names
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section

LEAKS = {
    "shared_recordings": "recordings",
    "shared_segments": "segments",
    "shared_admissions": "admissions",
    "shared_episodes": "episodes",
}


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Gaps and shares of each arm's splits, and AUC by distance."""
    return {
        "leaks": list(LEAKS.values()),
        "leakage_rows": leakage_rows(study.arms, data),
        "distance_rows": distance_rows(study.arms, data),
    }


def leakage_rows(arms: dict[str, Arm], data: StudyResults) -> list[dict]:
    """Each arm: over its splits the smallest gap in hours, and how many splits share what."""
    table = data.evaluation["leakage"].to_pylist()
    rows = []
    for name, arm in arms.items():
        mine = [row for row in table if row["arm"] == name]
        gaps = [row["smallest_gap_hours"] for row in mine]
        shares = [sum(row[leak] > 0 for row in mine) for leak in LEAKS]
        keys = {"arm": name, "protocol": arm.protocol, "splits": len(mine), "shares": shares}
        rows.append(keys | {"smallest": min(gaps, default=None), "median": float(np.median(gaps)) if gaps else None})
    return rows


def distance_rows(arms: dict[str, Arm], data: StudyResults) -> list[dict]:
    """Each distance to the nearest training draw: in each arm the AUC before and after, and the number of draws."""
    table = data.evaluation["training_distances"].to_pylist()
    columns = []
    for name in arms:
        mine = [row for row in table if row["arm"] == name]
        before, after = by_distance(mine, "placement_generic"), by_distance(mine, "placement")
        columns.append([(n, old, new) for (_, n, old), (_, _, new) in zip(before, after, strict=True)])
    return [
        {"name": name, "cells": [column[place] for column in columns]} for place, name in enumerate(distance_names())
    ]


SECTION = Section(
    place=80,
    title="Leakage between training and test",
    gist="What training and test draws share, and whether nearness in time explains the result",
    build=build,
    is_personal=True,
    figures=(
        Figure(
            "leakage",
            "Where AUC falls with the distance to training, the network may recognize the day.",
            "claim_figures.write_leakage_figure",
        ),
    ),
)
