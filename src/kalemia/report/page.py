"""The page of a whole study: one HTML file that needs nothing beside it but the patients' pages it links to."""

from collections import Counter
from pathlib import Path

import pyarrow as pa

from kalemia import paper
from kalemia.config import Analyte, Study
from kalemia.report import METRIC_NAMES, STUDY_FIGURES
from kalemia.report.html import inline_svg, write_html
from kalemia.report.inputs import StudyResults, read_study, subject_name
from kalemia.report.proof import LEAKS, distance_rows, leakage_rows, verdict_rows
from kalemia.report.provenance import config_text, digests, versions
from kalemia.report.words import MISSING, count, mean_sd, number, percent, plural

PROTOCOLS = {
    "forward": "every training draw precedes every test draw",
    "paper": "the test draws are picked at random",
    "episode": "no run of draws of one label and no recording is divided",
    "admission": "no admission is divided",
}
SPLITS = ("train", "validation", "test")


def write_page(path: str | Path, study: Study, results: str | Path, subjects: list[str]) -> None:
    """Write the study's page from the results folder and from its figures, which must exist already.

    `subjects` are the personal patients, as ``p010059``; each is linked as ``patients/p010059/report.html``.
    """
    results = Path(results)
    data = read_study(results)
    marks: dict[str, str] = {}
    write_html(
        path,
        "study.html",
        study=study,
        protocols=PROTOCOLS,
        verdict=data.verdict,
        answer=answer(study, data.summary),
        verdict_rows=verdict_rows(study.arms, data.verdict),
        leaks=list(LEAKS.values()),
        leakage_rows=leakage_rows(study.arms, data),
        distance_rows=distance_rows(study.arms, data),
        figures={name: inline_svg(results / "figures" / f"{name}.svg") for name in STUDY_FIGURES},
        flow=data.flow["steps"],
        reviewed=data.flow["reviewed"],
        characteristics=characteristics_rows(data.characteristics, study.analyte, marks),
        generic=generic_rows(data.summary["generic"]),
        generic_metrics=data.summary["generic"],
        metric_tables=[metric_table(metric, study, data.summary, marks) for metric in METRIC_NAMES],
        notes=marks,
        patients=patient_rows(subjects, list(study.arms), data),
        evaluable={arm: data.summary["arms"][arm]["patients"] for arm in study.arms},
        outside=reasons_outside(data.populations),
        paper=paper,
        versions=versions(),
        digests=digests(study),
        config=config_text(study),
    )


def answer(study: Study, summary: dict) -> str:
    """In one sentence, what personal training did to the mean AUC in the first forward and the first paper arm."""
    first = {study.arms[arm].protocol: arm for arm in reversed(study.arms)}
    arms = [first[protocol] for protocol in ("forward", "paper") if protocol in first]
    if not arms:
        return "No arm is divided by time or at random."
    sentence = "; ".join(_arm_clause(arm, PROTOCOLS[study.arms[arm].protocol], summary["arms"][arm]) for arm in arms)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def characteristics_rows(ours: dict, analyte: Analyte, marks: dict[str, str]) -> list[dict]:
    """Table 1: each row a name and four cells, generic and personal, ours beside the paper's.

    Shares are of those of whom it is known; a row says how many are missing where some are.
    """

    def row(name: str, key: str, show, missing: str = "") -> dict:
        cells = [
            show(of[population][key]) for population in ("generic", "personal") for of in (ours, paper.CHARACTERISTICS)
        ]
        for place, population in ((0, "generic"), (2, "personal")):
            if missing and ours[population]["missing"][missing]:
                cells[place] += f"; {count(ours[population]['missing'][missing])} missing"
        return {"name": name, "cells": cells, "marks": [""] * 4}

    def group_row(group: str) -> dict:
        return row(f"{group[:1].upper()}{group[1:]}, n (%)", "ethnicity", lambda groups: _group(groups, group))

    value, unit = analyte.name.capitalize(), f", {analyte.unit}, mean (SD)"
    rows = [
        row("Patients", "n", count),
        row("Age at the first draw, years, median (IQR)", "age_median_iqr", _median_iqr, "age"),
        row("Men, n (%)", "men", _share, "gender"),
        *map(group_row, paper.CHARACTERISTICS["generic"]["ethnicity"]),
        row("Height, cm, median (IQR)", "height_cm_median_iqr", _median_iqr_one_digit, "height"),
        row("Weight, kg, median (IQR)", "weight_kg_median_iqr", _median_iqr_one_digit, "weight"),
        row(f"{value} of negative draws{unit}", "potassium_negative_mean_sd", _two_digits),
        row(f"{value} of positive draws{unit}", "potassium_positive_mean_sd", _two_digits),
        row("Draws used", "draws", count),
        row("of these positive", "positive", count),
        row("of these negative", "negative", count),
    ]
    rows[2]["marks"][1] = _mark(paper.GENDER_DOUBT, marks)
    return rows


def generic_rows(metrics: dict) -> list[dict]:
    """The generic network by split and unit, with the accuracy that the paper gives."""
    return [
        {"split": split, "unit": unit, **metrics[split][unit], "published": paper.GENERIC_ACCURACY[split]}
        for split in SPLITS
        for unit in ("draws", "beats")
    ]


def metric_table(metric: str, study: Study, summary: dict, marks: dict[str, str]) -> dict:
    """One metric: a row a round, a cell an arm, and the paper's figure with its doubt."""
    n_rounds = max(len(summary["arms"][arm]["rounds"]) for arm in study.arms)
    rows = []
    for round_ in range(n_rounds):
        published = paper.ROUNDS[metric].get(round_)
        cells = [summary["arms"][arm]["rounds"][round_][metric] for arm in study.arms]
        rows.append(
            {
                "round": round_ or "generic",
                "cells": [{"text": mean_sd((cell["mean"], cell["sd"])), "n": cell["n"]} for cell in cells],
                "published": _published(published),
                "mark": _mark(published.doubt, marks) if published and published.doubt else "",
            }
        )
    return {"name": METRIC_NAMES[metric], "rows": rows}


def patient_rows(subjects: list[str], arms: list[str], data: StudyResults) -> list[dict]:
    """Each personal patient: usable draws, and in each arm the AUC before and after, or why there is none."""
    draws = {subject_name(row["subject_id"]): row for row in data.populations.to_pylist()}
    personal = {(row["arm"], subject_name(row["subject_id"])): row for row in data.arms.to_pylist()}
    auc = {(row["arm"], subject_name(row["subject_id"]), row["round"]): row["auc"] for row in data.rounds.to_pylist()}
    rows = []
    for subject in subjects:
        cells = []
        for arm in arms:
            rounds, reason = personal[arm, subject]["rounds"], personal[arm, subject]["reason"]
            before, after = auc.get((arm, subject, 0)), auc.get((arm, subject, rounds))
            cells.append({"reason": reason, "rounds": rounds, "before": before, "after": after})
        counts = {key: draws[subject][key] for key in ("n_positive", "n_negative")}
        rows.append({"subject": subject, **counts, "arms": cells})
    return rows


def reasons_outside(populations: pa.Table) -> dict[str, int]:
    """Why subjects whose ECG was read belong to no population -> how many."""
    rows = populations.to_pylist()
    return dict(sorted(Counter(row["reason"] for row in rows if row["population"] is None).items()))


def _arm_clause(arm: str, protocol: str, summary: dict) -> str:
    before, after = summary["rounds"][0]["auc"], summary["rounds"][-1]["auc"]
    if not before["n"]:
        return f"no patient could be evaluated in the “{arm}” arm, in which {protocol}"
    return (
        f"in the “{arm}” arm, in which {protocol}, the mean AUC over {plural(before['n'], 'patient')} went"
        f" from {number(before['mean'])} with the generic network to {number(after['mean'])} after the last round"
    )


def _published(result: paper.MeanSd | None) -> str:
    if result is None:
        return MISSING
    return f"about {number(result.mean)}" if result.approximate else mean_sd((result.mean, result.sd))


def _mark(note: str, marks: dict[str, str]) -> str:
    """The letter that refers to `note`, given out in the order of first use."""
    return marks.setdefault(note, "abcdefgh"[len(marks)])


def _median_iqr(values: list[float | None]) -> str:
    median, low, high = values
    return MISSING if median is None else f"{median:.0f} ({low:.0f}-{high:.0f})"


def _median_iqr_one_digit(values: list[float | None]) -> str:
    median, low, high = values
    return MISSING if median is None else f"{median:.1f} ({low:.1f}-{high:.1f})"


def _group(groups: dict[str, int] | None, group: str) -> str:
    return MISSING if groups is None else _share([groups[group], groups[group] / sum(groups.values())])


def _share(values: list) -> str:
    n, share = values
    return f"{count(n)} ({percent(share)})"


def _two_digits(pair: list[float | None]) -> str:
    return mean_sd(pair, 2)
