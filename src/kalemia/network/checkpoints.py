"""Checkpoints: weights as safetensors files with their lineage, checked whenever they are loaded."""

import dataclasses
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
from kalemia.core.files.atomic import atomic_file
from kalemia.core.files.seals import BLANK_SEAL, has_whole_seal, seal_file
from kalemia.core.tables import file_hash
from kalemia.network.resnet import ResNet, build_resnet

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Lineage:
    """How the weights in a checkpoint were made.

    parent: SHA-256 of the checkpoint that training started from; None for a generic model. generic: SHA-256 of the
    generic model that a personal model is based on. draws: ids of all draws that influenced the weights: for a generic
    model its training and validation draws, for a personal model the training draws of all rounds so far. cut_off:
    time of the latest of these draws. digest: hash of the configuration.
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
                "architecture": _network_from_json(fields["architecture"]),
                "draws": tuple(fields["draws"]),
                "cut_off": datetime.fromisoformat(fields["cut_off"]),
            }
        )


def save_checkpoint(path: str | Path, tensors: Tensors, lineage: Lineage) -> None:
    """Write named tensors and their lineage atomically; equal input gives equal bytes.

    The lineage is a single metadata value, because safetensors writes several values in no fixed order.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"lineage": lineage.as_json(), "checksum": BLANK_SEAL}
    with atomic_file(path) as part:
        save_file(tensors, part, {"kalemia": json.dumps(metadata, sort_keys=True)})
        seal_file(part)


def load_checkpoint(path: str | Path) -> tuple[Tensors, Lineage]:
    """Read the tensors by name, and their lineage.

    Raises `UserError` if the file cannot be read, was not written by `save_checkpoint`, or was changed afterwards.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["kalemia"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        lineage = Lineage.from_json(metadata["lineage"])
    except (OSError, SafetensorError) as error:
        raise _checkpoint_error(path, f"cannot be read as safetensors ({str(error).splitlines()[0]})") from None
    except (KeyError, TypeError, ValueError):
        raise _checkpoint_error(path, "has no lineage, so it is not a Kalemia checkpoint") from None
    if not has_whole_seal(path):
        raise _checkpoint_error(path, "its weights were changed after it was written, or their description was")
    return tensors, lineage


def trained_tensors(network: ResNet) -> Tensors:
    """Return the tensors that training changes, by name; a round stores only these."""
    state = network.state_dict()
    return {name: state[name] for name in network.trainable_tensor_names()}


def load_generic(path: str | Path, architecture: config.Network) -> tuple[ResNet, Lineage]:
    """Load a generic network on the CPU.

    Raises `UserError` as `load_checkpoint`, and if the checkpoint has another kind or another architecture.
    """
    tensors, lineage = load_checkpoint(path)
    if lineage.kind != "generic":
        raise _checkpoint_error(path, f"has a {lineage.kind} model, not a generic one")
    return _build_network(path, tensors, lineage, architecture), lineage


def load_round(path: str | Path, generic_path: str | Path, architecture: config.Network) -> tuple[ResNet, Lineage]:
    """Load a patient's network after a round, on the CPU: the generic tensors, updated with those of the round.

    Raises `UserError` as `load_generic`, and if the round is based on another generic model.
    """
    generic_tensors, _ = load_checkpoint(generic_path)
    tensors, lineage = load_checkpoint(path)
    if lineage.kind != "personal":
        raise _checkpoint_error(path, f"has a {lineage.kind} model, not a personal one")
    if lineage.generic != file_hash(generic_path):
        raise _checkpoint_error(path, f"it is based on another generic model than {generic_path}")
    return _build_network(path, generic_tensors | tensors, lineage, architecture), lineage


def _build_network(path: str | Path, tensors: Tensors, lineage: Lineage, architecture: config.Network) -> ResNet:
    if lineage.architecture != architecture:
        stored, configured = dataclasses.asdict(lineage.architecture), dataclasses.asdict(architecture)
        keys = [key for key in configured if stored[key] != configured[key]]
        raise _checkpoint_error(
            path,
            f"has a network with {_format_values(stored, keys)}, but the configuration says"
            f" {_format_values(configured, keys)}",
        )
    network = build_resnet(architecture)
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise _checkpoint_error(path, "its tensors do not fit the architecture in its lineage") from None
    return network


def _network_from_json(fields: dict) -> config.Network:
    return config.Network(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})


def _format_values(fields: dict, keys: list[str]) -> str:
    return " and ".join(f"{key} {fields[key]}" for key in keys)


def _checkpoint_error(path: str | Path, reason: str) -> UserError:
    return UserError(f"{path}: {reason}; delete it and run again")
