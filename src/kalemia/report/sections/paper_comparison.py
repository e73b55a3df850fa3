"""Every table and figure of the paper and its appendices, with this study's row under the paper's."""

from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.report import chiu2022 as paper
from kalemia.report.formatting import METRIC_NAMES, MISSING, PROTOCOLS, interval, mean_sd, number, published
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section
from kalemia.report.sections.generic import SPLITS

THEIRS, OURS = "Chiu 2022", "this study"
BY_RULE = (
    "The paper's authors inspected excerpts by eye; Kalemia excludes them by rule: {rhythm} for fibrillation and"
    " pacing, thresholds for beat quality."
)
BEATS_KEPT = (
    "Kalemia keeps at most the configured number of beats per draw, the best ones spread over the window; the paper"
    " gives no rule, and its counts of beats and draws imply about 200 per draw."
)
MEASURED = "Subjects with a value measured; the paper's number is that of the patients in its database."
MEAN_BEATS = (
    "Kalemia's mean beats are those of all labeled draws of the patient, including training draws; the paper's are of"
    " its test set."
)


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """Tables of inclusion, generic network, rounds, and the improvement of personal patients."""
    n_rounds = max(data.n_rounds, *(max(of) for of in paper.ROUNDS.values()))
    return {
        "paper": paper,
        "mean_beats": notes.mark(MEAN_BEATS),
        "inclusion": inclusion_rows(study, data, notes),
        "generic": generic_rows(data, notes),
        "rounds": list(range(n_rounds + 1)),
        "means": mean_rows(study, data, n_rounds, notes),
        "improvements": [improvement(metric, study, data, n_rounds, notes) for metric in METRIC_NAMES],
    }


def inclusion_rows(study: Study, data: StudyResults, notes: Notes) -> list[dict]:
    """The paper's row and ours: patients and draws, from the database to the two populations."""
    everybody = data.populations.to_pylist()
    known = [row for row in everybody if row["n_positive"] or row["n_negative"]]
    draws = data.generic.to_pylist()
    of_class = {label: [row["subject_id"] for row in draws if row["label"] == label] for label in (1, 0)}
    n_personal = len(data.personal)
    ours = {
        "patients": data.flow["steps"][0]["subjects"],
        "eligible": len(known),
        "personal": n_personal,
        "eligible_generic": len(known) - n_personal,
        "generic": len({row["subject_id"] for row in draws}),
        "positive_draws": len(of_class[1]),
        "positive_patients": len(set(of_class[1])),
        "negative_draws": len(of_class[0]),
        "negative_patients": len(set(of_class[0])),
    }
    rhythm = "diagnosis codes and the ECG itself" if study.cohort.exclude_codes else "the ECG itself"
    return [
        {"who": THEIRS, "mark": None, "patients_mark": None, **paper.INCLUSION},
        {"who": OURS, "mark": notes.mark(BY_RULE.format(rhythm=rhythm)), "patients_mark": notes.mark(MEASURED), **ours},
    ]


def generic_rows(data: StudyResults, notes: Notes) -> list[dict]:
    """For each split the paper's row and ours: patients, beats by class, and accuracy; none for an imported network."""
    draws, rows = data.generic.to_pylist(), []
    for split in (split for split in SPLITS if split in data.summary["generic"]):
        mine = [row for row in draws if row["role"] == split]
        beats = [sum(row["n_beats"] for row in mine if row["label"] == label) for label in (1, 0)]
        patients, positive, negative = paper.GENERIC_SPLITS[split]
        metrics = data.summary["generic"][split]
        theirs = {"patients": patients, "positive": positive, "negative": negative, "draws": MISSING, "beats": MISSING}
        theirs |= {"who": THEIRS, "mark": None, "published": number(paper.GENERIC_ACCURACY[split])}
        ours = {"patients": len({row["subject_id"] for row in mine}), "positive": beats[0], "negative": beats[1]}
        ours |= {unit: interval(metrics[unit]["accuracy"]) for unit in ("draws", "beats")}
        ours |= {"who": OURS, "mark": notes.mark(BEATS_KEPT), "published": MISSING}
        rows += [{"split": split, **theirs}, {"split": split, **ours}]
    return rows


def mean_rows(study: Study, data: StudyResults, n_rounds: int, notes: Notes) -> list[dict]:
    """For each metric the paper's row of means (SD) after each round, and two rows an arm under it: draws and beats."""
    rows = []
    for metric, name in METRIC_NAMES.items():
        cells = [_published(metric, round_, notes) for round_ in range(n_rounds + 1)]
        unit = notes.mark(paper.UNIT_DOUBT)
        rows.append({"metric": name, "who": THEIRS, "unit": "not reported", "mark": unit, "cells": cells})
        for arm, settings in study.arms.items():
            how = notes.mark(f"In the “{arm}” arm {PROTOCOLS[settings.protocol]}; {_purge(settings.purge_hours)}.")
            for unit, key in (("draws", metric), ("beats", f"beat_{metric}")):
                means = [of[key] for of in data.summary["arms"][arm]["rounds"]]
                texts = [mean_sd((of["mean"], of["sd"])) for of in means]
                texts += [MISSING] * (n_rounds + 1 - len(texts))
                row = {"metric": name, "who": f"{OURS}, {arm}", "unit": unit, "mark": how}
                rows.append(row | {"cells": [{"text": text, "marks": []} for text in texts]})
    return rows


def improvement(metric: str, study: Study, data: StudyResults, n_rounds: int, notes: Notes) -> dict:
    """Appendix 2, one metric: the paper's means, a row for each personal patient and arm, a cell for each round."""
    known = {(row["arm"], subject_name(row["subject_id"]), row["round"]): row[metric] for row in data.rounds}
    rows = [
        {
            "subject": subject,
            "arm": arm,
            "cells": [known.get((arm, subject, k)) for k in range(n_rounds + 1)],
        }
        for subject in data.personal
        for arm in study.arms
        if (arm, subject, 0) in known
    ]
    means = [_published(metric, round_, notes) for round_ in range(n_rounds + 1)]
    return {"metric": metric, "name": METRIC_NAMES[metric], "published": means, "rows": rows}


def _published(metric: str, round_: int, notes: Notes) -> dict:
    result = paper.ROUNDS[metric].get(round_)
    marks = [notes.mark(result.doubt)] if result and result.doubt else []
    if (metric, round_) in paper.P_VALUES:
        marks.append(notes.mark(f"{paper.P_VALUES[metric, round_]} against the generic network, {paper.UNPAIRED}"))
    return {"text": published(result), "marks": marks}


def _purge(hours: float) -> str:
    return f"no training draw is within {hours:g} h of a test draw (not a rule of the paper)"


SECTION = Section(
    place=130,
    title="Comparison with the paper",
    gist="Every table and figure of Chiu 2022 with the same numbers from this study",
    build=build,
    is_personal=True,
)
