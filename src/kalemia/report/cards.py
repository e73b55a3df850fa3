"""The model cards of a study: of its generic network, and of each patient's, as Markdown and as part of a page."""

import csv
from functools import cache
from importlib.resources import files
from pathlib import Path

from kalemia import __version__
from kalemia.core.config import Study
from kalemia.core.tables import write_text
from kalemia.core.wording import bounds, plural
from kalemia.models.card import (
    GENERIC_ETHICS,
    INTENDED,
    OUT_OF_SCOPE,
    PERSONAL_ETHICS,
    PERSONAL_METRICS,
    SIMULATED,
    TRAINED,
    Card,
    Part,
    Table,
)
from kalemia.report import chiu2022 as paper
from kalemia.report.formatting import (
    METRIC_NAMES,
    MISSING,
    PROTOCOLS,
    count,
    count_percent,
    interval,
    number,
)
from kalemia.report.inputs import PatientArm, PatientResults
from kalemia.report.results import StudyResults
from kalemia.sources.registry import describe_source

TRIPOD_CITATION = "Collins GS, Moons KGM, Dhiman P, et al. BMJ 2024;385:e078378"
TRIPOD_DOI = "10.1136/bmj-2023-078378"
REPORTING = (
    f"TRIPOD+AI is the reporting guideline for such models ({TRIPOD_CITATION}, doi {TRIPOD_DOI}). The item numbers are"
    " the guideline's, the topics are paraphrased.",
    "Page: the study's page report.html, with the section's name. Card: this one, or that of a patient. README and"
    f" docs: of Kalemia {__version__}. The user: the authors of the study must answer this; the software cannot.",
)
ELSEWHERE = "Another study trained this network; the README.md of its model folder has them."
REPORTING_ELSEWHERE = "generic/model-card.md and the study's page list where each item of TRIPOD+AI is answered."


def write_generic_card(path: str | Path, study: Study, data: StudyResults) -> None:
    """Write the card of the generic model as Markdown."""
    write_text(path, generic_card(study, data).markdown)


def write_personal_card(path: str | Path, study: Study, patient: PatientResults) -> None:
    """Write the card of one patient's personal models as Markdown."""
    write_text(path, personal_card(study, patient).markdown)


def generic_card(study: Study, data: StudyResults) -> Card:
    """The card of the generic model."""
    metrics, people = data.summary["generic"], data.characteristics["generic"]
    network, training, imported = study.network, study.generic, "imported" in metrics
    model = [
        f"ResNet-{network.depth} in one dimension with pre-activation, {plural(network.width, 'channel')} at first,"
        f" {count(metrics['n_parameters'])} parameters, after {paper.CITATION}.",
        f"Input: a beat of 120 samples at 125 Hz around the R peak of lead {study.cohort.lead}. Output: the probability"
        f" that it is of a positive draw, {study.analyte.name} {bounds(study.analyte.positive)} {study.analyte.unit}.",
        f"Imported from a model folder, digest {metrics['imported']}."
        if imported
        else f"Trained for at most {plural(training.epochs, 'epoch')} with batches of {training.batch_size}; the"
        f" weights of epoch {metrics['best_epoch']} had the lowest validation loss. Seed {study.seed}, digest"
        f" {study.digest('generic')}.",
        f"Kalemia {__version__}, MIT license, research use only.",
    ]
    populations = [
        f"{plural(people['n'], 'patient')} with {plural(people['draws'], 'draw')}, {count(people['positive'])} of them"
        " positive.",
        *_ages(people),
        _source(study),
        "The report's inclusion flow gives the reasons for exclusion. Personal patients are not part of these data.",
    ]
    rows = [
        [
            f"{split}, {unit}",
            count(of["n"]),
            *(interval(of[key]) for key in ("accuracy", "auroc", "within_auroc", "auprc")),
        ]
        for split in ("train", "validation", "test")
        if split in metrics
        for unit, of in ((unit, metrics[split][unit]) for unit in ("draws", "beats"))
    ]
    head = ["Split", "n", "Accuracy", "AUC", "AUC within patients", "AUPRC"]
    table = Table("metrics", "Metrics with 95% intervals over patients", head, rows)
    return Card(
        f"Generic model of {study.analyte.condition} from bedside ECG, study {study.study}",
        [
            Part("Model", model),
            Part("Data", [ELSEWHERE] if imported else _with_simulated_note(study, populations)),
            Part("Intended use", _intended(study, "Starting point for personalized models.")),
            Part("Out of scope", list(OUT_OF_SCOPE)),
            Part("Metrics", [ELSEWHERE])
            if imported
            else Part(
                "Metrics",
                ["Weights were chosen on the validation patients; the test patients had no influence."],
                table,
            ),
            Part("Ethical notes", list(GENERIC_ETHICS)),
            Part("TRIPOD+AI", list(REPORTING), _reporting_table()),
        ],
    )


def personal_card(study: Study, patient: PatientResults) -> Card:
    """The card of one patient's models, one per arm."""
    possible = {arm: of for arm, of in patient.arms.items() if of.reason is None}
    model = [_personal_model(study, arm, of) for arm, of in patient.arms.items()]
    learned = [_training_draws(study, arm, of) for arm, of in possible.items()]
    rows = [row for arm, of in possible.items() for row in metric_rows(arm, of)]
    head = ["Arm", "Metric", "Test draws", "Generic network", "After the last round"]
    caption = "Metrics over the patient's own test draws"
    none = ["This patient is not evaluable in any arm, so there is no personal model."]
    return Card(
        f"Personal models of patient {patient.name}, study {study.study}",
        [
            Part("Model", model),
            Part("Data", _with_simulated_note(study, [*learned, _source(study)]) if possible else none),
            Part("Intended use", _intended(study, "For this one person only.")),
            Part("Out of scope", ["Any other person.", *OUT_OF_SCOPE]),
            Part("Metrics", list(PERSONAL_METRICS), Table("metrics", caption, head, rows))
            if possible
            else Part("Metrics", none),
            Part("Ethical notes", [*PERSONAL_ETHICS, REPORTING_ELSEWHERE]),
        ],
    )


def metric_rows(arm: str, of: PatientArm) -> list[list[str]]:
    """For each metric of one arm: before and after."""
    before, after = of.metrics[0], of.metrics[-1]
    n_positive = after["n_positive"]
    n_negative = after["n_test"] - n_positive
    sizes = {"accuracy": after["n_test"], "sensitivity": n_positive, "specificity": n_negative}
    return [
        [arm, name, str(sizes.get(metric, after["n_test"])), number(before[metric]), number(after[metric])]
        for metric, name in METRIC_NAMES.items()
    ]


def _personal_model(study: Study, arm: str, of: PatientArm) -> str:
    settings = study.arms[arm]
    if of.reason is not None:
        return f"{arm}: none, because {of.reason}."
    return (
        f"{arm}: {TRAINED[settings.train]}, in {plural(len(of.predictions) - 1, 'round')};"
        f" {PROTOCOLS[settings.protocol]}. Digest {study.arm_digest(arm)}; the checkpoints name their parents."
    )


def _training_draws(study: Study, arm: str, of: PatientArm) -> str:
    rows = of.predictions[-1].to_pylist()
    n_test = sum(row["role"] == "test" and row["label"] is not None for row in rows)
    if study.arms[arm].protocol == "rolling":  # a draw that is tested, and learned from later, has the role test
        n_pairs = study.personal.pairs_per_round * (len(of.predictions) - 1)
        return (
            f"{arm}: trained on {plural(2 * n_pairs, 'draw')}, {n_pairs} of them positive; {plural(n_test, 'draw')}"
            " tested, each by a network of the draws before it."
        )
    learned = [row for row in rows if row["role"] == "train"]
    n_positive, last = sum(row["label"] == 1 for row in learned), max(row["draw_time"] for row in learned)
    return (
        f"{arm}: trained on {plural(len(learned), 'draw')}, {n_positive} of them positive, the latest of"
        f" {last:%Y-%m-%d %H:%M}; tested on {plural(n_test, 'other')}."
    )


def _intended(study: Study, what_for: str) -> list[str]:
    return [INTENDED.format(analyte=study.analyte.name), what_for, "By researchers who read this card and the report."]


def _with_simulated_note(study: Study, sentences: list[str]) -> list[str]:
    return [SIMULATED, *sentences] if study.is_simulated else sentences


def _source(study: Study) -> str:
    return (
        f"Source: {describe_source(study).description}."
        f" Positive: {study.analyte.name} {bounds(study.analyte.positive)} {study.analyte.unit};"
        f" negative: {bounds(study.analyte.negative)}."
    )


def _ages(people: dict) -> list[str]:
    """Age and sex, if the source knows them."""
    if people["men"][0] is None:
        return []
    return [f"Age {_median(people['age_median_iqr'])} years; men {count_percent(people['men'])}."]


def _reporting_table() -> Table:
    rows = [list(row) for row in reporting_items()]
    return Table("reporting", "Where each item is answered", ["Item", "About", "Answered in, or by"], rows, folded=True)


@cache
def reporting_items() -> tuple[tuple[str, str, str], ...]:
    """(item, topic, where it is answered) in the guideline's order, of which the topic is in our words:
    data/tripod_ai.csv. What "the user" answers, Kalemia cannot.
    """
    with (files("kalemia") / "data/tripod_ai.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return tuple(map(tuple, rows))


def _median(values: list[float | None]) -> str:
    return MISSING if values[0] is None else f"{values[0]:.0f} (IQR {values[1]:.0f} to {values[2]:.0f})"
