"""Assign patients to the personal and the generic population once the quality of their excerpts is known."""

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import pyarrow as pa

from kalemia.cohort.generic_set import choose_generic_draws, count_splits_by_class
from kalemia.cohort.inclusion_flow import (
    STEP_BY_REASON,
    STEPS,
    DrawOutcome,
    count_flags,
    count_inclusion_flow,
    describe_classes,
)
from kalemia.core.config import Populations
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table, table_from_rows, write_json, write_table
from kalemia.core.wording import plural

log = logging.getLogger(__name__)

_WITH_RECORDING = tuple(STEPS)[tuple(STEPS).index("chosen to be read") :]  # steps of draws that have a recording


def write_populations(
    draws_path: str | Path,
    quality_paths: Iterable[str | Path],
    populations: Populations,
    step_descriptions: dict[str, str],
    seed: int,
    imports_generic: bool,
    digest: str,
    populations_path: str | Path,
    generic_path: str | Path,
    personal_path: str | Path,
    outcomes_path: str | Path,
    flow_path: str | Path,
) -> None:
    """Write the populations, the generic draws with their splits, the personal patients' draws, and what became of all.

    The latter twice: of each draw, and counted as the inclusion flow.

    step_descriptions: the criteria of the flow's steps, as from `inclusion_flow.step_descriptions`. Arms are not an
    input, so that adding an arm does not change the generic network's training data. Nobody is generic in a study
    that imports its generic network; otherwise there may be no personal patient. Raises `UserError` if a split of the
    generic set lacks a class, or if there is nobody at all.
    """
    quality = pa.concat_tables([read_table(path, "quality") for path in quality_paths]).to_pylist()
    usable = usable_draws_by_subject(quality)
    personal = sorted(s for s, draws in usable.items() if is_personal(draws, populations.personal_min_draws))
    others = {subject: draws for subject, draws in usable.items() if subject not in personal}
    generic = [] if imports_generic else choose_generic_draws(others, populations, seed)
    unused = "generic network imported" if imports_generic else "surplus of the class"
    if imports_generic:
        _check_personal(personal, populations, usable)
    else:
        _check_splits(generic)

    split_of = {row["subject_id"]: row["split"] for row in generic}
    rows = []
    for subject in sorted({row["subject_id"] for row in quality}):
        draws = usable.get(subject, [])
        count = Counter(row["label"] for row in draws)
        population = "personal" if subject in personal else "generic" if subject in split_of else None
        rows.append(
            {
                "subject_id": subject,
                "population": population,
                "split": split_of.get(subject),
                "n_positive": count[1],
                "n_negative": count[0],
                "n_draws": len(draws),
                "reason": None if population else _reason_without_population(draws, unused),
            }
        )
    columns = ("subject_id", "draw_id", "draw_time", "label", "hadm_id", "recording")
    personal_draws = [{name: draw[name] for name in columns} for subject in personal for draw in usable[subject]]
    log.info("%d personal patients; %d generic patients with %d draws", len(personal), len(split_of), len(generic))
    write_table(populations_path, "populations", table_from_rows("populations", rows), digest)
    write_table(generic_path, "generic", table_from_rows("generic", generic), digest)
    write_table(personal_path, "personal", table_from_rows("personal", personal_draws), digest)
    all_draws = read_table(draws_path, "draws", ["subject_id", "draw_id", "value", "label", "reason"]).to_pylist()
    outcomes = draw_outcomes(all_draws, quality, personal, generic, unused)
    write_table(outcomes_path, "outcomes", table_from_rows("outcomes", outcomes), digest)
    flow = count_inclusion_flow([_as_outcome(row) for row in outcomes], step_descriptions)
    flow["flags"] = count_flags(read_table(draws_path, "draws", ["flags"])["flags"].to_pylist())
    flow["reviewed"] = review_overrides(quality)
    flow["ends"] = {
        "generic": {"subjects": len(split_of), "draws": len(generic), "splits": count_splits_by_class(generic)},
        "personal": {"subjects": len(personal), "draws": len(personal_draws)},
    }
    flow["nearest"] = find_nearest_to_personal(outcomes)
    minutes = read_table(draws_path, "draws", ["minutes_from_ecg"])["minutes_from_ecg"].to_pylist()
    flow["pairing"] = describe_distances(
        of_draw for of_draw, row in zip(minutes, outcomes, strict=True) if row["reason"] is None
    )
    write_json(flow_path, flow)


def usable_draws_by_subject(quality: Iterable[dict]) -> dict[int, list[dict]]:
    """Subject -> its rows of the quality tables without a reason for exclusion."""
    usable: dict[int, list[dict]] = {}
    for row in quality:
        if row["reason"] is None:
            usable.setdefault(row["subject_id"], []).append(row)
    return usable


def review_overrides(quality: Iterable[dict]) -> dict:
    """Count the draws that the review accepted or rejected against the automatic verdict, with their classes."""
    rows = [row for row in quality if row["review"]]
    accepted = [row for row in rows if row["reason_before_review"] is not None and row["reason"] is None]
    rejected = [row for row in rows if row["reason_before_review"] is None and row["reason"] is not None]
    return {
        "accepted": len(accepted),
        "rejected": len(rejected),
        "rescued": sum(row["review_beats"] in ("found", "set") for row in accepted),
        "accepted_classes": describe_classes(map(_as_outcome, accepted)),
        "rejected_classes": describe_classes(map(_as_outcome, rejected)),
    }


def is_personal(draws: Iterable[dict], min_draws: int | None) -> bool:
    """Whether a subject has enough draws of each class for a personal network; nobody has if `min_draws` is None."""
    count = Counter(draw["label"] for draw in draws)
    return min_draws is not None and min(count[0], count[1]) >= min_draws


def describe_distances(minutes: Iterable[float | None]) -> dict | None:
    """How far used draws are from the starts of their paired ECGs; None if draws were not paired.

    before, after: draws that were taken before and after the ECG; median, longest: of the distance, in minutes.
    """
    known = [value for value in minutes if value is not None]
    if not known:
        return None
    distances = [abs(value) for value in known]
    before = sum(value < 0 for value in known)
    return {
        "before": before,
        "after": len(known) - before,
        "median": median(distances),
        "longest": max(distances),
    }


def find_nearest_to_personal(outcomes: Iterable[dict], most: int = 3) -> list[dict]:
    """The people with the most draws of their rarer class, best first: subject_id, positive, negative.

    Draws with a recording at the time count, whether or not they were read or their ECG is usable: of people without a
    personal network only a few are read.
    """
    classes: dict[int, Counter] = {}
    for row in outcomes:
        if row["reason"] is None or STEP_BY_REASON[row["reason"]] in _WITH_RECORDING:
            classes.setdefault(row["subject_id"], Counter())[row["label"]] += 1
    found = [{"subject_id": subject, "positive": of[1], "negative": of[0]} for subject, of in classes.items()]
    found.sort(key=lambda row: (-min(row["positive"], row["negative"]), -row["positive"], row["subject_id"]))
    return found[:most]


def draw_outcomes(
    draws: Iterable[dict], quality: Iterable[dict], personal: Iterable[int], generic: Iterable[dict], unused: str
) -> list[dict]:
    """Every draw with the reason that excludes it in the end; the reason is None if the draw is used.

    unused: the reason for labeled draws that are in neither population.
    """
    by_draw = {row["draw_id"]: row for row in quality}
    personal = set(personal)
    used = {row["draw_id"] for row in generic}
    outcomes = []
    for draw in draws:
        subject, reason = draw["subject_id"], draw["reason"]
        if reason is None:
            row = by_draw[draw["draw_id"]]
            reason = row["reason"]
            if reason is None and subject not in personal and draw["draw_id"] not in used:
                reason = "no labeled draw left" if row["label"] is None else unused
        outcomes.append(draw | {"reason": reason})
    return outcomes


def _as_outcome(row: dict) -> DrawOutcome:
    return DrawOutcome(row["subject_id"], row["reason"], row["label"], row["value"])


def _reason_without_population(usable: list[dict], unused: str) -> str:
    if not usable:
        return "no usable draw"
    return unused if any(draw["label"] is not None for draw in usable) else "no labeled draw left"


def _check_personal(personal: list[int], settings: Populations, usable: dict[int, list[dict]]) -> None:
    if personal:
        return
    counts = {subject: Counter(draw["label"] for draw in draws) for subject, draws in usable.items()}
    nearest = max(counts, key=lambda subject: min(counts[subject][0], counts[subject][1]), default=None)
    have = "nobody has a usable draw"
    if nearest is not None:
        positive, negative = counts[nearest][1], counts[nearest][0]
        have = f"subject {nearest} has the most, {positive} positive and {negative} negative"
    raise UserError(
        f"populations: nobody has {plural(settings.personal_min_draws, 'usable draw')} of each class ({have}); lower"
        " populations.personal_min_draws or enlarge the cohort"
    )


def _check_splits(generic: list[dict]) -> None:
    for split in ("train", "validation", "test"):
        labels = {row["label"] for row in generic if row["split"] == split}
        for label, name in ((1, "positive"), (0, "negative")):
            if label not in labels:
                raise UserError(
                    f"populations: the generic {split} split has no {name} draw"
                    f" ({plural(len({row['subject_id'] for row in generic}), 'generic patient')} in total);"
                    " enlarge the cohort, or change populations.generic_split"
                )
