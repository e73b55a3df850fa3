"""The sections of the study's page, in order.

To add one: (1) a template sections/{id}.html without a heading, every table and figure in it by the macros `table`
and `figure` of macros.html; it knows `study`, `figures`, `notes` and what the builder returns; (2) a module
sections/{id}.py with the builder `values(study, data, notes) -> dict`, which reads only `data` (a file that it needs is
a field of `StudyResults`); (3) a line in `SECTIONS`. A figure is named in `kalemia.report.SECTION_FIGURES`, drawn by a
line in `kalemia.report.figures.study_figures.write_study_figures`, and has its caption in workflow/report/{figure}.rst.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kalemia.core.config import Study
from kalemia.report.inputs import StudyResults
from kalemia.report.notes import Notes
from kalemia.report.sections import (
    answer,
    beside,
    calibration,
    cards,
    characteristics,
    explanation,
    generic,
    included,
    leakage,
    method,
    patients,
    prevalence,
    proof,
    rounds,
    run,
    statistics,
)


@dataclass(frozen=True)
class Section:
    """One section: the id in links, files and templates; the heading; and what fills the template."""

    id: str
    title: str
    values: Callable[[Study, StudyResults, Notes], dict]


SECTIONS = (
    Section("answer", "The answer", answer.values),
    Section("included", "Who was included", included.values),
    Section("characteristics", "Characteristics", characteristics.values),
    Section("generic", "The generic network", generic.values),
    Section("rounds", "Round by round", rounds.values),
    Section("proof", "Arms and nulls", proof.values),
    Section("statistics", "Patients, intervals and tests", statistics.values),
    Section("leakage", "How near training comes to the test", leakage.values),
    Section("calibration", "Calibration", calibration.values),
    Section("prevalence", "At real prevalence", prevalence.values),
    Section("explanation", "What the networks look at", explanation.values),
    Section("patients", "Patients", patients.values),
    Section("beside", "Beside the paper", beside.values),
    Section("method", "Method", method.values),
    Section("cards", "Model cards", cards.values),
    Section("run", "What was run", run.values),
)
