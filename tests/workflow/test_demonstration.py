"""The studies with planted truth (docs/demonstration.md): what is planted, and what the finished ones must say."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import ROOT
from kalemia.core.config import Study
from kalemia.core.config_files import merge_config
from kalemia.core.config_validation import check_config
from kalemia.core.negative_controls import FALSE_LABELS
from kalemia.core.tables import nan_to_none, read_json, read_table
from kalemia.evaluation.verdict import MIN_REPEATS, NEIGHBORS_APART

NAMES = ("signal", "shortcut", "nothing")
CHANCE = (0.4, 0.6)


def _read_study(name, config):
    whole = merge_config(config, yaml.safe_load((ROOT / f"studies/{name}.yaml").read_text()))
    check_config(whole)
    return Study.from_config(whole)


@pytest.fixture(params=NAMES)
def planted(request, config):
    return _read_study(request.param, config)


def test_each_planted_study_has_the_effect_that_it_is_named_for(planted):
    shortcuts = planted.simulation.shortcuts
    found = planted.simulation.potassium_effect, shortcuts.electrodes, shortcuts.gain, shortcuts.drift
    assert (
        found
        == {
            "signal": (1.0, False, False, False),
            "shortcut": (0.0, True, True, True),
            "nothing": (0.0, False, False, False),
        }[planted.study]
    )
    assert planted.results == f"results/{planted.study}"


def test_every_arm_that_may_be_judged_has_a_null_that_can_refuse_it(planted):
    judged = {name: arm for name, arm in planted.arms.items() if arm.protocol in NEIGHBORS_APART}
    if planted.study == "shortcut":  # there the paper's arm has to be refused as well
        judged = planted.arms
    assert judged
    for name, arm in judged.items():
        assert max(arm.negative_controls.values()) >= MIN_REPEATS == 19, name


@pytest.mark.parametrize("name", ["mimic3", "own"])
def test_the_arm_that_decides_a_study_of_real_patients_has_enough_runs_with_false_labels(name, config):
    study = _read_study(name, config)
    primary = next(arm for arm in study.arms.values() if arm.protocol in NEIGHBORS_APART)
    assert max(primary.negative_controls[kind] for kind in FALSE_LABELS) >= MIN_REPEATS


class Finished:
    """What a finished study's tables and verdict say."""

    def __init__(self, results: Path):
        folder = results / "evaluation"
        self.verdict = read_json(folder / "verdict.json")
        self.arms = self.verdict["arms"]
        self._rounds = [nan_to_none(row) for row in read_table(folder / "rounds.parquet", "rounds").to_pylist()]
        self._nulls = [nan_to_none(row) for row in read_table(folder / "nulls.parquet", "nulls").to_pylist()]

    def last_round(self, arm: str) -> float:
        """The mean AUC over patients."""
        mine = sorted((row for row in self._rounds if row["arm"] == arm), key=lambda row: row["round"])
        aucs = {row["subject_id"]: row["auc"] for row in mine}
        return np.mean([auc for auc in aucs.values() if auc is not None])

    def null_runs(self, arm: str, kind: str) -> list[float]:
        """The mean AUC over patients of every run."""
        aucs: dict[int, list[float]] = {}
        for row in self._nulls:
            if (row["arm"], row["kind"]) == (arm, kind) and row["auc"] is not None:
                aucs.setdefault(row["repeat"], []).append(row["auc"])
        return [np.mean(of_run) for of_run in aucs.values()]


@pytest.fixture
def finished():
    if "KALEMIA_PLANTED" not in os.environ:
        pytest.skip("KALEMIA_PLANTED names no folder with the finished studies signal/, shortcut/ and nothing/")

    def of_study(name: str) -> Finished:
        folder = Path(os.environ["KALEMIA_PLANTED"]) / name
        if not (folder / "evaluation/verdict.json").exists():
            pytest.skip(f"{folder} is no finished study")
        return Finished(folder)

    return of_study


def _is_chance(auc: float) -> bool:
    return CHANCE[0] <= auc <= CHANCE[1]


@pytest.mark.planted
def test_a_study_with_an_effect_of_potassium_is_learned(finished):
    study = finished("signal")
    assert study.arms["forward"]["interval"][1] >= 0  # within the interval of the best baseline, or better
    runs = study.null_runs("forward", "shifted")
    assert len(runs) >= MIN_REPEATS
    assert _is_chance(np.mean(runs))


@pytest.mark.planted
def test_shortcut_study_passes_only_random_split_and_verdict_rejects_it(finished):
    study = finished("shortcut")
    truth = study.last_round("paper")
    assert truth >= 0.8
    assert _is_chance(study.last_round("forward"))
    assert _is_chance(study.last_round("episode"))
    assert max(study.null_runs("paper", "shifted")) >= truth or study.arms["paper"]["nulls"]["shifted"]["p"] > 0.05
    assert study.verdict["verdict"] == study.arms["paper"]["verdict"] == "not supported"


@pytest.mark.planted
def test_a_study_without_effect_stays_at_chance(finished):
    study = finished("nothing")
    for arm, found in study.arms.items():
        assert _is_chance(study.last_round(arm)), arm
        for kind in found["nulls"]:
            assert _is_chance(np.mean(study.null_runs(arm, kind))), (arm, kind)
