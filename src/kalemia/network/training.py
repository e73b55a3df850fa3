"""The training loop of generic and personal training.

All beats are in one tensor on the device. One epoch of `train` is:

    batches = indices of all beats in random order, split into batches
    for batch in batches:                                  # EpochRunner.train_epoch
        loss = objective.loss(network(augment(inputs[batch])), targets[batch])      # TrainStep
        loss.backward()
        optimizer.step()                                   # FusedAdam
    validation loss -> keep the best weights, reduce the learning rate on a plateau # TrainingState

All randomness of an epoch derives from the seed and the number of the epoch, so `TrainingState` is all that an epoch
needs from those before it, and a killed training resumes to the same bytes.
"""

import ctypes
import logging
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.seeds import seed_of
from kalemia.network.augmentation import augment
from kalemia.network.losses import LABEL_ONLY, Objective
from kalemia.network.optimizers import FusedAdam, PlateauScheduler
from kalemia.network.training_state import StateFile, TrainingState
from kalemia.network.training_step import EpochRunner

log = logging.getLogger("kalemia")


@dataclass(frozen=True)
class TrainOptions:
    """Options of training beyond the paper's; the defaults leave all of them out.

    precision: as for `inference.uses_bfloat16`. compile: use `torch.compile`. early_stopping_patience: stop after this
    many epochs in a row without a lower validation loss. subjects: subject of each beat, int64 (n,); if given, every
    subject is sampled equally often. state_file: save the state after each epoch and resume from it; the caller removes
    the file once its outputs are written.
    """

    objective: Objective = LABEL_ONLY
    precision: str = "float32"
    compile: bool = False
    early_stopping_patience: int | None = None
    subjects: Tensor | None = None
    augmentation: config.Augmentation | None = None
    state_file: StateFile | None = None


def train(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    settings: config.Generic | config.Arm,
    seed: int,
    validation: tuple[Tensor, Tensor] | None = None,
    options: TrainOptions = TrainOptions(),
) -> list[dict]:
    """Train `network` in place and return the history, one row per epoch.

    inputs: network inputs (n, ...). targets: from `options.objective.targets`, (n,) or (n, columns). Both are on the
    network's device. settings: epochs, batch size, learning rate. validation: inputs and targets of other beats. With
    them the learning rate follows the validation loss and the network ends with the weights of the lowest one;
    without, it ends with the weights of the last epoch. Raises `UserError` if training diverges.
    """
    optimizer = FusedAdam([weight for weight in network.parameters() if weight.requires_grad], settings.learning_rate)
    patience, factor = (settings.lr_patience, settings.lr_decay_factor) if validation else (settings.epochs, 1.0)
    state = TrainingState(network, optimizer, PlateauScheduler(optimizer, patience, factor))
    if options.state_file:
        state.restore(options.state_file)
    runner = EpochRunner(network, optimizer, options.objective, options.precision, options.compile)
    while len(state.history) < settings.epochs and not _stops_early(state, options.early_stopping_patience):
        started, epoch = time.monotonic(), len(state.history) + 1
        row = {"epoch": epoch, "learning_rate": optimizer.learning_rate}
        order = epoch_order(len(inputs), seed_of(seed, "order", epoch), options.subjects)
        batches = _split_into_batches(order.to(inputs.device), settings.batch_size)
        augment_batch = _batch_augmenter(options.augmentation, seed_of(seed, "augmentation", epoch), inputs.device)
        row["train_loss"], row["train_accuracy"] = runner.train_epoch(inputs, targets, batches, augment_batch)
        if validation:
            row["validation_loss"], row["validation_accuracy"] = runner.evaluate(*validation)
        _check_finite(row)
        if validation:
            state.update_best(row["validation_loss"])
        row["seconds"] = time.monotonic() - started
        state.history.append(row)
        _log_epoch(state.history, settings.epochs, len(inputs))
        if options.state_file:
            state.save(options.state_file)
    if state.best:
        network.load_state_dict(state.best)
    return state.history


def epoch_order(n_beats: int, seed: int, subjects: Tensor | None = None) -> Tensor:
    """Return the order in which an epoch takes the beats: indices, int64 (n,), on the CPU.

    Without `subjects` each beat once, shuffled. With the subject of each beat, int64 (n,), as many beats drawn with
    replacement: every subject is equally likely, and so is every beat of a subject.
    """
    generator = torch.Generator().manual_seed(seed)
    if subjects is None:
        return torch.randperm(n_beats, generator=generator)
    _, subject, n_of_subject = torch.unique(subjects.cpu(), return_inverse=True, return_counts=True)
    by_subject = torch.argsort(subject, stable=True)
    first = torch.cumsum(n_of_subject, 0) - n_of_subject
    sampled = torch.randint(len(n_of_subject), (n_beats,), generator=generator)
    within = torch.rand(n_beats, generator=generator, dtype=torch.float64) * n_of_subject[sampled]
    return by_subject[first[sampled] + within.long()]


def set_up_torch(threads: int) -> torch.device:
    """Configure torch and return the device to compute on: a GPU if there is one, else the CPU.

    On the CPU torch uses `threads` threads and is deterministic. (`torch.use_deterministic_algorithms` is not called,
    because it imports a compiler; the setting here is the same.) On a GPU the fastest kernels are chosen instead.
    """
    _keep_freed_memory()
    torch.utils.deterministic.fill_uninitialized_memory = False  # a debugging aid that costs 8% of the time
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32
        return torch.device("cuda")
    torch.set_deterministic_debug_mode("error")
    return torch.device("cpu")


def _keep_freed_memory() -> None:
    """Have glibc keep freed memory: if it goes back to the kernel after each layer, every batch has page faults."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        trim_threshold, top_pad, mmap_max = -1, -2, -4
        mallopt(trim_threshold, -1)
        mallopt(top_pad, 256 << 20)
        mallopt(mmap_max, 0)


def _batch_augmenter(
    settings: config.Augmentation | None, seed: int, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """The function that augments each batch of an epoch; it changes nothing without settings."""
    if settings is None:
        return lambda inputs: inputs
    generator = torch.Generator(device).manual_seed(seed)
    return lambda inputs: augment(inputs, settings, generator)


def _stops_early(state: TrainingState, patience: int | None) -> bool:
    return patience is not None and state.epochs_since_best >= patience


def _split_into_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """All of `order`; a last batch of one beat joins the one before, since batch norm needs more than one beat."""
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _check_finite(row: dict) -> None:
    for key in ("train_loss", "validation_loss"):
        if key in row and not math.isfinite(row[key]):
            loss = "NaN" if math.isnan(row[key]) else "infinite"
            raise UserError(
                f"training diverged: loss is {loss} in epoch {row['epoch']}; choose a lower learning_rate and run again"
            )


def _log_epoch(history: list[dict], epochs: int, n_beats: int) -> None:
    row = history[-1]
    validation = f", validation loss {row['validation_loss']:.4f}" if "validation_loss" in row else ""
    rate = n_beats / max(row["seconds"], 1e-9)
    left_s = (epochs - row["epoch"]) * sum(past["seconds"] for past in history) / len(history)
    done = f"epoch {row['epoch']} of {epochs}"
    log.info("%s: loss %.4f%s; %.0f beats/s, %.0f s left", done, row["train_loss"], validation, rate, left_s)
