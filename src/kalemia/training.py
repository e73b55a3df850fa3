"""The training loop that generic and personal training share.

All beats lie in one tensor on the device, and each epoch walks through them in an order of its own that follows from
the seed and the epoch's number: whatever an epoch needs from the past is in the network, the optimizer and the plateau.
"""

import logging
import math
import os
import time

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from kalemia import config
from kalemia.errors import UserError
from kalemia.seeds import seed_of

log = logging.getLogger("kalemia")

EVALUATION_BATCH = 1024


class Adam:
    """Adam with its published constants (Kingma and Ba 2015, algorithm 1), as torch.optim.Adam computes it.

    Torch's own imports a compiler at its first step, which takes longer than a whole round of personal training; and
    its state is a nest of objects where this is plain tensors.
    """

    BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, parameters: list[Tensor], learning_rate: float):
        self.parameters = parameters
        self.learning_rate = learning_rate
        self.steps = 0
        self.means = [torch.zeros_like(parameter) for parameter in parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters along their gradients, and forget the gradients."""
        self.steps += 1
        rate = self.learning_rate / (1 - self.BETA1**self.steps)
        correction = math.sqrt(1 - self.BETA2**self.steps)
        for parameter, mean, square in zip(self.parameters, self.means, self.squares, strict=True):
            mean.lerp_(parameter.grad, 1 - self.BETA1)
            square.mul_(self.BETA2).addcmul_(parameter.grad, parameter.grad, value=1 - self.BETA2)
            parameter.addcdiv_(mean, (square.sqrt() / correction).add_(self.EPSILON), value=-rate)
            parameter.grad = None


class Plateau:
    """Multiplies the learning rate with `factor` after `patience` epochs in a row without a better validation loss."""

    def __init__(self, optimizer: Adam, patience: int, factor: float):
        self.optimizer, self.patience, self.factor = optimizer, patience, factor
        self.best_loss = math.inf
        self.epochs_without = 0

    def improves(self, loss: float) -> bool:
        """Whether an epoch's validation loss is the best so far."""
        if loss < self.best_loss:
            self.best_loss, self.epochs_without = loss, 0
            return True
        self.epochs_without += 1
        if self.epochs_without >= self.patience:
            self.optimizer.learning_rate *= self.factor
            self.epochs_without = 0
        return False


def set_up_torch(threads: int) -> torch.device:
    """The device to compute on, after making torch deterministic with a given number of CPU threads.

    The setting is the one of `torch.use_deterministic_algorithms`, which would import a compiler.
    """
    os.environ.setdefault(
        "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
    )  # without it CUDA's matrix products are not deterministic
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("error")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(
    network: nn.Module,
    beats: Tensor,
    labels: Tensor,
    settings: config.Generic | config.Arm,
    seed: int,
    validation: tuple[Tensor, Tensor] | None = None,
) -> list[dict]:
    """Train `network` in place and return one row of the history an epoch.

    `beats` are whatever the network takes, one each along the first axis, and `labels` float32 0 or 1 (n,), both on the
    network's device. With `validation`, beats and labels too, the learning rate follows the validation loss
    (`settings.patience` and `settings.factor`) and the network is left with the weights of the least; without, with
    those of the last epoch. Raises `UserError` when the loss is no longer a number.
    """
    optimizer = Adam([weight for weight in network.parameters() if weight.requires_grad], settings.learning_rate)
    plateau = Plateau(optimizer, settings.patience, settings.factor) if validation else None
    history, best = [], None
    for epoch in range(1, settings.epochs + 1):
        started = time.monotonic()
        row = {"epoch": epoch, "learning_rate": optimizer.learning_rate}
        order = torch.randperm(len(beats), generator=torch.Generator().manual_seed(seed_of(seed, "order", epoch)))
        row["train_loss"], row["train_accuracy"] = _learn(network, optimizer, beats, labels, order, settings.batch_size)
        if not math.isfinite(row["train_loss"]):
            raise UserError(
                f"training: the loss is no number in epoch {epoch}; choose a lower learning_rate and run again"
            )
        if validation:
            row["validation_loss"], row["validation_accuracy"] = loss_and_accuracy(network, *validation)
            if plateau.improves(row["validation_loss"]):
                best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        row["seconds"] = time.monotonic() - started
        history.append(row)
        _log_progress(history, settings.epochs, len(beats))
    if best is not None:
        network.load_state_dict(best)
    return history


def logits_of(network: nn.Module, beats: Tensor) -> Tensor:
    """The network's logits (n,) in evaluation mode, on its device."""
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in beats.split(EVALUATION_BATCH)])


def loss_and_accuracy(network: nn.Module, beats: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean binary cross-entropy, and share of the beats whose logit lies on their label's side of 0."""
    logits = logits_of(network, beats)
    loss = binary_cross_entropy_with_logits(logits.double(), labels.double())
    return loss.item(), ((logits > 0) == (labels > 0)).double().mean().item()


def _learn(
    network: nn.Module, optimizer: Adam, beats: Tensor, labels: Tensor, order: Tensor, batch_size: int
) -> tuple[float, float]:
    """One epoch; its mean loss and its accuracy, as they were while learning."""
    network.train()
    loss_sum = torch.zeros((), dtype=torch.float64, device=beats.device)
    n_right = torch.zeros((), dtype=torch.int64, device=beats.device)
    for batch in _batches(order.to(beats.device), batch_size):
        logits = network(beats[batch])
        loss = binary_cross_entropy_with_logits(logits, labels[batch])
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach().double() * len(batch)
        n_right += ((logits > 0) == (labels[batch] > 0)).sum()
    return loss_sum.item() / len(order), n_right.item() / len(order)


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
