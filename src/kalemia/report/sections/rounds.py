"""Metrics after every round of personal training, for all arms."""

from kalemia.core.config import Study
from kalemia.report import chiu2022 as paper
from kalemia.report.formatting import METRIC_NAMES, PROTOCOLS, mean_sd, published
from kalemia.report.results import StudyResults
from kalemia.report.section import Figure, Notes, Section


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """One table per metric, and the number of patients evaluable in each arm."""
    return {
        "paper": paper,
        "protocols": PROTOCOLS,
        "metric_tables": [metric_table(metric, study, data.summary, notes) for metric in METRIC_NAMES],
        "n_personal": len(data.personal),
        "evaluable": {arm: data.summary["arms"][arm]["patients"] for arm in study.arms},
    }


def metric_table(metric: str, study: Study, summary: dict, notes: Notes) -> dict:
    """One metric: one row per round, one cell per arm, and the paper's value with its doubt."""
    n_rounds = max(len(summary["arms"][arm]["rounds"]) for arm in study.arms)
    rows = []
    for round_ in range(n_rounds):
        theirs = paper.ROUNDS[metric].get(round_)
        cells = [summary["arms"][arm]["rounds"][round_][metric] for arm in study.arms]
        rows.append(
            {
                "round": round_ or "generic",
                "cells": [{"text": mean_sd((cell["mean"], cell["sd"])), "n": cell["n"]} for cell in cells],
                "published": published(theirs),
                "mark": notes.mark(theirs.doubt) if theirs and theirs.doubt else None,
            }
        )
    return {"metric": metric, "name": METRIC_NAMES[metric], "rows": rows}


SECTION = Section(
    place=50,
    title="Round by round",
    build=build,
    is_personal=True,
    figures=(
        Figure(
            "rounds",
            "Accuracy and AUC on each patient's test draws after every round of personal training: one line per"
            " patient, the mean over patients, and the paper's means (dashed; hollow: approximate or in doubt).",
            "study_figures.write_rounds_figure",
            {"metrics": ("auc", "accuracy")},
        ),
        Figure(
            "rounds-by-class",
            "Sensitivity and specificity on each patient's test draws after every round of personal training.",
            "study_figures.write_rounds_figure",
            {"metrics": ("sensitivity", "specificity")},
        ),
    ),
    tables={"rounds": "Metrics on each patient's test draws after every round: one row per arm, patient and round."},
)
