import dataclasses

import pytest

from kalemia.core.config import Study, Verdict
from kalemia.core.tables import read_json
from kalemia.evaluation.claims.registration import claims_digest, describe_registration, register_claims


@pytest.fixture
def register(tmp_path):
    """Registers a study and returns all registrations and what the page says of them."""

    def of_study(study):
        register_claims(study, tmp_path)
        registrations = read_json(tmp_path / "cohort/claims.json")["registrations"]
        return registrations, describe_registration(registrations, claims_digest(study))

    return of_study


def _train(results):
    (results / "generic").mkdir()
    (results / "generic/model.safetensors").touch()


def _with(study, **changes):
    return dataclasses.replace(study, verdict=Verdict(**changes))


def test_what_is_registered_before_training_says_so(register):
    (one,), said = register(Study())
    assert one["after_training"] is False
    assert said.startswith("Registered at 20")
    assert one["digest"] in said


def test_a_change_after_training_is_told(register, tmp_path):
    register(Study())
    _train(tmp_path)
    registrations, said = register(_with(Study(), smallest_gain=0.1))
    assert [one["after_training"] for one in registrations] == [False, True]
    assert "after training: smallest_gain." in said


def test_a_change_before_training_is_none(register):
    register(Study())
    _, said = register(_with(Study(), smallest_gain=0.1))
    assert "changed" not in said


def test_a_registration_after_training_alone_is_told(register, tmp_path):
    _train(tmp_path)
    assert "after a network had been trained" in register(Study())[1]


def test_an_unregistered_change_is_told(register):
    registrations, _ = register(Study())
    changed = _with(Study(), comparator="heart_rate")
    assert "was changed since" in describe_registration(registrations, claims_digest(changed))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"verdict": Verdict(arm="forward", smallest_gain=0.2)},
        {"verdict": Verdict(comparator="ecg_measures")},
        {"personal": dataclasses.replace(Study().personal, max_rounds=2)},
    ],
)
def test_whatever_decides_is_part_of_the_digest(change):
    assert claims_digest(dataclasses.replace(Study(), **change)) != claims_digest(Study())


def test_what_does_not_decide_is_not():
    assert claims_digest(dataclasses.replace(Study(), study="other", results="other")) == claims_digest(Study())


def test_the_same_settings_are_registered_once(register):
    (one,), _ = register(Study())
    (again,), _ = register(Study())
    assert one == again
