"""What the explanations of all patients show, in table rows and sentences."""

from itertools import product

import numpy as np

from kalemia.core.schemas import RATE_HZ
from kalemia.evaluation.claims.rule import MIN_PATIENTS
from kalemia.explanation.summary import (
    MAP_CHANGES,
    MAP_OPEN,
    MAP_UNCHANGED,
    SAME_MAP_CORRELATION,
    Estimate,
    Summary,
    depends_on_training,
    places_found,
)
from kalemia.explanation.wave_windows import WAVES
from kalemia.report.formatting import MISSING, interval, number, percent
from kalemia.report.results import Explanation

CHECKS = {"stem": "all weights random", "labels": "trained on shuffled labels"}


def explanation_values(explanations: dict[str, Explanation], arms: list[str], seed: int) -> dict:
    """Shares and losses by wave, the results of the randomization tests, the trustworthiness of the planes, and how
    well maps find the places that were planted.

    explanations: by the name of the patient.
    """
    of_patients = explanations.values()
    stages = sorted({stage for one in of_patients for stage in one.stages}, reverse=True)
    models = [model for model in ("generic", *arms) if any(model in one.embedding for one in of_patients)]
    summary = Summary(list(of_patients), seed)
    return {
        "stages": [stage_words(stage).removeprefix("the ") for stage in stages],
        "steps": " and ".join(f"{step_ms(stage):.0f} ms in {stage_words(stage)}" for stage in stages),
        "findings": [
            *(finding(summary, arm, stages) for arm in models[1:]),
            *(distance_from_uniform(summary, models, stage) for stage in stages),
        ],
        "wave_rows": [row for arm in models[1:] for row in wave_rows(summary, arm, stages)],
        "agreement_rows": agreement_rows(summary, models[1:], stages),
        "sanity_rows": [sanity_row(summary, model, stage) for model in models for stage in stages],
        "verdicts": [
            reference_sentence(summary, models, stages),
            *(change_sentence(summary, models, stages, of) for of in CHECKS),
        ]
        if models
        else [],
        "plane_rows": [plane_row(summary, model) for model in models],
        "planted_rows": planted_rows(summary, models[1:], stages),
        "planted_patient_rows": planted_patient_rows(explanations, models[1:], stages),
    }


def stage_words(stage: int) -> str:
    """For example ``the last stage``."""
    return {4: "the last stage", 0: "the stem"}.get(stage, f"stage {stage}")


def step_ms(stage: int) -> float:
    """From one value of a stage's map to the next: 32 ms in the stem and stage 1, and twice as much in every other."""
    return 1000 / RATE_HZ * 2 ** (max(stage, 1) + 1)


def finding(summary: Summary, arm: str, stages: list[int]) -> str:
    """In words, the wave whose removal changes an arm's output most, and Grad-CAM's share of that wave."""
    changes = {wave: summary.change(arm, arm, wave) for wave in WAVES}
    known = {wave: change for wave, change in changes.items() if change.n}
    if not known:
        return f"In the {arm} arm no conclusion about waves is possible: no network's output depends on one."
    wave = max(known, key=lambda name: known[name].mean)
    shares = " and ".join(f"{shown(summary.share(arm, stage, wave))} in {stage_words(stage)}" for stage in stages)
    lost, even = shown(summary.auc_drop(arm, arm, wave)), number(summary.even_share(arm, stages[0], wave), 2)
    return (
        f"After the last round of {arm}, removing the {_named(wave)} changes the output most:"
        f" {shown(known[wave])} of the total change of the logit, and a loss of AUC of {lost}. Grad-CAM gives it"
        f" {shares}; a uniform map would give it {even}."
    )


def distance_from_uniform(summary: Summary, models: list[str], stage: int) -> str:
    """In words, how far a stage's maps are from a uniform map."""
    distances = {
        f"{wave}, {model}": summary.share(model, stage, wave).mean - summary.even_share(model, stage, wave)
        for model, wave in product(models, WAVES)
    }
    farthest = max(distances, key=lambda name: abs(np.nan_to_num(distances[name])))
    return (
        f"Over all networks and waves, the shares of {stage_words(stage)} are within"
        f" {100 * abs(distances[farthest]):.0f} percentage points of those of a uniform map (farthest: {farthest})."
    )


def wave_rows(summary: Summary, arm: str, stages: list[int]) -> list[dict]:
    """Each wave before and after: its share in a uniform map and in Grad-CAM by stage, and the effect of removal."""
    return [
        {
            "arm": arm,
            "when": "before" if model == "generic" else "after",
            "wave": wave,
            "even": percent(summary.even_share(model, stages[0], wave)),
            "shares": [shown(summary.share(model, stage, wave)) for stage in stages],
            "change": shown(summary.change(arm, model, wave)),
            "auc": shown(summary.auc_drop(arm, model, wave)),
        }
        for model in ("generic", arm)
        for wave in WAVES
    ]


def agreement_rows(summary: Summary, arms: list[str], stages: list[int]) -> list[dict]:
    """Each arm, before and after: how alike Grad-CAM of each stage and occlusion order the waves."""
    return [
        {"arm": arm, "when": when, "cells": [shown(summary.agreement(arm, model, stage)) for stage in stages]}
        for arm in arms
        for when, model in (("before", "generic"), ("after", arm))
    ]


def sanity_row(summary: Summary, model: str, stage: int) -> dict:
    """How alike one map and others are, and whether it changes."""
    likeness = {against: summary.similarity(model, stage, against) for against in CHECKS}
    halves = summary.similarity(model, stage, "halves")
    return {
        "model": model,
        "stage": stage_words(stage).removeprefix("the "),
        "halves": shown(halves),
        "likeness": {against: shown(one) for against, one in likeness.items()},
        "ssim": {against: shown(summary.similarity(model, stage, against, "ssim")) for against in CHECKS},
        "outcome": {
            against: depends_on_training(one, halves) if one.n else MISSING for against, one in likeness.items()
        },
    }


def reference_sentence(summary: Summary, models: list[str], stages: list[int]) -> str:
    """In words, the similarity of maps without randomization, and when a change can be stated."""
    alike = [one.mean for model in models for stage in stages if (one := summary.similarity(model, stage, "halves")).n]
    if not alike:
        return f"No network has maps on two halves of the draws, so whether a map changes {MAP_OPEN}."
    return (
        "Without randomization, the maps of one network on two halves of the draws have a rank correlation of"
        f" {number(min(alike), 2)} to {number(max(alike), 2)} (means over patients). Whether a map changes {MAP_OPEN}"
        f" if the interval of that correlation reaches below {SAME_MAP_CORRELATION}, or with fewer than"
        f" {MIN_PATIENTS} patients."
    )


def change_sentence(summary: Summary, models: list[str], stages: list[int], against: str) -> str:
    """In words, which maps change with the randomization; those that do not are named."""
    outcomes = {
        f"{model} in {stage_words(stage)}": depends_on_training(likeness, summary.similarity(model, stage, "halves"))
        for model in models
        for stage in stages
        if (likeness := summary.similarity(model, stage, against)).n
    }
    same = [name for name, word in outcomes.items() if word == MAP_UNCHANGED]
    unknown = [name for name, word in outcomes.items() if word not in (MAP_UNCHANGED, MAP_CHANGES)]
    changed = len(outcomes) - len(same) - len(unknown)
    parts = [f"{CHECKS[against][:1].upper()}{CHECKS[against][1:]}: {changed} of {len(outcomes)} maps change"]
    if same:
        parts.append(f"unchanged, so they may show the beat rather than what was learned: {', '.join(same)}")
    if unknown:
        parts.append(f"open: {', '.join(unknown)}")
    return "; ".join(parts) + "."


def plane_row(summary: Summary, model: str) -> dict:
    """How far the two planes of a model can be trusted, and what PCA's holds."""
    return {
        "model": model,
        "tsne": shown(summary.projection(model, "t-SNE", "trustworthiness")),
        "pca": shown(summary.projection(model, "PCA", "trustworthiness")),
        "variance": shown(summary.projection(model, "PCA", "variance")),
    }


def planted_rows(summary: Summary, arms: list[str], stages: list[int]) -> list[dict]:
    """Each arm and map, before and after: how well it finds the planted places; no rows if there are none."""
    if not any(one.acts_at for one in summary.patients):
        return []
    return [
        {
            "arm": arm,
            "when": when,
            "map": map_words(stage),
            "found": shown(summary.found(arm, model, stage)),
            "others": shown(summary.found_of_others(arm, model, stage)),
            "more": shown(summary.found_more(arm, model, stage)),
            "random": MISSING if stage is None else shown(summary.found_at_random(model, stage)),
        }
        for arm in arms
        for when, model in (("before", "generic"), ("after", arm))
        for stage in (*stages, None)
    ]


def planted_patient_rows(explanations: dict[str, Explanation], arms: list[str], stages: list[int]) -> list[dict]:
    """Each patient and arm after the last round: where potassium acts, and how well each map finds it."""
    return [
        {
            "subject": subject,
            "arm": arm,
            "places": ", ".join(place["place"] for place in one.acts_at),
            "cells": [number(places_found(one, one.acts_at, arm, arm, stage), 2) for stage in (*stages, None)],
        }
        for subject, one in explanations.items()
        if one.acts_at
        for arm in arms
        if arm in one.embedding
    ]


def map_words(stage: int | None) -> str:
    """For example ``Grad-CAM, last stage``; None is occlusion."""
    return "occlusion" if stage is None else f"Grad-CAM, {stage_words(stage).removeprefix('the ')}"


def shown(one: Estimate) -> str:
    """The mean with its interval, where there is one."""
    return interval((one.mean, one.low, one.high), 2) if one.n > 1 else number(one.mean, 2)


def _named(wave: str) -> str:
    return {"QRS": "QRS complex", "ST": "ST segment"}.get(wave, f"{wave} wave")
