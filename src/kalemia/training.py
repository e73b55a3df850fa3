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
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from kalemia import config
from kalemia.augmentation import augmented
from kalemia.cuda_graph import Recorded
from kalemia.errors import UserError
from kalemia.half_weights import HalfWeights
from kalemia.objective import LABEL_ALONE, Objective, first_column
from kalemia.optimization import Adam, Plateau
from kalemia.resume import StateFile, Tensors
from kalemia.seeds import seed_of

log = logging.getLogger("kalemia")


@dataclass(frozen=True)
class Options:
    """What a training may do beyond the paper's; every default leaves it out.

    precision: float32 or bfloat16 (autocast); auto is bfloat16 on a GPU and float32 on a CPU. early_stop: epochs in a
    row without a better validation loss. subjects: int64 (n,), whose beat each is; then every person is
    as likely as every other. state: where to go on from after a kill; the caller removes it when all is written.
    """

    objective: Objective = LABEL_ALONE
    precision: str = "float32"
    compile: bool = False
    early_stop: int | None = None
    subjects: Tensor | None = None
    augmentation: config.Augmentation | None = None
    state: StateFile | None = None


@dataclass
class Progress:
    """All that changes from epoch to epoch."""

    network: nn.Module
    optimizer: Adam
    plateau: Plateau
    best: Tensors = field(default_factory=dict)  # the weights of the least validation loss
    history: list[dict] = field(default_factory=list)

    @property
    def epochs_since_best(self) -> int:
        losses = [row["validation_loss"] for row in self.history if "validation_loss" in row]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def learn_from_validation(self, loss: float) -> None:
        """Keep the weights if the loss is the least so far; reduce the learning rate if it stays."""
        if self.plateau.improves(loss):
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
        file.save(self._moving() | best, about)

    @torch.no_grad()
    def restore(self, file: StateFile) -> None:
        """Go back to what the file holds, if this training wrote it."""
        saved = file.load()
        if saved is None:
            return
        tensors, about = saved
        for name, tensor in self._moving().items():
            tensor.copy_(tensors[name])
        weights = self.network.state_dict()
        self.best = {name: tensors[f"best.{name}"].to(weights[name]) for name in weights if f"best.{name}" in tensors}
        self.optimizer.learning_rate = about["learning_rate"]
        self.plateau.best_loss, self.plateau.epochs_without = about["best_loss"], about["epochs_without"]
        self.history = about["history"]
        log.info("going on after epoch %d, from %s", len(self.history), file.path)

    def _moving(self) -> Tensors:
        """The tensors that every step changes, not copied."""
        adam = {"steps": self.optimizer.steps, "means": self.optimizer.means, "squares": self.optimizer.squares}
        numbered = {f"adam.{kind}.{i}": tensor for kind, several in adam.items() for i, tensor in enumerate(several)}
        return {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()} | numbered


class Lesson:
    """What an epoch does to the network: a step for each batch, and then its loss on other beats.

    On a GPU both are recorded (`kalemia.cuda_graph`), unless torch compiles the network, which records it too.
    """

    def __init__(self, network: nn.Module, optimizer: Adam, device: torch.device, options: Options):
        self.network, self.optimizer, self.options = network, optimizer, options
        self.forward = _compiled(network, device) if options.compile else network
        self.half = None
        self.step, self.evaluate = self._step, self.forward
        if device.type == "cuda" and not options.compile:
            if _is_bfloat16(options.precision, device):
                self.half = HalfWeights(network)
                self.forward = self.half.forward
            self.step, self.evaluate = Recorded(self._step), Recorded(self.forward)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.n_right = torch.zeros((), dtype=torch.int64, device=device)

    def learn(
        self, inputs: Tensor, targets: Tensor, batches: list[Tensor], alter: Callable[[Tensor], Tensor]
    ) -> tuple[float, float]:
        """One epoch; its mean loss and its accuracy, as they were while learning."""
        self.network.train()
        self.loss_sum.zero_()
        self.n_right.zero_()
        for batch in batches:
            self.step(alter(inputs[batch]), targets[batch])
        n_seen = sum(map(len, batches))
        return self.loss_sum.item() / n_seen, self.n_right.item() / n_seen

    def loss_and_accuracy(self, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """As the function of that name."""
        self.network.eval()
        return _loss_and_accuracy(_outputs(self.evaluate, inputs, self.options.precision), targets)

    def _step(self, inputs: Tensor, wanted: Tensor) -> None:
        with _arithmetic(self.options.precision, inputs.device):
            outputs = self.forward(inputs)
        outputs = outputs.float()
        loss = self.options.objective.loss(outputs, wanted)
        loss.backward()
        if self.half:
            self.half.hand_back_gradients()
        self.optimizer.step()
        self.loss_sum += loss.detach().double() * len(inputs)
        self.n_right += ((first_column(outputs) > 0) == (first_column(wanted) > 0)).sum()


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
    options: Options = Options(),
) -> list[dict]:
    """Train `network` in place and return one row of the history an epoch.

    `inputs` are whatever the network takes, one each along the first axis, and `targets` what `options.objective` made
    of their labels, both on the network's device. With `validation`, inputs and targets too, the learning rate follows
    the validation loss (`settings.patience` and `settings.factor`) and the network is left with the weights of the
    least; without, with those of the last epoch. Raises `UserError` when the loss is no longer a number.
    """
    optimizer = Adam([weight for weight in network.parameters() if weight.requires_grad], settings.learning_rate)
    patience, factor = (settings.patience, settings.factor) if validation else (settings.epochs, 1.0)
    progress = Progress(network, optimizer, Plateau(optimizer, patience, factor))
    if options.state:
        progress.restore(options.state)
    lesson = Lesson(network, optimizer, inputs.device, options)
    while len(progress.history) < settings.epochs and not _stops_early(progress, options.early_stop):
        started, epoch = time.monotonic(), len(progress.history) + 1
        row = {"epoch": epoch, "learning_rate": optimizer.learning_rate}
        order = epoch_order(len(inputs), seed_of(seed, "order", epoch), options.subjects)
        batches = _batches(order.to(inputs.device), settings.batch_size)
        alter = _alteration(options.augmentation, seed_of(seed, "augmentation", epoch), inputs.device)
        row["train_loss"], row["train_accuracy"] = lesson.learn(inputs, targets, batches, alter)
        if not math.isfinite(row["train_loss"]):
            raise UserError(
                f"training: the loss is no number in epoch {epoch}; choose a lower learning_rate and run again"
            )
        if validation:
            row["validation_loss"], row["validation_accuracy"] = lesson.loss_and_accuracy(*validation)
            progress.learn_from_validation(row["validation_loss"])
        row["seconds"] = time.monotonic() - started
        progress.history.append(row)
        _log_progress(progress.history, settings.epochs, len(inputs))
        if options.state:
            progress.save(options.state)
    if progress.best:
        network.load_state_dict(progress.best)
    return progress.history


def evaluation_batches(inputs: Tensor) -> tuple[Tensor, ...]:
    """As large as suits the device; the division changes no output."""
    return inputs.split(4096 if inputs.is_cuda else 1024)


def outputs_of(network: nn.Module, inputs: Tensor, precision: str = "float32") -> Tensor:
    """The network's outputs in evaluation mode, float32 (n,) or (n, columns), on its device."""
    network.eval()
    return _outputs(network, inputs, precision)


def logits_of(network: nn.Module, inputs: Tensor, precision: str = "float32") -> Tensor:
    """The label's logits (n,), as `outputs_of`."""
    return first_column(outputs_of(network, inputs, precision))


def loss_and_accuracy(
    network: nn.Module, inputs: Tensor, targets: Tensor, precision: str = "float32"
) -> tuple[float, float]:
    """Of the label: the mean cross-entropy, and the share of beats whose logit lies on their label's side of 0."""
    return _loss_and_accuracy(outputs_of(network, inputs, precision), targets)


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


def _outputs(forward: Callable[[Tensor], Tensor], inputs: Tensor, precision: str) -> Tensor:
    """Of a network that is in evaluation mode already."""
    with torch.inference_mode(), _arithmetic(precision, inputs.device):
        # copied, because the next replay of a CUDA graph writes where this one did
        return torch.cat([forward(batch).float().clone() for batch in evaluation_batches(inputs)])


def _loss_and_accuracy(outputs: Tensor, targets: Tensor) -> tuple[float, float]:
    logits, labels = first_column(outputs), first_column(targets)
    loss = binary_cross_entropy_with_logits(logits.double(), labels.double())
    return loss.item(), ((logits > 0) == (labels > 0)).double().mean().item()


def _arithmetic(precision: str, device: torch.device) -> AbstractContextManager:
    # without its cache: a CUDA graph must not read what is forgotten after the batch
    return torch.autocast(device.type, torch.bfloat16, enabled=_is_bfloat16(precision, device), cache_enabled=False)


def _is_bfloat16(precision: str, device: torch.device) -> bool:
    return precision == "bfloat16" or (precision == "auto" and device.type == "cuda")


def _alteration(settings: config.Augmentation | None, seed: int, device: torch.device) -> Callable[[Tensor], Tensor]:
    """What is done to each batch of an epoch before it is learned."""
    if settings is None:
        return lambda inputs: inputs
    generator = torch.Generator(device).manual_seed(seed)
    return lambda inputs: augmented(inputs, settings, generator)


def _compiled(network: nn.Module, device: torch.device) -> nn.Module:
    """On a GPU as CUDA graphs, which takes away the cost of starting each kernel.

    Every size of batch, of which there are two, is compiled for itself: for sizes that vary torch makes slower kernels
    and no graphs, and from the first incomplete batch on it would use them for all.
    """
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    return torch.compile(network, mode=mode, dynamic=False)


def _stops_early(progress: Progress, patience: int | None) -> bool:
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
