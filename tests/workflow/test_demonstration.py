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
from kalemia.core.settings.networks import NEIGHBORS_APART
from kalemia.core.tables import nan_to_none, read_json, read_table
from kalemia.evaluation.claims.rule import EXCLUDED, MIN_SHIFTED_RUNS, OPEN, SHOWN

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


@pytest.mark.parametrize("name", [*NAMES, "mimic3", "own"])
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
        if not (folder / "evaluation/claims.json").exists():
            pytest.skip(f"{folder} is no finished study")
        return Finished(folder)

    return of_study


def _is_chance(auc: float) -> bool:
    return CHANCE[0] <= auc <= CHANCE[1]


def _states(study: Finished, arm: str) -> dict[str, str]:
    return {name: claim["state"] for name, claim in study.arms[arm].items()}


@pytest.mark.planted
def test_a_study_with_an_effect_of_potassium_is_read(finished):
    study = finished("signal")
    states = _states(study, "forward")
    assert states["reads"] == SHOWN
    assert states["needs_network"] in (OPEN, EXCLUDED)
    runs = study.null_runs("forward", "shifted")
    assert len(runs) >= MIN_SHIFTED_RUNS
    assert _is_chance(np.mean(runs))


@pytest.mark.planted
def test_shortcuts_pass_only_the_random_split_and_are_not_shown_to_read(finished):
    study = finished("shortcut")
    assert study.last_round("paper") >= 0.8
    for arm in ("forward", "episode"):
        assert _is_chance(study.last_round(arm))
        assert _states(study, arm)["reads"] != SHOWN


@pytest.mark.planted
def test_a_study_without_effect_stays_at_chance(finished):
    study = finished("nothing")
    for arm in study.arms:
        assert _is_chance(study.last_round(arm)), arm
        assert SHOWN not in _states(study, arm).values()
        assert _is_chance(np.mean(study.null_runs(arm, "shifted"))), arm
