"""Weights on disk: safetensors that say where they come from, checked before anything builds on them."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kalemia import __version__
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.tables import file_hash, whole_file
from kalemia.network.resnet import ResNet, build_resnet

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Lineage:
    """What made a file of weights.

    `parent` is the SHA-256 of the file that training started from (none for a generic model), `generic` that of the
    generic model beneath a personal one. `draws` have shaped these weights: the generic model's own, or all that a
    patient's rounds have learned from so far; `cut_off` is the time of the latest of them.
    """

    kind: str  # generic or personal
    architecture: config.Network
    digest: str
    draws: tuple[int, ...]
    cut_off: datetime
    parent: str | None = None
    generic: str | None = None
    subject_id: int | None = None
    arm: str | None = None
    round: int | None = None
    version: str = __version__

    def as_json(self) -> dict:
        return dataclasses.asdict(self) | {"cut_off": self.cut_off.isoformat()}

    @classmethod
    def from_json(cls, fields: dict) -> "Lineage":
        return cls(
            **fields
            | {
                "architecture": _architecture(fields["architecture"]),
                "draws": tuple(fields["draws"]),
                "cut_off": datetime.fromisoformat(fields["cut_off"]),
            }
        )


def save_checkpoint(path: str | Path, tensors: Tensors, lineage: Lineage) -> None:
    """Write named tensors and their lineage, whole or not at all; the same input gives the same bytes.

    All of the lineage is one value of the metadata, because safetensors keeps several in no fixed order.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"lineage": lineage.as_json(), "content": _content_hash(tensors)}
    with whole_file(path) as beside:
        save_file(tensors, beside, {"kalemia": json.dumps(metadata, sort_keys=True)})


def load_checkpoint(path: str | Path) -> tuple[Tensors, Lineage]:
    """Tensors by name, and their lineage.

    Raises `UserError` if the file cannot be read, was not written by `save_checkpoint`, or its tensors have changed
    since.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["kalemia"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        lineage = Lineage.from_json(metadata["lineage"])
    except (OSError, SafetensorError) as error:
        raise _checkpoint_error(path, f"cannot be read as safetensors ({str(error).splitlines()[0]})") from None
    except (KeyError, TypeError, ValueError):
        raise _checkpoint_error(path, "holds no lineage, so it is no checkpoint of Kalemia's") from None
    if metadata["content"] != _content_hash(tensors):
        raise _checkpoint_error(path, "its weights are not those that were written")
    return tensors, lineage


def trained_tensors(network: ResNet) -> Tensors:
    """What training has moved, by name: all that a round stores."""
    state = network.state_dict()
    return {name: state[name] for name in network.trainable_tensor_names()}


def load_generic(path: str | Path, architecture: config.Network) -> tuple[ResNet, Lineage]:
    """The generic network; raises `UserError` as `load_checkpoint`, and if the file holds another architecture."""
    tensors, lineage = load_checkpoint(path)
    if lineage.kind != "generic":
        raise _checkpoint_error(path, f"holds a {lineage.kind} model, not a generic one")
    return _build_network(path, tensors, lineage, architecture), lineage


def load_round(path: str | Path, generic_path: str | Path, architecture: config.Network) -> tuple[ResNet, Lineage]:
    """A patient's network after a round: the generic tensors, overlaid with those of the round's file.

    Raises `UserError` as `load_generic`, and if the round did not grow out of this generic model.
    """
    generic_tensors, _ = load_checkpoint(generic_path)
    tensors, lineage = load_checkpoint(path)
    if lineage.kind != "personal":
        raise _checkpoint_error(path, f"holds a {lineage.kind} model, not a personal one")
    if lineage.generic != file_hash(generic_path):
        raise _checkpoint_error(path, f"its parent is another generic model than {generic_path}")
    return _build_network(path, generic_tensors | tensors, lineage, architecture), lineage


def _build_network(path: str | Path, tensors: Tensors, lineage: Lineage, architecture: config.Network) -> ResNet:
    if lineage.architecture != architecture:
        found, asked = dataclasses.asdict(lineage.architecture), dataclasses.asdict(architecture)
        differ = [key for key in asked if found[key] != asked[key]]
        raise _checkpoint_error(
            path,
            f"holds a network of {_values(found, differ)}, but the configuration says {_values(asked, differ)}",
        )
    network = build_resnet(architecture)
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise _checkpoint_error(path, "its tensors are not those of the network that its lineage names") from None
    return network


def _architecture(fields: dict) -> config.Network:
    return config.Network(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})


def _values(fields: dict, keys: list[str]) -> str:
    return " and ".join(f"{key} {fields[key]}" for key in keys)


def _content_hash(tensors: Tensors) -> str:
    content = hashlib.sha256()
    for name in sorted(tensors):
        content.update(f"{name} {tuple(tensors[name].shape)} {tensors[name].dtype} ".encode())
        content.update(tensors[name].numpy())
    return content.hexdigest()


def _checkpoint_error(path: str | Path, reason: str) -> UserError:
    return UserError(f"{path}: {reason}; delete it and run again")
