"""Who is generic and who is personal once quality is known, and the generic patients' split."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from kalemia.cohort.inclusion_flow import count_inclusion_flow
from kalemia.core.config import Populations
from kalemia.core.errors import UserError
from kalemia.core.seeds import rng
from kalemia.core.tables import read_table, table_from_rows, write_json, write_table

log = logging.getLogger(__name__)


def write_populations(
    draws_path: str | Path,
    quality_paths: Iterable[str | Path],
    populations: Populations,
    step_descriptions: dict[str, str],
    seed: int,
    digest: str,
    populations_path: str | Path,
    generic_path: str | Path,
    personal_path: str | Path,
    flow_path: str | Path,
) -> None:
    """Write the populations, the generic draws with their split, the personal patients' draws, and the flow.

    `rules`: how a step of the flow was decided, in words, by its name. Knows nothing of arms, so that another arm
    leaves the generic network's input as it is.
    Raises `UserError` if nobody is personal or the generic network would lack a class.
    """
    quality = pa.concat_tables([read_table(path, "quality") for path in quality_paths]).to_pylist()
    usable = usable_draws_by_subject(quality)
    personal_subjects = sorted(s for s, mine in usable.items() if is_personal(mine, populations.personal_min_draws))
    generic = choose_generic_draws(
        {s: mine for s, mine in usable.items() if s not in personal_subjects}, populations, seed
    )
    _check_not_empty(personal_subjects, generic, populations, usable)

    split_of = {row["subject_id"]: row["split"] for row in generic}
    rows = []
    for subject in sorted({row["subject_id"] for row in quality}):
        mine = usable.get(subject, [])
        count = Counter(row["label"] for row in mine)
        population = "personal" if subject in personal_subjects else "generic" if subject in split_of else None
        rows.append(
            {
                "subject_id": subject,
                "population": population,
                "split": split_of.get(subject),
                "n_positive": count[1],
                "n_negative": count[0],
                "n_draws": len(mine),
                "reason": None if population else _reason_without_population(mine),
            }
        )
    kept = ("subject_id", "draw_id", "draw_time", "label", "hadm_id", "recording")
    of_personal = [{name: draw[name] for name in kept} for subject in personal_subjects for draw in usable[subject]]
    log.info("%d personal patients, %d generic with %d draws", len(personal_subjects), len(split_of), len(generic))
    write_table(populations_path, "populations", table_from_rows("populations", rows), digest)
    write_table(generic_path, "generic", table_from_rows("generic", generic), digest)
    write_table(personal_path, "personal", table_from_rows("personal", of_personal), digest)
    draws = read_table(draws_path, "draws", ["draw_id", "subject_id", "reason"]).to_pylist()
    final = draw_outcomes(draws, quality, personal_subjects, generic)
    ends = {
        "generic": {"subjects": len(split_of), "draws": len(generic), "splits": count_splits_by_class(generic)},
        "personal": {"subjects": len(personal_subjects), "draws": len(of_personal)},
    }
    write_json(
        flow_path,
        count_inclusion_flow(final, step_descriptions) | {"reviewed": review_overrides(quality), "ends": ends},
    )


def usable_draws_by_subject(quality: Iterable[dict]) -> dict[int, list[dict]]:
    """The rows of quality tables that passed, by subject."""
    usable: dict[int, list[dict]] = {}
    for row in quality:
        if row["reason"] is None:
            usable.setdefault(row["subject_id"], []).append(row)
    return usable


def review_overrides(quality: Iterable[dict]) -> dict[str, int]:
    """How many draws the review kept against the automatic verdict, and how many it left out."""
    rows = [row for row in quality if row["review"]]
    return {
        "accepted": sum(row["verdict"] is not None and row["reason"] is None for row in rows),
        "rejected": sum(row["verdict"] is None and row["reason"] is not None for row in rows),
    }


def is_personal(draws: Iterable[dict], min_draws: int) -> bool:
    """Whether somebody has enough usable draws of both classes for a network of their own."""
    count = Counter(draw["label"] for draw in draws)
    return min(count[0], count[1]) >= min_draws


def choose_generic_draws(usable: dict[int, list[dict]], settings: Populations, seed: int) -> list[dict]:
    """The rows of the generic table, with as many draws of either class as can be.

    `balanced`: positive draws of some people, negative draws of others; somebody with a positive draw is of the
    positive class and gives only positive draws (Chiu 2022). `within`: people who have both classes give as many of
    either, and the others follow as in `balanced`. Of a class with more draws people are taken in an order that
    depends on nobody else until their draws are as many as the other's; the last one taken may go over.
    """
    given = {
        subject: _offered_draws(subject, mine, settings.generic_sampling, seed) for subject, mine in usable.items()
    }
    order = sorted((subject for subject in given if given[subject]), key=lambda s: _random_unit(seed, "order", s))
    classes = {subject: {draw["label"] for draw in given[subject]} for subject in order}
    both = [subject for subject in order if len(classes[subject]) == 2]
    single = {label: [subject for subject in order if classes[subject] == {label}] for label in (1, 0)}
    if settings.generic_patients is not None:
        both = both[: settings.generic_patients]
        left = (settings.generic_patients - len(both)) // 2
        single = {label: people[:left] for label, people in single.items()}
    fewest = min(sum(len(given[subject]) for subject in people) for people in single.values())
    chosen = both + [s for people in single.values() for s in _take_until(people, given, fewest)]
    return sorted(
        (
            {
                "subject_id": subject,
                "draw_id": draw["draw_id"],
                "label": draw["label"],
                "split": assign_split(subject, settings, seed),
            }
            for subject in chosen
            for draw in given[subject]
        ),
        key=lambda row: (row["subject_id"], row["draw_id"]),
    )


def _offered_draws(subject: int, draws: list[dict], generic_sampling: str, seed: int) -> list[dict]:
    """The draws that somebody would give to the generic set."""
    of = {label: sorted((d for d in draws if d["label"] == label), key=lambda d: d["draw_id"]) for label in (1, 0)}
    if generic_sampling == "between_patients" or not (of[1] and of[0]):
        return of[1] or of[0]
    n = min(len(of[1]), len(of[0]))
    orders = {label: rng(seed, "within", subject, label).permutation(len(mine)) for label, mine in of.items()}
    return [of[label][i] for label in (1, 0) for i in sorted(orders[label][:n])]


def _take_until(people: list[int], given: dict[int, list[dict]], enough: int) -> Iterator[int]:
    """The first of `people` whose draws together are `enough`."""
    taken = 0
    for subject in people:
        if taken >= enough:
            return
        taken += len(given[subject])
        yield subject


def assign_split(subject_id: int, settings: Populations, seed: int) -> str:
    """train, validation or test: of the subject's id and the seed alone, so that nobody else can change it.

    Everybody's lot is drawn alone and with the same odds, in either class: the shares are those of the configuration
    within each class up to chance. Exact quotas would move people between splits whenever another joins.
    """
    at = _random_unit(seed, "split", subject_id)
    shares = settings.generic_split
    return "train" if at < shares.train else "validation" if at < shares.train + shares.validation else "test"


def count_splits_by_class(generic: Iterable[dict]) -> dict[str, dict[str, int]]:
    """How many people of the generic set have draws of either class, by split."""
    rows = list(generic)
    return {
        split: {
            name: len({row["subject_id"] for row in rows if (row["split"], row["label"]) == (split, label)})
            for label, name in ((1, "positive"), (0, "negative"))
        }
        for split in ("train", "validation", "test")
    }


def draw_outcomes(
    draws: Iterable[dict], quality: Iterable[dict], personal: Iterable[int], generic: Iterable[dict]
) -> list[tuple[int, str | None]]:
    """(subject_id, reason) of every draw, reason None where the draw is used."""
    by_draw = {row["draw_id"]: row for row in quality}
    personal = set(personal)
    used = {row["draw_id"] for row in generic}
    final = []
    for draw in draws:
        subject, reason = draw["subject_id"], draw["reason"]
        if reason is None:
            row = by_draw[draw["draw_id"]]
            reason = row["reason"]
            if reason is None and subject not in personal and draw["draw_id"] not in used:
                reason = "no labeled draw left" if row["label"] is None else "surplus of the class"
        final.append((subject, reason))
    return final


def _random_unit(seed: int, *names: str | int) -> float:
    return float(rng(seed, *names).random())


def _reason_without_population(usable: list[dict]) -> str:
    if not usable:
        return "no usable draw"
    return "surplus of the class" if any(draw["label"] is not None for draw in usable) else "no labeled draw left"


def _check_not_empty(personal: list[int], generic: list[dict], settings: Populations, usable: dict) -> None:
    if not personal:
        best = max((min(Counter(d["label"] for d in mine)[k] for k in (0, 1)) for mine in usable.values()), default=0)
        raise UserError(
            f"populations: nobody has {settings.personal_min_draws} usable draws of each class (the most is {best});"
            " lower populations.personal_min_draws or enlarge the cohort"
        )
    for split in ("train", "validation", "test"):
        found = {row["label"] for row in generic if row["split"] == split}
        for label, name in ((1, "positive"), (0, "negative")):
            if label not in found:
                raise UserError(
                    f"populations: the generic {split} split has no {name} draw"
                    f" ({len({row['subject_id'] for row in generic})} generic patients in all);"
                    " enlarge the cohort, or change populations.generic_split or seed"
                )
