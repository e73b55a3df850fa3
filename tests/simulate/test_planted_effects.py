"""What can be planted beside the textbook's effect: it is where it should be, and the cohort is otherwise the same."""

import gzip
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from kalemia.core.config import Shortcuts
from kalemia.simulate import simulate_cohort
from kalemia.simulate.clinical_tables import SODIUM, lab_rows, write_tables
from kalemia.simulate.fluid import liters_at, voltage_factor
from kalemia.simulate.own_places import CENTER_MS, N_ACTED_ON, UNIT_EFFECT_MV, random_places
from kalemia.simulate.patients import cohort
from kalemia.simulate.physiology import WAVES
from kalemia.simulate.recordings import draw_signals

SEED, ITEM = 7, 50971


@pytest.fixture(scope="module")
def settings(study):
    small = {"generic_patients": 4, "personal_patients": 2, "single_episode_patients": 0}
    return replace(study.simulation, draws_per_personal_patient=20, **small)


@pytest.fixture(scope="module")
def people(settings, study):
    return cohort(settings, study.analyte, SEED)


@pytest.fixture(scope="module")
def person(people):
    return next(person for person in people if person.population == "personal" and person.responsive)


def _lead_ii_mv(person, settings):
    return draw_signals(person, 3, -5000, 0, settings, SEED)[0]["II"]


def test_every_patient_has_two_places_of_their_own_to_either_side(person):
    places = [random_places(SEED, subject_id, person.heart, 1.0) for subject_id in range(400)]
    slopes_mv = np.array([of.mv_per_meq for of in places])
    assert ((slopes_mv != 0).sum(axis=1) == N_ACTED_ON).all()
    sizes = np.abs(slopes_mv[slopes_mv != 0]) / (UNIT_EFFECT_MV * person.heart.sensitivity)
    assert 0.7 <= sizes.min() < 0.75 < 1.25 < sizes.max() <= 1.3
    assert (slopes_mv > 0).sum(axis=0) == pytest.approx(100, abs=30)
    assert (slopes_mv < 0).sum(axis=0) == pytest.approx(100, abs=30)
    resting_mv = np.array([of.resting_mv for of in places])
    assert resting_mv.std(axis=0) == pytest.approx(0.08, abs=0.012)
    widths_ms = np.array([of.width_ms for of in places])
    assert 8 <= widths_ms.min() < 9 < 21 < widths_ms.max() <= 22


def test_heights_follow_potassium_and_differ_a_little_from_draw_to_draw(person):
    places = random_places(SEED, person.subject_id, person.heart, 1.0)
    random = np.random.default_rng(1)
    rested, raised = (np.array([places.height_mv(potassium, random) for _ in range(2000)]) for potassium in (4.3, 6.3))
    np.testing.assert_allclose(raised.mean(axis=0) - rested.mean(axis=0), 2 * places.mv_per_meq, atol=0.003)
    np.testing.assert_allclose(rested.std(axis=0), 0.02, rtol=0.1)
    np.testing.assert_allclose(rested.mean(axis=0), places.resting_mv, atol=0.003)


def test_own_places_add_small_waves_to_the_same_recording(person, settings):
    silent = replace(settings, noise=0.0)
    without_mv, with_mv = (_lead_ii_mv(person, replace(silent, own_place_effect=effect)) for effect in (0.0, 1.0))
    _, beats = draw_signals(person, 3, -5000, 0, silent, SEED)
    added_mv = with_mv - without_mv
    assert 0.01 < np.abs(added_mv).max() < 1
    r_ms = 1000 * beats.rhythm.r_s[:, None, None]
    away_ms = np.abs(np.arange(5000) * 8.0 - r_ms - np.array(list(CENTER_MS.values()))[:, None])
    assert not added_mv[away_ms.min(axis=(0, 1)) > 4 * 22].any()


def test_fluid_follows_potassium_and_is_none_where_it_is_off():
    assert liters_at(SEED, 1, 0, 9.0, 0.0) == 0.0
    assert voltage_factor(0.0) == 1.0
    rested, raised = ([liters_at(SEED, hadm, 0, potassium, 1.5) for hadm in range(500)] for potassium in (4.3, 6.3))
    np.testing.assert_allclose(np.subtract(raised, rested), 3.0)
    assert np.std(rested) == pytest.approx(0.4, rel=0.1)
    assert np.mean(rested) == pytest.approx(0.0, abs=0.06)


def test_fluid_lowers_every_wave_alike(person, settings):
    silent = replace(settings, noise=0.0, potassium_effect=0.0)
    dry_mv, wet_mv = (_lead_ii_mv(person, replace(silent, fluid_per_meq=liters)) for liters in (0.0, 1.0))
    liters = liters_at(SEED, person.monitored.hadm_id, 3, person.monitored.draws[3].potassium, 1.0)
    assert abs(liters) > 0.1
    np.testing.assert_allclose(wet_mv, dry_mv * np.exp(-0.1 * liters))


def test_fluid_dilutes_sodium_and_changes_no_other_laboratory_value(people):
    (plain, _), (diluted, _) = (lab_rows(people, ITEM, SEED, liters) for liters in (0.0, 1.0))
    changed = [(before, after) for before, after in zip(plain, diluted, strict=True) if before != after]
    assert {before[3] for before, _ in changed} == {SODIUM}
    assert all(before[:5] == after[:5] for before, after in changed)
    sodium = {(row[1], row[4]): row[6] for row in diluted if row[3] == SODIUM}
    pairs = [(row[6], sodium[row[1], row[4]]) for row in diluted if row[3] == ITEM and (row[1], row[4]) in sodium]
    assert len(pairs) > 40
    assert np.corrcoef(np.array(pairs).T)[0, 1] < -0.4


def test_recordings_that_end_with_the_label_hold_one_label_each(settings, study, people):
    others = cohort(replace(settings, shortcuts=Shortcuts(label_changes=True)), study.analyte, SEED)
    for person, other in zip(people, others, strict=True):
        plain, moved = person.monitored.draws, other.monitored.draws
        assert [replace(draw, stretch=None) for draw in plain] == [replace(draw, stretch=None) for draw in moved]
        labels = {}
        for draw in moved:
            assert other.stretches[draw.stretch].start + 1.6 < draw.hours < other.stretches[draw.stretch].stop
            if draw.label is not None:
                labels.setdefault(draw.stretch, set()).add(draw.label)
        assert all(len(of_recording) == 1 for of_recording in labels.values())
    mixed = [len({draw.stretch for draw in person.monitored.draws}) for person in people]
    assert mixed != [len({draw.stretch for draw in other.monitored.draws}) for other in others]


def test_the_tables_of_an_ordinary_cohort_are_what_they_were(people, tmp_path):
    write_tables(tmp_path, people, lab_rows(people, ITEM, SEED)[0], ITEM, SEED)
    text = "".join(gzip.decompress(path.read_bytes()).decode() for path in sorted(tmp_path.iterdir()))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "8e2c1028c3f62d9f6cade65ea24eddef186852e64730b53ab8391ac48dea6f65"


def test_the_truth_says_where_in_the_beat_potassium_acts(settings, study, tmp_path):
    few = replace(settings, generic_patients=2, personal_patients=0, draws_per_generic_patient=1)
    effects = {"own": {"potassium_effect": 0.0, "own_place_effect": 1.0}, "both": {"own_place_effect": 1.0}}
    effects |= {"none": {"potassium_effect": 0.0, "fluid_per_meq": 1.0}, "published": {}}
    found = {}
    for name, effect in effects.items():
        simulate_cohort(tmp_path / name, replace(few, **effect), study.analyte, SEED, processes=1)
        found[name] = json.loads((tmp_path / name / "truth.json").read_text())["patients"][0]
    assert found["none"]["potassium_acts_at"] == []
    assert found["none"]["draws"][0]["fluid_liters"] != found["own"]["draws"][0]["fluid_liters"] == 0
    published, own = (found[name]["potassium_acts_at"] for name in ("published", "own"))
    assert [place["place"] for place in published] == list(WAVES)
    assert found["both"]["potassium_acts_at"] == published + own
    assert len(own) == N_ACTED_ON
    for place in own:
        assert (place["from_ms"] + place["to_ms"]) / 2 == pytest.approx(CENTER_MS[place["place"]])
        assert 4 * 8 <= place["to_ms"] - place["from_ms"] <= 4 * 22
        assert abs(place["mv_per_meq"]) > 0
