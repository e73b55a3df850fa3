"""Model folders: whole or refused."""

import hashlib
import json

import numpy as np
import pytest
import torch

from beat_shards import NETWORK
from kalemia import load_model
from kalemia.core.errors import UserError
from kalemia.models.model_folder import read_model_folder, write_model_folder
from kalemia.network.checkpoints import Lineage
from kalemia.network.resnet import build_resnet
from model_folders import CUT_OFF, model_config, write_model


@pytest.fixture
def folder(tmp_path):
    return write_model(tmp_path / "model")


def test_a_folder_gives_back_every_bit(folder):
    config, network = read_model_folder(folder)
    assert config.as_json() == model_config().as_json()
    assert np.array_equal(config.wave.average_mv, model_config().wave.average_mv)
    assert config.sums == model_config().sums
    assert config.cut_off == CUT_OFF
    assert all(map(torch.equal, network.state_dict().values(), build_resnet(NETWORK, seed=7).state_dict().values()))


def test_every_file_has_the_mode_that_the_umask_says(folder):
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_a_folder_that_is_not_empty_is_not_written_over(folder):
    config, network = read_model_folder(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    lineage = Lineage("personal", NETWORK, "a-digest", (1, 2), CUT_OFF)
    with pytest.raises(UserError, match="exists and is not an empty folder"):
        write_model_folder(folder, config, network.state_dict(), lineage, "")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def _cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)


def _rewrite(path, **changes):
    fields = json.loads(path.read_text())
    fields["model"] |= changes
    path.write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda folder: _flip(folder / "model.safetensors"), "model.safetensors: was changed or cut off"),
        (lambda folder: _cut(folder / "model.safetensors"), "model.safetensors: was changed or cut off"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: does not exist"),
        (lambda folder: (folder / "README.md").unlink(), "README.md: does not exist"),
        (lambda folder: _cut(folder / "config.json"), "config.json: is not the configuration of a model, or was cut"),
        (lambda folder: _rewrite(folder / "config.json", threshold=0.1), "config.json: was changed after it was"),
        (lambda folder: (folder / "config.json").unlink(), "config.json: does not exist; name a folder that"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(folder, damage, line):
    damage(folder)
    with pytest.raises(UserError) as caught:
        load_model(folder)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_architecture_are_refused(tmp_path):
    wider = build_resnet(type(NETWORK)(depth=18, width=4), seed=7)
    lineage = Lineage("personal", NETWORK, "a-digest", (1, 2), CUT_OFF)
    write_model_folder(tmp_path / "model", model_config(), wider.state_dict(), lineage, "")
    with pytest.raises(UserError, match="its tensors are not those of a network with depth 18 and width 2"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("name", ["../model", "a/../model"])
def test_no_name_leads_out_of_a_folder(tmp_path, name):
    with pytest.raises(UserError, match="is named without"):
        write_model_folder(tmp_path / name, model_config(), {}, None, "")
    with pytest.raises(UserError, match="is named without"):
        load_model(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"network": {"depth": 10**9}}, "network.depth"),
        ({"network": {"width": 1e300}}, "network.width"),
        ({"window_minutes": 1e308}, "cohort.window_minutes"),
        ({"min_recorded_minutes": float("nan")}, "cohort.min_recorded_minutes"),
        ({"ecg": {"band_hz": [40.0, 1.0]}}, "ecg.band_hz"),
        ({"decision": "__import__"}, "evaluation.decision"),
        ({"kind": "generic"}, "kind"),
        ({"subject_id": -5}, "subject_id"),
        ({"round": 10**12}, "round"),
        ({"mean_beat_mv": [1e308] * 120}, "mean_beat_mv"),
        ({"draws": [10**30]}, "draws"),
        ({"lead": "II\nkalemia: ok"}, "not printable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_no_network_has_is_refused_although_all_hashes_agree(folder, changes, where):
    path = folder / "config.json"
    fields = json.loads(path.read_text())
    for key, value in changes.items():
        fields["model"][key] = fields["model"][key] | value if isinstance(value, dict) else value
    fields.pop("sha256")
    fields["sha256"] = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(fields))
    with pytest.raises(UserError, match=where) as error:
        read_model_folder(folder)
    assert "\n" not in str(error.value)


def test_a_configuration_of_gigabytes_is_not_read(folder):
    with (folder / "config.json").open("r+b") as file:
        file.truncate(5 << 30)
    with pytest.raises(UserError, match="too large"):
        read_model_folder(folder)


def test_a_configuration_of_endless_brackets_is_one_line(folder):
    (folder / "config.json").write_text("[" * 200_000)
    with pytest.raises(UserError, match="is not the configuration of a model"):
        read_model_folder(folder)
