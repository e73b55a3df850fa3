"""What a patient's beats are after the frozen stages of the generic network: a file, and the arrays in it.

Reading imports no torch, so that baselines start quickly.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kalemia.core.errors import UserError
from kalemia.core.tables import file_hash, whole_file


@dataclass(frozen=True)
class Origin:
    """What features were made from: SHA-256 of the generic model and of the beat shard."""

    generic: str
    shard: str

    @classmethod
    def of(cls, generic_path: str | Path, shard_path: str | Path) -> "Origin":
        return cls(file_hash(generic_path), file_hash(shard_path))


def save_features(path: str | Path, arrays: dict[str, np.ndarray], origin: Origin) -> None:
    """Write float32 arrays, one row a beat in the order of the shard, whole or not at all.

    stage-3, or another number: (n, channels, steps), out of the last frozen stage. pooled: (n, channels), what the head
    averages. outputs: (n,) logits, or (n, columns) where the network has another head too.
    """
    with whole_file(path) as beside:
        save_file(arrays, beside, {"origin": json.dumps(vars(origin), sort_keys=True)})


def load_features(path: str | Path, names: tuple[str, ...], origin: Origin) -> tuple[np.ndarray, ...]:
    """Arrays of a file of `save_features`.

    Raises `UserError` if it cannot be read, lacks an array, or was made from another generic model or shard.
    """
    try:
        with safe_open(path, framework="np") as file:
            found = Origin(**json.loads(file.metadata()["origin"]))
            arrays = tuple(file.get_tensor(name) for name in names)
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as features ({error}); delete it and run again") from None
    if found != origin:
        raise UserError(f"{path}: was made from another generic model or other beats; delete it and run again")
    return arrays
