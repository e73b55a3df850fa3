"""The patients of a simulated cohort: demographics, response of the ECG to potassium, stays, draws and recordings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

import numpy as np

from kalemia.core.config import Analyte, Simulation
from kalemia.core.seeds import rng
from kalemia.simulate import potassium_course as course
from kalemia.simulate.physiology import Heart, random_heart
from kalemia.simulate.potassium_course import Classes, Draw, Stretch

FIRST_SUBJECT = 200_001
UNRESPONSIVE = 0.05  # sensitivity of a patient whose ECG hardly responds to potassium

# Causes of exclusion; some patients are simulated only to be excluded.
CAUSES = (
    "coded atrial fibrillation",
    "no lead II",
    "coded pacemaker",
    "atrial fibrillation that nobody coded",
    "monitor off before every draw",
)


@dataclass(frozen=True)
class Admission:
    """One stay in hospital with one in intensive care; `draws` in hours since `admitted`."""

    hadm_id: int
    icustay_id: int
    admitted: datetime
    discharged: datetime
    draws: tuple[Draw, ...]

    def at(self, hours: float) -> datetime:
        """The time so many hours after admission, to the millisecond, as in recordings."""
        return self.admitted + timedelta(milliseconds=round(hours * 3_600_000))


@dataclass(frozen=True)
class Person:
    """A patient of the cohort; the last admission is the one with recordings."""

    subject_id: int
    population: str  # intended: personal, generic, excluded
    cause: str | None  # of exclusion
    positive: bool  # at least once
    single_episode: bool
    responsive: bool
    sex: str
    born: datetime
    heart: Heart
    leads: tuple[str, ...]  # signals of the recordings, in the order of their layout
    admissions: tuple[Admission, ...]
    stretches: tuple[Stretch, ...]
    whole_stretch: int | None = None  # the recording that is written whole; others only around their draws

    @property
    def monitored(self) -> Admission:
        """The stay with recordings."""
        return self.admissions[-1]


@dataclass(frozen=True)
class _Part:
    """What is planned for a patient."""

    population: str
    positive: bool
    cause: str | None = None
    single_episode: bool = False
    responsive: bool = True


def cohort(settings: Simulation, analyte: Analyte, seed: int) -> list[Person]:
    """All patients, by ascending subject id. Parts are assigned at random, in exactly the configured numbers."""
    classes = Classes(analyte.positive, analyte.negative, settings.max_potassium)
    parts = _parts(settings, seed)
    order = rng(seed, "parts").permutation(len(parts))
    people = [_person(FIRST_SUBJECT + i, parts[part], settings, classes, seed) for i, part in enumerate(order)]
    whole = _whole_stretches(people, settings.whole_recordings)
    return [replace(person, whole_stretch=whole.get(person.subject_id)) for person in people]


def _whole_stretches(people: Sequence[Person], n: int) -> dict[int, int]:
    """The recordings, at most one a patient, that are written whole: the `n` in which potassium changes most.

    By subject; of personal patients whose ECG responds, in the second half of their draws, so that a network can have
    learned from those before.
    """
    best = {}
    for person in people:
        if person.population != "personal" or not person.responsive:
            continue
        by_stretch: dict[int, list[float]] = {}
        for draw in person.monitored.draws[len(person.monitored.draws) // 2 :]:
            if draw.coverage in course.USABLE:
                by_stretch.setdefault(draw.stretch, []).append(draw.potassium)
        change, stretch = max((max(values) - min(values), stretch) for stretch, values in by_stretch.items())
        best[person.subject_id] = change, stretch
    most = sorted(best, key=lambda subject: best[subject], reverse=True)[:n]
    return {subject: best[subject][1] for subject in most}


def _parts(settings: Simulation, seed: int) -> list[_Part]:
    n_personal, n_generic = settings.personal_patients, settings.generic_patients
    personal = [_Part("personal", True, single_episode=i < settings.single_episode_patients) for i in range(n_personal)]
    generic = [_Part("generic", i < n_generic // 2) for i in range(n_generic)]
    excluded = [_Part("excluded", i % 2 == 0, CAUSES[i % len(CAUSES)]) for i in range(ceil(0.1 * n_generic))]
    return [
        replace(part, responsive=bool(responsive))
        for group in (personal, generic, excluded)
        for part, responsive in zip(group, _responsive(group, settings.unresponsive_fraction, seed), strict=True)
    ]


def _responsive(group: list[_Part], unresponsive_fraction: float, seed: int) -> np.ndarray:
    answers = np.arange(len(group)) >= round(unresponsive_fraction * len(group))
    return rng(seed, "responsive", len(group)).permutation(answers)


def _person(subject_id: int, part: _Part, settings: Simulation, classes: Classes, seed: int) -> Person:
    life, stay = rng(seed, "person", subject_id), rng(seed, "stay", subject_id)
    sensitivity = float(np.clip(np.exp(0.2 * life.standard_normal()), 0.65, 1.6)) if part.responsive else UNRESPONSIVE
    heart = random_heart(life, sensitivity, "atrial fibrillation" in (part.cause or ""))
    admissions = _admissions(subject_id, _draws_of(part, settings, classes, stay), classes, stay)
    draws = list(admissions[-1].draws)
    stretches, numbers = course.stretches_of_recording(draws, stay, settings.shortcuts.label_changes)
    drawn = tuple(replace(draw, stretch=number) for draw, number in zip(draws, numbers, strict=True))
    age_years = np.clip(life.normal(50 if part.population == "personal" else 64, 14), 19, 94)
    born = admissions[-1].admitted - timedelta(days=int(365.25 * (age_years if age_years < 89 else 300)))
    return Person(
        subject_id=subject_id,
        population=part.population,
        cause=part.cause,
        positive=part.positive,
        single_episode=part.single_episode,
        responsive=part.responsive,
        sex="M" if life.random() < 0.6 else "F",
        born=born.replace(hour=0, minute=0),
        heart=heart,
        leads=_leads(part, life),
        admissions=(*admissions[:-1], replace(admissions[-1], draws=drawn)),
        stretches=tuple(stretches),
    )


def _draws_of(part: _Part, settings: Simulation, classes: Classes, stay: np.random.Generator) -> list[Draw]:
    if part.single_episode:
        return course.draws_with_one_episode(
            settings.draws_per_personal_patient, classes, settings.noise, stay, settings.hours_between_draws
        )
    if part.population == "personal":
        return course.draws_with_episodes(
            settings.draws_per_personal_patient, classes, settings.noise, stay, settings.hours_between_draws
        )
    draws = course.few_draws(settings.draws_per_generic_patient, part.positive, classes, settings.noise, stay)
    if part.cause == "monitor off before every draw":
        return [replace(draw, coverage="off") for draw in draws]
    return draws


def _admissions(subject_id: int, draws: list[Draw], classes: Classes, stay: np.random.Generator) -> list[Admission]:
    """The stay with these draws, and for two in five patients an earlier one without recordings."""
    number = 10 * (subject_id - FIRST_SUBJECT)
    admitted = datetime(2110, 1, 1) + timedelta(minutes=int(stay.integers(0, 80 * 365 * 1440)))
    monitored = _admission(number, admitted, draws, stay)
    if stay.random() > 0.4:
        return [monitored]
    elsewhere = course.draws_elsewhere(int(stay.integers(1, 4)), classes, stay)
    before = admitted - timedelta(minutes=int(stay.integers(60 * 1440, 500 * 1440)))
    return [_admission(number + 1, before, elsewhere, stay), monitored]


def _admission(number: int, admitted: datetime, draws: list[Draw], stay: np.random.Generator) -> Admission:
    hours = draws[-1].hours + stay.uniform(24, 120)
    discharged = (admitted + timedelta(hours=hours)).replace(second=0, microsecond=0)
    return Admission(100_000 + 7 * number, 210_000 + 11 * number, admitted, discharged, tuple(draws))


def _leads(part: _Part, life: np.random.Generator) -> tuple[str, ...]:
    """Lead II and one or two other signals; on some monitors the pulse is the first."""
    others = [("V",), ("PLETH",), ("ABP",), ("V", "ABP")][life.choice(4, p=[0.3, 0.3, 0.25, 0.15])]
    if part.cause == "no lead II":
        return ("V", "PLETH")
    return (*others, "II") if others == ("PLETH",) else ("II", *others)
