"""`kalemia export` of what is not there; tests/workflow has the rest, on a study."""

import dataclasses

import pytest

from kalemia.core.config_files import SETTINGS_FILE, config_text
from kalemia.core.errors import UserError
from kalemia.models.export_model import export_model


def test_a_round_that_was_not_trained_is_told_as_such(tmp_path, study):
    results = tmp_path / "results"
    results.mkdir()
    arm = next(iter(study.arms))
    (results / SETTINGS_FILE).write_text(config_text(dataclasses.replace(study, results=str(results))))
    with pytest.raises(UserError, match="does not exist; name a patient and a round"):
        export_model(results / "personal" / arm / "p000007" / "round-99", tmp_path / "model")
    assert not (tmp_path / "model").exists()
