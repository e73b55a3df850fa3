"""A simulated cohort with known ground truth, in PhysioNet's layout, so that all later stages read real formats."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from kalemia.core.config import Analyte, Simulation
from kalemia.core.errors import UserError
from kalemia.core.paths import subject_name
from kalemia.core.tables import write_json
from kalemia.simulate.clinical_tables import lab_rows, write_tables
from kalemia.simulate.fluid import liters_at
from kalemia.simulate.heart_rhythm import rhythm_of
from kalemia.simulate.noise_and_shortcuts import shortcut_at
from kalemia.simulate.own_places import CENTER_MS, random_places
from kalemia.simulate.patients import Person, cohort
from kalemia.simulate.physiology import SIGNS, WAVES
from kalemia.simulate.potassium_effect import excess_of
from kalemia.simulate.recordings import recording_name, stretch_start, write_recordings

WAVEFORMS = "mimic3wdb-matched/1.0"
TABLES = "mimiciii/1.4"


def simulate_cohort(folder: Path, settings: Simulation, analyte: Analyte, seed: int, processes: int) -> None:
    """Write a simulated cohort into `folder`, and finally its ground truth as ``truth.json``.

    Recordings go to ``mimic3wdb-matched/1.0``, tables to ``mimiciii/1.4``. Potassium is reported as the first item of
    `analyte`, and patients have episodes in its positive range: too much potassium, or too little. `processes` threads
    work in parallel; the bytes do not depend on their number. Raises `UserError` if `folder` already has recordings.
    """
    folder = Path(folder)
    if (folder / WAVEFORMS).exists():
        raise UserError(f"{folder}: already has recordings; choose another folder or delete this one")
    people, item_id = cohort(settings, analyte, seed), analyte.items[0]
    labs, row_of_draw = lab_rows(people, item_id, seed, settings.fluid_per_meq)
    write_tables(folder / TABLES, people, labs, item_id, seed)
    with ThreadPoolExecutor(processes) as pool:
        names = list(pool.map(partial(_write_person, folder, settings, seed), people))
    _write_lists(folder / WAVEFORMS, people, names)
    truth = {
        "simulated": True,
        "seed": seed,
        "item_id": item_id,
        "settings": asdict(settings),
        "patients": [_truth_of(person, row_of_draw, settings, seed) for person in people],
    }
    os.sync()  # thousands of files, on the disk before the last one says that they are whole
    write_json(folder / "truth.json", truth)


def _write_person(folder: Path, settings: Simulation, seed: int, person: Person) -> list[str]:
    return write_recordings(folder / WAVEFORMS / _place(person), person, settings, seed)


def _place(person: Person) -> str:
    name = subject_name(person.subject_id)
    return f"{name[:3]}/{name}/"


def _write_lists(folder: Path, people: list[Person], names: list[list[str]]) -> None:
    """The three lists at the root of the matched subset."""
    places = [_place(person) for person in people]
    recordings = [f"{place}{name}" for place, of_person in zip(places, names, strict=True) for name in of_person]
    lists = {
        "RECORDS": places,
        "RECORDS-waveforms": recordings,
        "RECORDS-numerics": [f"{name}n" for name in recordings],
    }
    for name, lines in lists.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


def _truth_of(person: Person, row_of_draw: dict, settings: Simulation, seed: int) -> dict:
    """The ground truth of a person, as an evaluation may need it."""
    return {
        "subject_id": person.subject_id,
        "population": person.population,
        "cause": person.cause,
        "positive": person.positive,
        "single_episode": person.single_episode,
        "responsive": person.responsive,
        "sensitivity": person.heart.sensitivity,
        "signs": dict(zip(SIGNS, map(float, person.heart.profile), strict=True)),
        "potassium_acts_at": _places_of_effect(person, settings, seed),
        "stretches": [
            {
                "recording": f"{_place(person)}{recording_name(person, number)}",
                "start": stretch_start(person, number).isoformat(timespec="milliseconds"),
                "hours": stretch.stop - stretch.start,
                "whole": number == person.whole_stretch,
                "shortcut": _shortcut_truth(person, number, stretch.start, settings, seed),
            }
            for number, stretch in enumerate(person.stretches)
        ],
        "draws": [
            {
                "draw_id": row_of_draw[person.subject_id, index],
                "time": person.monitored.at(draw.hours).isoformat(sep=" "),
                "potassium": draw.potassium,
                "reported": draw.reported,
                "coverage": draw.coverage,
                "rhythm": rhythm_of(person.heart, excess_of(person.heart, draw.potassium, settings.potassium_effect)),
                "fluid_liters": liters_at(
                    seed, person.monitored.hadm_id, index, draw.potassium, settings.fluid_per_meq
                ),
                "recording": f"{_place(person)}{recording_name(person, draw.stretch)}",
            }
            for index, draw in enumerate(person.monitored.draws)
        ],
    }


def _places_of_effect(person: Person, settings: Simulation, seed: int) -> list[dict]:
    """Where in a beat potassium acts: from and to (two SDs of a wave to both sides), in ms from R at 60 beats a minute.

    `mv_per_meq` is what a mEq/L adds to the height of a place of the patient's own; None for the published effect,
    whose parts are `signs`.
    """
    places = []
    if settings.potassium_effect > 0:
        waves = person.heart.waves
        starts_ms, stops_ms = waves.center_ms - 2 * waves.rise_ms, waves.center_ms + 2 * waves.fall_ms
        places += [
            {"place": name, "from_ms": float(start), "to_ms": float(stop), "mv_per_meq": None}
            for name, start, stop in zip(WAVES, starts_ms, stops_ms, strict=True)
        ]
    own = random_places(seed, person.subject_id, person.heart, settings.own_place_effect)
    return places + [
        {
            "place": name,
            "from_ms": center - 2 * float(width),
            "to_ms": center + 2 * float(width),
            "mv_per_meq": float(mv),
        }
        for (name, center), width, mv in zip(CENTER_MS.items(), own.width_ms, own.mv_per_meq, strict=True)
        if mv != 0
    ]


def _shortcut_truth(person: Person, stretch: int, hours: float, settings: Simulation, seed: int) -> dict:
    """The effect of a stretch on the ECG that does not depend on potassium; of a drift, its value at the start."""
    shortcut = shortcut_at(seed, person.subject_id, stretch, hours, settings.shortcuts)
    return {"gain": shortcut.gain, **dict(zip(WAVES, map(float, shortcut.amplitude), strict=True))}
