import dataclasses
import json
from datetime import datetime

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from beat_shards import NETWORK, START, write_generic_model
from kalemia import __version__
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.network.checkpoints import (
    Lineage,
    file_hash,
    load_checkpoint,
    load_generic,
    load_round,
    save_checkpoint,
    trained_tensors,
)
from kalemia.network.resnet import resnet

ARCHITECTURE = config.Network(depth=18, width=1)
LINEAGE = Lineage("generic", ARCHITECTURE, "a-digest", draws=(3, 5), cut_off=datetime(2150, 3, 4, 5, 17))


def tensors():
    return {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(7), "c": torch.eye(3).T[:, :2]}


def round_lineage(generic_path, **changes) -> Lineage:
    fields = {
        "kind": "personal",
        "architecture": NETWORK,
        "digest": "an-arm",
        "draws": (11, 12),
        "cut_off": START,
        "parent": file_hash(generic_path),
        "generic": file_hash(generic_path),
        "subject_id": 200001,
        "arm": "paper",
        "round": 1,
    }
    return Lineage(**fields | changes)


def write_round(path, generic_path, **changes):
    """A round that moved all it may by one; returns the whole network's tensors."""
    network, _ = load_generic(generic_path, NETWORK)
    network.freeze_through(3)
    network.freeze_batch_norm()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight += 1
    save_checkpoint(path, trained_tensors(network), round_lineage(generic_path, **changes))
    return network.state_dict()


def test_tensors_and_lineage_come_back(tmp_path):
    save_checkpoint(tmp_path / "a.safetensors", tensors(), LINEAGE)
    loaded, lineage = load_checkpoint(tmp_path / "a.safetensors")
    assert lineage == LINEAGE
    assert lineage.version == __version__
    assert loaded.keys() == tensors().keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors().items())


def test_same_weights_and_lineage_give_the_same_bytes(tmp_path):
    reordered = dict(sorted(tensors().items()))
    save_checkpoint(tmp_path / "a", tensors(), LINEAGE)
    save_checkpoint(tmp_path / "b", reordered, LINEAGE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert file_hash(tmp_path / "a") == file_hash(tmp_path / "b")


def test_file_hash_is_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_hash(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_metadata_is_a_single_value(tmp_path):
    save_checkpoint(tmp_path / "a", tensors(), LINEAGE)
    with safe_open(tmp_path / "a", framework="pt") as file:
        (text,) = file.metadata().values()
    assert json.loads(text)["lineage"]["architecture"] == json.loads(json.dumps(dataclasses.asdict(ARCHITECTURE)))


def test_a_failed_write_leaves_no_file(tmp_path):
    shared = torch.ones(3)
    with pytest.raises(RuntimeError):
        save_checkpoint(tmp_path / "a", {"one": shared, "other": shared}, LINEAGE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"", lambda data: b"PK" + data[2:]])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, tensors(), LINEAGE)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"a\.safetensors: cannot be read as safetensors .*; delete it and run again"):
        load_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.safetensors: cannot be read"):
        load_checkpoint(tmp_path / "absent.safetensors")


def test_changed_weights_are_detected(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, tensors(), LINEAGE)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.safetensors: its weights were changed after it was written"):
        load_checkpoint(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"kalemia": "{}"}, {"kalemia": "no json"}])
def test_safetensors_of_other_programs_are_rejected(tmp_path, metadata):
    save_file(tensors() | {"c": torch.eye(2)}, tmp_path / "other.safetensors", metadata)
    with pytest.raises(UserError, match=r"other\.safetensors: has no lineage"):
        load_checkpoint(tmp_path / "other.safetensors")


def test_generic_network_comes_back(tmp_path):
    path = write_generic_model(tmp_path / "generic.safetensors", NETWORK, seed=7)
    network, lineage = load_generic(path, NETWORK)
    expected = resnet(NETWORK.depth, NETWORK.width, seed=7).state_dict()
    assert lineage.kind == "generic"
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())


def test_another_architecture_is_rejected(tmp_path):
    path = write_generic_model(tmp_path / "generic.safetensors", NETWORK)
    with pytest.raises(
        UserError, match=r"generic\.safetensors: has a network with depth 18 and width 2, but .* depth 34 and width 4;"
    ):
        load_generic(path, config.Network(34, 4))


def test_a_network_with_other_inputs_is_rejected(tmp_path):
    path = write_generic_model(tmp_path / "generic.safetensors", NETWORK)
    with pytest.raises(UserError, match=r"normalization none, but the configuration says normalization draw;"):
        load_generic(path, dataclasses.replace(NETWORK, normalization="draw"))


def test_tensors_of_another_architecture_are_rejected(tmp_path):
    save_checkpoint(tmp_path / "odd.safetensors", tensors(), LINEAGE)
    with pytest.raises(UserError, match=r"odd\.safetensors: its tensors do not fit the architecture"):
        load_generic(tmp_path / "odd.safetensors", ARCHITECTURE)


def test_a_round_is_the_generic_network_with_updated_tensors(tmp_path):
    generic = write_generic_model(tmp_path / "generic.safetensors")
    expected = write_round(tmp_path / "round.safetensors", generic)
    network, lineage = load_round(tmp_path / "round.safetensors", generic, NETWORK)
    assert lineage == round_lineage(generic)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())


def test_a_round_stores_only_what_it_trained(tmp_path):
    generic = write_generic_model(tmp_path / "generic.safetensors")
    write_round(tmp_path / "round.safetensors", generic)
    stored, _ = load_checkpoint(tmp_path / "round.safetensors")
    assert {name.split(".")[0] for name in stored} == {"stage4", "norm", "head"}
    assert not any("running" in name for name in stored)


def test_a_round_of_another_generic_model_is_rejected(tmp_path):
    generic = write_generic_model(tmp_path / "generic.safetensors", seed=7)
    other = write_generic_model(tmp_path / "other.safetensors", seed=8)
    write_round(tmp_path / "round.safetensors", generic)
    with pytest.raises(UserError, match=r"round\.safetensors: it is based on another generic model than .*other"):
        load_round(tmp_path / "round.safetensors", other, NETWORK)


def test_a_round_of_another_architecture_is_rejected(tmp_path):
    generic = write_generic_model(tmp_path / "generic.safetensors")
    write_round(tmp_path / "round.safetensors", generic, architecture=config.Network(50, 2))
    with pytest.raises(UserError, match=r"round\.safetensors: has a network with depth 50"):
        load_round(tmp_path / "round.safetensors", generic, NETWORK)


def test_generic_and_personal_checkpoints_are_not_interchangeable(tmp_path):
    generic = write_generic_model(tmp_path / "generic.safetensors")
    write_round(tmp_path / "round.safetensors", generic)
    with pytest.raises(UserError, match=r"round\.safetensors: has a personal model, not a generic one"):
        load_generic(tmp_path / "round.safetensors", NETWORK)
    with pytest.raises(UserError, match=r"generic\.safetensors: has a generic model, not a personal one"):
        load_round(generic, generic, NETWORK)
