"""The studies with planted truth (docs/demonstration.md): what is planted, and what the finished ones must say."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import ROOT
from kalemia.core.config import Study
from kalemia.core.config_files import merge_config
from kalemia.core.config_validation import check_config
from kalemia.core.settings.networks import NEIGHBORS_APART, ROLLING
from kalemia.core.tables import nan_to_none, read_json, read_table
from kalemia.evaluation.claims.rule import MIN_SHIFTED_RUNS, SHOWN
from kalemia.personal.splits import MIN_TEST_RUNS
from kalemia.simulate.own_places import CENTER_MS, random_places
from kalemia.simulate.patients import cohort
from kalemia.simulate.recordings import draw_signals

NAMES = ("textbook", "shortcut", "nothing", "idiosyncratic", "confounder", "recordings")
DEMOS = ("demo", "demo-no")
OVERLAYS = {"demo-no": DEMOS}
CHANCE = (0.4, 0.6)
SEED = 1


def _read_study(name, config):
    for overlay in OVERLAYS.get(name, (name,)):
        config = merge_config(config, yaml.safe_load((ROOT / f"studies/{overlay}.yaml").read_text()))
    check_config(config)
    return Study.from_config(config)


@pytest.fixture
def study_named(config):
    return lambda name: _read_study(name, config)


def _people(study):
    """Two personal patients of a study, without the others."""
    few = replace(study.simulation, generic_patients=2, personal_patients=2, unresponsive_fraction=0.0)
    return [person for person in cohort(few, study.analyte, SEED) if person.population == "personal"]


def _beats_at(person, potassium, simulation):
    """Lead II without noise before one draw, in mV, if its potassium were another; and the times of R in ms."""
    draws = person.monitored.draws
    changed = replace(person.monitored, draws=(replace(draws[0], potassium=potassium), *draws[1:]))
    other = replace(person, admissions=(*person.admissions[:-1], changed))
    signals, beats = draw_signals(other, 0, -5000, 0, replace(simulation, noise=0.0), SEED)
    return signals["II"], 1000 * beats.rhythm.r_s


def test_potassium_as_published_changes_the_beat_of_the_textbook_study(study_named):
    study = study_named("textbook")
    for person in _people(study):
        low_mv, high_mv = (_beats_at(person, potassium, study.simulation)[0] for potassium in (4.3, 6.3))
        assert np.abs(high_mv - low_mv).max() > 0.05


@pytest.mark.parametrize("name", ["shortcut", "nothing", "recordings", "demo-no"])
def test_potassium_changes_nothing_where_none_is_planted(name, study_named):
    study = study_named(name)
    for person in _people(study):
        low_mv, high_mv = (_beats_at(person, potassium, study.simulation)[0] for potassium in (4.3, 9.3))
        np.testing.assert_array_equal(low_mv, high_mv)


def test_potassium_changes_the_beat_at_two_places_of_their_own_and_nowhere_else(study_named):
    study = study_named("idiosyncratic")
    for person in _people(study):
        (low_mv, r_ms), (high_mv, _) = (_beats_at(person, potassium, study.simulation) for potassium in (4.3, 6.3))
        places = random_places(SEED, person.subject_id, person.heart, study.simulation.own_place_effect)
        centers_ms = np.array(list(CENTER_MS.values()))
        away_ms = 8.0 * np.arange(5000)[:, None] - r_ms
        expected_mv = sum(
            2 * slope_mv * np.exp(-0.5 * ((away_ms - center_ms) / width_ms) ** 2)
            for slope_mv, center_ms, width_ms in zip(places.mv_per_meq, centers_ms, places.width_ms, strict=True)
        ).sum(axis=1)
        assert np.count_nonzero(places.mv_per_meq) == 2
        np.testing.assert_allclose(high_mv - low_mv, expected_mv, atol=0.002)
        assert np.abs(expected_mv).max() > 0.03


def test_fluid_changes_the_whole_beat_of_the_confounder_study_by_one_factor(study_named):
    study = study_named("confounder")
    for person in _people(study):
        low_mv, high_mv = (_beats_at(person, potassium, study.simulation)[0] for potassium in (4.3, 6.3))
        np.testing.assert_allclose(high_mv, low_mv * np.exp(-0.2), atol=1e-9)


def test_recordings_differ_in_electrodes_and_gain_and_only_in_two_studies_begin_with_the_label(study_named):
    for name in (*NAMES, *DEMOS):
        study = study_named(name)
        shortcuts = study.simulation.shortcuts
        has_shortcuts = name in ("shortcut", "recordings", "demo-no")
        assert (shortcuts.electrodes, shortcuts.gain, shortcuts.drift) == (has_shortcuts,) * 3
        mixed = [_has_mixed_recording(person) for person in _people(study)]
        assert not any(mixed) if name in ("recordings", "demo-no") else any(mixed)


def _has_mixed_recording(person) -> bool:
    labels = {}
    for draw in person.monitored.draws:
        labels.setdefault(draw.stretch, set()).add(draw.label)
    return any({0, 1} <= of_recording for of_recording in labels.values())


@pytest.mark.parametrize("name", NAMES)
def test_each_planted_study_has_the_training_of_the_real_study(name, study_named):
    study, real = study_named(name), study_named("mimic3")
    controls = {"negative_controls": {}}
    for arm in ("forward", "rolling"):
        assert replace(study.arms[arm], **controls) == replace(real.arms[arm], **controls)
    assert study.personal == real.personal
    assert study.arms[study.verdict.deciding_arm(study.arms)].protocol == ROLLING
    assert study.simulation.personal_patients == 24
    assert (study.study, study.results) == (name, f"results/{name}")


def test_both_demos_decide_by_the_arm_of_the_real_study_and_differ_in_what_is_planted(study_named):
    yes, no, real = (study_named(name) for name in (*DEMOS, "mimic3"))
    controls = {"negative_controls": {}}
    assert yes.verdict.deciding_arm(yes.arms) == "rolling"
    assert replace(yes.arms["rolling"], **controls) == replace(real.arms["rolling"], **controls)
    assert yes.personal == real.personal
    assert replace(no, study=yes.study, results=yes.results, simulation=yes.simulation) == yes
    planted = ("potassium_effect", "own_place_effect", "whole_recordings", "shortcuts")
    planted = {name: getattr(yes.simulation, name) for name in (*planted, "generic_patients")}
    assert replace(no.simulation, **planted) == yes.simulation
    assert (yes.results, no.results) == ("results/demo", "results/demo-no")


@pytest.mark.parametrize("name", [*NAMES, *DEMOS, "mimic3", "own"])
def test_the_deciding_arm_has_the_runs_that_its_claims_need(name, config):
    study = _read_study(name, config)
    deciding = study.arms[study.verdict.deciding_arm(study.arms)]
    assert deciding.protocol in NEIGHBORS_APART
    assert deciding.negative_controls["shifted"] >= MIN_SHIFTED_RUNS == 19
    assert deciding.negative_controls["stranger"] >= 1


class Finished:
    """What a finished study's tables and claims say."""

    def __init__(self, results: Path):
        folder = results / "evaluation"
        self.arms = read_json(folder / "claims.json")["arms"]
        self._folder = folder
        self._evidence = [nan_to_none(row) for row in read_table(folder / "evidence.parquet", "evidence").to_pylist()]

    @property
    def controls(self) -> dict[str, dict]:
        """What is said of each other analyte."""
        return read_json(self._folder / "controls.json")["controls"]

    def mean_auc(self, arm: str, of: str = "auc") -> float:
        """The mean over patients of a column of the evidence."""
        return float(np.mean([value for value in self.values(arm, of) if value is not None]))

    def values(self, arm: str, of: str) -> list:
        """A column of the evidence."""
        return [row[of] for row in self._evidence if row["arm"] == arm]

    @property
    def generic_auc(self) -> float:
        """The AUC of the generic network on the test draws of people it never saw."""
        return read_json(self._folder / "between_patients.json")["claims"]["reads"]["comparisons"][0]["auc"]

    def states(self, arm: str) -> dict[str, str]:
        """The state of each claim."""
        return {name: claim["state"] for name, claim in self.arms[arm].items()}


@pytest.fixture
def finished():
    if "KALEMIA_PLANTED" not in os.environ:
        pytest.skip("KALEMIA_PLANTED names no folder with finished studies: " + ", ".join((*NAMES, *DEMOS)))

    def of_study(name: str) -> Finished:
        folder = Path(os.environ["KALEMIA_PLANTED"]) / name
        if not (folder / "evaluation/claims.json").exists():
            pytest.skip(f"{folder} is no finished study")
        return Finished(folder)

    return of_study


def _is_chance(auc: float) -> bool:
    return CHANCE[0] <= auc <= CHANCE[1]


@pytest.mark.planted
def test_the_demo_shows_that_potassium_is_read_and_that_it_is_the_patients_own(finished):
    study = finished("demo")
    states = study.states("rolling")
    assert states["reads"] == states["personal"] == SHOWN
    assert study.generic_auc > CHANCE[1]
    assert min(study.values("rolling", "test_runs")) >= MIN_TEST_RUNS
    assert _is_chance(study.mean_auc("rolling", "auc_shifted"))


@pytest.mark.planted
def test_the_other_demo_shows_nothing_though_the_random_split_looks_good(finished):
    study = finished("demo-no")
    assert SHOWN not in study.states("rolling").values()
    assert study.mean_auc("paper") > CHANCE[1]


@pytest.mark.planted
def test_the_textbook_effect_is_read_but_needs_no_network(finished):
    study = finished("textbook")
    states = study.states("rolling")
    assert states["reads"] == states["personal"] == SHOWN
    assert states["needs_network"] != SHOWN
    assert study.mean_auc("rolling", "auc_generic") > CHANCE[1]
    assert _is_chance(study.mean_auc("rolling", "auc_shifted"))


@pytest.mark.planted
def test_shortcuts_pass_only_the_random_split_and_are_not_shown_to_read(finished):
    study = finished("shortcut")
    assert study.mean_auc("paper") > CHANCE[1]
    assert all(study.states(arm)["reads"] != SHOWN for arm in ("rolling", "forward", "episode"))
    assert _is_chance(study.mean_auc("rolling"))


@pytest.mark.planted
def test_a_study_without_effect_stays_at_chance(finished):
    study = finished("nothing")
    for arm in study.arms:
        assert _is_chance(study.mean_auc(arm)), arm
        assert _is_chance(study.mean_auc(arm, "auc_shifted")), arm
        assert SHOWN not in study.states(arm).values()


@pytest.mark.planted
def test_an_effect_of_the_patients_own_is_read_and_needs_a_network(finished):
    states = finished("idiosyncratic").states("rolling")
    assert states["reads"] == states["personal"] == states["needs_network"] == SHOWN


@pytest.mark.planted
def test_a_confounder_is_read_and_sodium_as_well(finished):
    study = finished("confounder")
    assert study.states("rolling")["reads"] == SHOWN
    assert study.controls["sodium"]["state"] == SHOWN
    assert study.controls["sodium"]["correlation"] < 0


@pytest.mark.planted
def test_recordings_that_begin_with_the_label_are_not_shown_to_read(finished):
    study = finished("recordings")
    assert all(study.states(arm)["reads"] != SHOWN for arm in study.arms)


@pytest.mark.planted
def test_real_ecg_under_values_by_lot_shows_nothing(finished):
    study = finished("real-ecg")
    assert all(study.states(arm)["reads"] != SHOWN for arm in study.arms)
    assert _is_chance(study.mean_auc("rolling"))
