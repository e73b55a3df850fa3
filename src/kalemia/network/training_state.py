"""The state of a training between two epochs on disk, so that a killed job goes on where it was."""

import hashlib
import json
import logging
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kalemia.core.tables import whole_file

log = logging.getLogger("kalemia")

Tensors = dict[str, Tensor]


class StateFile:
    """Tensors, and what JSON can say, in one safetensors file; used again only by the training that wrote it.

    `identity` stands for everything that the training's outcome depends on. Snakemake knows nothing of the file, so
    that it outlives a killed job.
    """

    def __init__(self, path: str | Path, identity: str):
        self.path, self.identity = Path(path), identity

    def save(self, tensors: Tensors, about: dict) -> None:
        """Replace the file, whole or not at all."""
        metadata = json.dumps({"identity": self.identity, "about": about})
        with whole_file(self.path) as beside:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                beside,
                {"state": metadata},
            )

    def load(self) -> tuple[Tensors, dict] | None:
        """What was saved last; nothing if there is no file, or if another training wrote it."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, KeyError, TypeError, ValueError):
            metadata = {"identity": None}
        if metadata["identity"] != self.identity:
            log.info("%s: belongs to another training; begun anew", self.path)
            return None
        return tensors, metadata["about"]

    def remove(self) -> None:
        """To be called once the training's outputs are written; takes away what a kill left half written, too."""
        for path in [self.path, *self.path.parent.glob(f".{self.path.name}.*.part")]:
            path.unlink(missing_ok=True)


def training_identity(digest: str, device: torch.device, *tensors: Tensor) -> str:
    """Of a training by the configuration's digest, the library, the device and all that it learns from."""
    content = hashlib.sha256(f"{digest} {torch.__version__} {device.type} {torch.get_num_threads()}".encode())
    for tensor in tensors:
        content.update(f"{tuple(tensor.shape)}".encode())
        content.update(tensor.detach().cpu().contiguous().numpy())
    return content.hexdigest()
