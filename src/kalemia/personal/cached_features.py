"""The features file of a patient: outputs of the generic network's frozen stages, computed once for each beat.

It is read without torch, so that baselines start quickly.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kalemia.core.errors import UserError, as_user_error
from kalemia.core.files.atomic import atomic_file
from kalemia.core.files.seals import BLANK_SEAL, has_whole_seal, seal_file
from kalemia.core.tables import file_hash


@dataclass(frozen=True)
class Origin:
    """The inputs of a features file: SHA-256 of the generic model and of the beat shard."""

    generic: str
    shard: str

    @classmethod
    def of(cls, generic_path: str | Path, shard_path: str | Path) -> "Origin":
        return cls(file_hash(generic_path), file_hash(shard_path))


def save_features(path: str | Path, arrays: dict[str, np.ndarray], origin: Origin) -> None:
    """Write float32 arrays with one row per beat, in the order of the shard.

    stage-3, or another number: the output of that stage, the last frozen one (n, channels, steps). pooled: the features
    of the head (n, channels). outputs: logits (n,), or (n, columns) if the network has a second head.
    """
    metadata = {"origin": vars(origin), "checksum": BLANK_SEAL}
    with atomic_file(path) as beside:
        save_file(arrays, beside, {"kalemia": json.dumps(metadata, sort_keys=True)})
        seal_file(beside)


def load_features(path: str | Path, names: tuple[str, ...], origin: Origin) -> tuple[np.ndarray, ...]:
    """Read arrays that `save_features` wrote.

    Raises `UserError` if the file cannot be read, is damaged, lacks an array, or was made from another generic model or
    shard.
    """
    try:
        with safe_open(path, framework="np") as file:
            file_origin = Origin(**json.loads(file.metadata()["kalemia"])["origin"])
            arrays = tuple(file.get_tensor(name) for name in names)
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise as_user_error(error) or UserError(
            f"{path}: cannot be read as features ({error}); delete it and run again"
        ) from None
    if not has_whole_seal(path):
        raise UserError(f"{path}: is damaged; delete it and run again")
    if file_origin != origin:
        raise UserError(f"{path}: was made from another generic model or other beats; delete it and run again")
    return arrays
