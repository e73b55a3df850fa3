"""The training loop that generic and personal training share.

All beats lie in one tensor on the device, and each epoch walks through them in an order of its own. Whatever is random
follows from the seed and the epoch's number, so that what an epoch needs from the past is in `Progress` alone.
"""

import ctypes
import logging
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.seeds import seed_of
from kalemia.network.augmentation import augment
from kalemia.network.losses import LABEL_ONLY, Objective
from kalemia.network.optimizers import FusedAdam, PlateauScheduler
from kalemia.network.training_state import StateFile, Tensors
from kalemia.network.training_step import EpochRunner

log = logging.getLogger("kalemia")


@dataclass(frozen=True)
class TrainOptions:
    """What a training may do beyond the paper's; every default leaves it out.

    precision: float32 or bfloat16 (autocast); auto is bfloat16 on a GPU and float32 on a CPU. early_stop: epochs in a
    row without a better validation loss. subjects: int64 (n,), whose beat each is; then every person is
    as likely as every other. state: where to go on from after a kill; the caller removes it when all is written.
    """

    objective: Objective = LABEL_ONLY
    precision: str = "float32"
    compile: bool = False
    early_stop: int | None = None
    subjects: Tensor | None = None
    augmentation: config.Augmentation | None = None
    state: StateFile | None = None


@dataclass
class TrainingState:
    """All that changes from epoch to epoch."""

    network: nn.Module
    optimizer: FusedAdam
    plateau: PlateauScheduler
    best: Tensors = field(default_factory=dict)  # the weights of the least validation loss
    history: list[dict] = field(default_factory=list)

    @property
    def epochs_since_best(self) -> int:
        losses = [row["validation_loss"] for row in self.history if "validation_loss" in row]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def update_best(self, loss: float) -> None:
        """Keep the weights if the loss is the least so far; reduce the learning rate if it stays."""
        if self.plateau.step(loss):
            self.best = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def save(self, file: StateFile) -> None:
        """All of it, so that `restore` goes on to the same bytes."""
        best = {f"best.{name}": tensor for name, tensor in self.best.items()}
        about = {
            "learning_rate": self.optimizer.learning_rate,
            "best_loss": self.plateau.best_loss,
            "epochs_without": self.plateau.epochs_without,
            "history": self.history,
        }
        file.save(self._named_tensors() | best, about)

    @torch.no_grad()
    def restore(self, file: StateFile) -> None:
        """Go back to what the file holds, if this training wrote it."""
        saved = file.load()
        if saved is None:
            return
        tensors, about = saved
        for name, tensor in self._named_tensors().items():
            tensor.copy_(tensors[name])
        weights = self.network.state_dict()
        self.best = {name: tensors[f"best.{name}"].to(weights[name]) for name in weights if f"best.{name}" in tensors}
        self.optimizer.learning_rate = about["learning_rate"]
        self.plateau.best_loss, self.plateau.epochs_without = about["best_loss"], about["epochs_without"]
        self.history = about["history"]
        log.info("going on after epoch %d, from %s", len(self.history), file.path)

    def _named_tensors(self) -> Tensors:
        """The tensors that every step changes, not copied."""
        adam = {"steps": self.optimizer.steps, "means": self.optimizer.means, "squares": self.optimizer.squares}
        numbered = {f"adam.{kind}.{i}": tensor for kind, several in adam.items() for i, tensor in enumerate(several)}
        return {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()} | numbered


def set_up_torch(threads: int) -> torch.device:
    """The device to compute on; on the CPU, torch is made deterministic, with a given number of threads.

    The setting is the one of `torch.use_deterministic_algorithms`, which would import a compiler. On a GPU the fastest
    kernels are taken instead.
    """
    _keep_freed_memory()
    torch.utils.deterministic.fill_uninitialized_memory = False  # a help for debugging that takes 8% of the time
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32
        return torch.device("cuda")
    torch.set_deterministic_debug_mode("error")
    return torch.device("cpu")


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed: returned to the kernel after each layer, it costs page faults in every batch."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        trim_threshold, top_pad, mmap_max = -1, -2, -4
        mallopt(trim_threshold, -1)
        mallopt(top_pad, 256 << 20)
        mallopt(mmap_max, 0)


def train(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    settings: config.Generic | config.Arm,
    seed: int,
    validation: tuple[Tensor, Tensor] | None = None,
    options: TrainOptions = TrainOptions(),
) -> list[dict]:
    """Train `network` in place and return one row of the history an epoch.

    `inputs` are whatever the network takes, one each along the first axis, and `targets` what `options.objective` made
    of their labels, both on the network's device. With `validation`, inputs and targets too, the learning rate follows
    the validation loss (`settings.patience` and `settings.factor`) and the network is left with the weights of the
    least; without, with those of the last epoch. Raises `UserError` when the loss is no longer a number.
    """
    optimizer = FusedAdam([weight for weight in network.parameters() if weight.requires_grad], settings.learning_rate)
    patience, factor = (settings.patience, settings.factor) if validation else (settings.epochs, 1.0)
    progress = TrainingState(network, optimizer, PlateauScheduler(optimizer, patience, factor))
    if options.state:
        progress.restore(options.state)
    lesson = EpochRunner(network, optimizer, options.objective, options.precision, options.compile)
    while len(progress.history) < settings.epochs and not _stops_early(progress, options.early_stop):
        started, epoch = time.monotonic(), len(progress.history) + 1
        row = {"epoch": epoch, "learning_rate": optimizer.learning_rate}
        order = epoch_order(len(inputs), seed_of(seed, "order", epoch), options.subjects)
        batches = _batches(order.to(inputs.device), settings.batch_size)
        alter = _batch_augmenter(options.augmentation, seed_of(seed, "augmentation", epoch), inputs.device)
        row["train_loss"], row["train_accuracy"] = lesson.train_epoch(inputs, targets, batches, alter)
        if validation:
            row["validation_loss"], row["validation_accuracy"] = lesson.loss_and_accuracy(*validation)
        if not all(math.isfinite(row[loss]) for loss in ("train_loss", "validation_loss") if loss in row):
            raise UserError(
                f"training: the loss is no number in epoch {epoch}; choose a lower learning_rate and run again"
            )
        if validation:
            progress.update_best(row["validation_loss"])
        row["seconds"] = time.monotonic() - started
        progress.history.append(row)
        _log_progress(progress.history, settings.epochs, len(inputs))
        if options.state:
            progress.save(options.state)
    if progress.best:
        network.load_state_dict(progress.best)
    return progress.history


def epoch_order(n_beats: int, seed: int, subjects: Tensor | None = None) -> Tensor:
    """The places (n,) of an epoch's beats in the order they are learned, on the CPU.

    Every beat once; or with the subject of every beat, int64 (n,), as many drawn with replacement, each subject as
    likely as any other and so are the beats within it.
    """
    generator = torch.Generator().manual_seed(seed)
    if subjects is None:
        return torch.randperm(n_beats, generator=generator)
    _, subject, n_of_subject = torch.unique(subjects.cpu(), return_inverse=True, return_counts=True)
    by_subject = torch.argsort(subject, stable=True)
    first = torch.cumsum(n_of_subject, 0) - n_of_subject
    drawn = torch.randint(len(n_of_subject), (n_beats,), generator=generator)
    within = torch.rand(n_beats, generator=generator, dtype=torch.float64) * n_of_subject[drawn]
    return by_subject[first[drawn] + within.long()]


def _batch_augmenter(
    settings: config.Augmentation | None, seed: int, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """What is done to each batch of an epoch before it is learned."""
    if settings is None:
        return lambda inputs: inputs
    generator = torch.Generator(device).manual_seed(seed)
    return lambda inputs: augment(inputs, settings, generator)


def _stops_early(progress: TrainingState, patience: int | None) -> bool:
    return patience is not None and progress.epochs_since_best >= patience


def _batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """All of `order`; a last batch of one joins its neighbor, for one beat has no statistics to normalize by."""
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _log_progress(history: list[dict], epochs: int, n_beats: int) -> None:
    row = history[-1]
    validation = f", validation {row['validation_loss']:.4f}" if "validation_loss" in row else ""
    rate = n_beats / max(row["seconds"], 1e-9)
    left_s = (epochs - row["epoch"]) * sum(past["seconds"] for past in history) / len(history)
    done = f"epoch {row['epoch']} of {epochs}"
    log.info("%s: loss %.4f%s; %.0f beats/s, %.0f s left", done, row["train_loss"], validation, rate, left_s)
