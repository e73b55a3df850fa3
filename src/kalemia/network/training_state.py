"""The state of a training run between two epochs, and the file that lets a killed job resume."""

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kalemia.core.files.atomic import atomic_file
from kalemia.core.files.seals import BLANK_SEAL, has_whole_seal, seal_file
from kalemia.network.optimizers import FusedAdam, PlateauScheduler

log = logging.getLogger("kalemia")

Tensors = dict[str, Tensor]


class StateFile:
    """Tensors and JSON values in one safetensors file, which only the training run that wrote it can load.

    identity: identifies everything that determines the outcome of training (`training_identity`). The file is not an
    output of the Snakemake rule, so it survives when the job is killed.
    """

    def __init__(self, path: str | Path, identity: str):
        self.path, self.identity = Path(path), identity

    def save(self, tensors: Tensors, values: dict) -> None:
        """Replace the file atomically; `values` must be JSON-serializable."""
        metadata = json.dumps({"checksum": BLANK_SEAL, "identity": self.identity, "values": values})
        with atomic_file(self.path) as part:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                part,
                {"state": metadata},
            )
            seal_file(part)

    def load(self) -> tuple[Tensors, dict] | None:
        """Return what was saved last, or None if there is no file, it is damaged or another training run wrote it."""
        if not self.path.exists():
            return None
        if not has_whole_seal(self.path):
            log.warning("%s: is damaged; starting over", self.path)
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, KeyError, TypeError, ValueError):
            metadata = {"identity": None}
        if metadata["identity"] != self.identity:
            log.info("%s: belongs to another training run; starting over", self.path)
            return None
        return tensors, metadata["values"]

    def remove(self) -> None:
        """Delete the file and partial copies that a kill left behind; call it once all outputs are written."""
        for path in [self.path, *self.path.parent.glob(f".{self.path.name}.*.part")]:
            path.unlink(missing_ok=True)


def training_identity(digest: str, device: torch.device, *tensors: Tensor) -> str:
    """Return a hash of what determines the outcome of training: configuration, torch, device, threads and data.

    digest: hash of the configuration. tensors: all inputs and targets.
    """
    content = hashlib.sha256(f"{digest} {torch.__version__} {device.type} {torch.get_num_threads()}".encode())
    for tensor in tensors:
        content.update(f"{tuple(tensor.shape)}".encode())
        content.update(tensor.detach().cpu().contiguous().numpy())
    return content.hexdigest()


@dataclass
class TrainingState:
    """Everything that changes from epoch to epoch."""

    network: nn.Module
    optimizer: FusedAdam
    scheduler: PlateauScheduler
    best: Tensors = field(default_factory=dict)  # the weights with the lowest validation loss
    history: list[dict] = field(default_factory=list)  # one row per epoch

    @property
    def epochs_since_best(self) -> int:
        """Epochs since the lowest validation loss; 0 without validation."""
        losses = [row["validation_loss"] for row in self.history if "validation_loss" in row]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def update_best(self, validation_loss: float) -> None:
        """Keep the weights if the loss is the lowest so far; reduce the learning rate if it has reached a plateau."""
        if self.scheduler.step(validation_loss):
            self.best = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def save(self, file: StateFile) -> None:
        """Write the state, so that a run that starts with `restore` gives the same bytes as one that never stopped."""
        best = {f"best.{name}": tensor for name, tensor in self.best.items()}
        values = {
            "learning_rate": self.optimizer.learning_rate,
            "best_loss": self.scheduler.best_loss,
            "epochs_without": self.scheduler.epochs_without,
            "history": self.history,
        }
        file.save(self._current_tensors() | best, values)

    @torch.no_grad()
    def restore(self, file: StateFile) -> None:
        """Return to the state in the file, if this training run wrote it."""
        saved = file.load()
        if saved is None:
            return
        tensors, values = saved
        for name, tensor in self._current_tensors().items():
            tensor.copy_(tensors[name])
        weights = self.network.state_dict()
        self.best = {name: tensors[f"best.{name}"].to(weights[name]) for name in weights if f"best.{name}" in tensors}
        self.optimizer.learning_rate = values["learning_rate"]
        self.scheduler.best_loss, self.scheduler.epochs_without = values["best_loss"], values["epochs_without"]
        self.history = values["history"]
        log.info("resuming after epoch %d, from %s", len(self.history), file.path)

    def _current_tensors(self) -> Tensors:
        """The tensors that every step changes: of the network and of the optimizer, not copied."""
        adam = {"steps": self.optimizer.steps, "means": self.optimizer.means, "squares": self.optimizer.squares}
        numbered = {f"adam.{kind}.{i}": tensor for kind, several in adam.items() for i, tensor in enumerate(several)}
        return {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()} | numbered
