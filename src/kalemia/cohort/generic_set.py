"""Choose the draws of the generic set and split its patients into train, validation and test."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain

from kalemia.core.config import Populations
from kalemia.core.seeds import rng


def choose_generic_draws(usable: dict[int, list[dict]], settings: Populations, seed: int) -> list[dict]:
    """Choose the rows of the generic table: equally many positive and negative draws, as far as possible.

    usable: subject -> usable draws of everyone who is not a personal patient. With `generic_sampling`
    "between_patients", positive and negative draws come from different people, and a person with any positive draw
    contributes only positive draws (Chiu 2022). With "within_patients", people who have both classes contribute equally
    many of each, and the others follow as before. Of the class with more draws, people are taken in a random order
    until their draws are as many as the other class has; the last person may exceed it. Each person's place in that
    order depends only on the person and the seed.
    """
    offered = {
        subject: _offered_draws(subject, draws, settings.generic_sampling, seed) for subject, draws in usable.items()
    }
    order = sorted((subject for subject in offered if offered[subject]), key=lambda s: _random_unit(seed, "order", s))
    classes = {subject: {draw["label"] for draw in offered[subject]} for subject in order}
    both = [subject for subject in order if len(classes[subject]) == 2]
    single = {label: [subject for subject in order if classes[subject] == {label}] for label in (1, 0)}
    if settings.generic_patients is not None:
        both = both[: settings.generic_patients]
        n_per_class = (settings.generic_patients - len(both)) // 2
        single = {label: subjects[:n_per_class] for label, subjects in single.items()}
    min_draws = min(sum(len(offered[subject]) for subject in subjects) for subjects in single.values())
    groups = [both, *(list(_take_until(subjects, offered, min_draws)) for subjects in single.values())]
    split_of = {subject: split for group in groups for subject, split in assign_splits(group, settings, seed).items()}
    return sorted(
        (
            {
                "subject_id": subject,
                "draw_id": draw["draw_id"],
                "label": draw["label"],
                "split": split,
            }
            for subject, split in split_of.items()
            for draw in offered[subject]
        ),
        key=lambda row: (row["subject_id"], row["draw_id"]),
    )


def assign_split(subject_id: int, settings: Populations, seed: int) -> str:
    """Assign a subject to "train", "validation" or "test", independently of all other subjects.

    The split is drawn at random from the subject's id and the seed, with the configured probabilities, so that the
    fractions hold in each class up to chance. Exact quotas would move people between splits when another person joins.
    """
    at = _random_unit(seed, "split", subject_id)
    fractions = settings.generic_split
    if at < fractions.train:
        return "train"
    return "validation" if at < fractions.train + fractions.validation else "test"


def assign_splits(subjects: Sequence[int], settings: Populations, seed: int) -> dict[int, str]:
    """Assign people who offer the same classes, each independently of the others as `assign_split` does.

    Where chance leaves a split with fewer than half of the people that it should have, which happens among few people
    alone, the splits get quotas, people being taken in the order of their random numbers. Without that it would depend
    on the seed whether few people can be learned from at all.
    """
    split_of = {subject: assign_split(subject, settings, seed) for subject in subjects}
    shares = {name: share for name, share in asdict(settings.generic_split).items() if share > 0}
    n, count = len(subjects), Counter(split_of.values())
    if n < len(shares) or all(count[name] >= max(1, int(n * share / 2)) for name, share in shares.items()):
        return split_of
    sizes = {name: max(1, int(n * share)) for name, share in shares.items()}
    while sum(sizes.values()) != n:
        lacks = {name: n * share - sizes[name] for name, share in shares.items()}
        if sum(sizes.values()) < n:
            sizes[max(lacks, key=lacks.get)] += 1
        else:
            sizes[max(sizes, key=sizes.get)] -= 1
    order = sorted(subjects, key=lambda subject: _random_unit(seed, "split", subject))
    return dict(zip(order, chain.from_iterable([name] * size for name, size in sizes.items()), strict=True))


def count_splits_by_class(generic: Iterable[dict]) -> dict[str, dict[str, int]]:
    """Count the people of the generic set with draws of each class: split -> "positive" or "negative" -> number."""
    rows = list(generic)
    return {
        split: {
            name: len({row["subject_id"] for row in rows if (row["split"], row["label"]) == (split, label)})
            for label, name in ((1, "positive"), (0, "negative"))
        }
        for split in ("train", "validation", "test")
    }


def _offered_draws(subject: int, draws: list[dict], generic_sampling: str, seed: int) -> list[dict]:
    """The draws that a person can contribute to the generic set."""
    by_label = {
        label: sorted((draw for draw in draws if draw["label"] == label), key=lambda draw: draw["draw_id"])
        for label in (1, 0)
    }
    if generic_sampling == "between_patients" or not (by_label[1] and by_label[0]):
        return by_label[1] or by_label[0]
    n = min(len(by_label[1]), len(by_label[0]))
    orders = {
        label: rng(seed, "within", subject, label).permutation(len(of_label)) for label, of_label in by_label.items()
    }
    return [by_label[label][i] for label in (1, 0) for i in sorted(orders[label][:n])]


def _take_until(subjects: list[int], offered: dict[int, list[dict]], n_draws: int) -> Iterator[int]:
    """The first subjects who together have at least `n_draws` draws."""
    n_taken = 0
    for subject in subjects:
        if n_taken >= n_draws:
            return
        n_taken += len(offered[subject])
        yield subject


def _random_unit(seed: int, *names: str | int) -> float:
    """A random number in [0, 1) that depends only on the seed and the names."""
    return float(rng(seed, *names).random())
