"""The optimizer and the learning rate schedule: Adam, and reduction on a plateau of the validation loss."""

import math

import torch
from torch import Tensor


class FusedAdam:
    """Adam with its published constants (Kingma and Ba 2015, algorithm 1), by torch's own fused kernel.

    The kernel is the one of `torch.optim.Adam(fused=True)`. That class is not used, because its first step imports a
    compiler, which takes longer than a round of personal training (docs/dependencies.md), and because its state is
    nested objects, whereas this state is plain tensors that a file can hold.

    parameters: the tensors to train, all on one device. `step` moves them in place.
    """

    BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, parameters: list[Tensor], learning_rate: float):
        self.parameters = parameters
        on_gpu = any(parameter.is_cuda for parameter in parameters)
        self._rate = torch.zeros((), device=parameters[0].device) if on_gpu else None  # where a CUDA graph reads it
        self.learning_rate = learning_rate
        self.steps = [torch.zeros((), device=parameter.device) for parameter in parameters]
        self.means = [torch.zeros_like(parameter) for parameter in parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in parameters]

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = value
        if self._rate is not None:
            self._rate.fill_(value)

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters along their gradients, then clear the gradients."""
        torch._foreach_add_(self.steps, 1)
        torch._fused_adam_(
            self.parameters,
            [parameter.grad for parameter in self.parameters],
            self.means,
            self.squares,
            [],
            self.steps,
            lr=self.learning_rate if self._rate is None else self._rate,
            beta1=self.BETA1,
            beta2=self.BETA2,
            weight_decay=0.0,
            eps=self.EPSILON,
            amsgrad=False,
            maximize=False,
        )
        for parameter in self.parameters:
            parameter.grad = None


class PlateauScheduler:
    """Multiply the learning rate by `factor` after `patience` epochs in a row without a lower validation loss.

    `torch.optim.lr_scheduler.ReduceLROnPlateau` would wait one epoch longer, and needs one of torch's optimizers.
    """

    def __init__(self, optimizer: FusedAdam, patience: int, factor: float):
        self.optimizer, self.patience, self.factor = optimizer, patience, factor
        self.best_loss = math.inf
        self.epochs_without = 0

    def step(self, loss: float) -> bool:
        """Take an epoch's validation loss, reduce the learning rate if due, and return whether it is the lowest."""
        if loss < self.best_loss:
            self.best_loss, self.epochs_without = loss, 0
            return True
        self.epochs_without += 1
        if self.epochs_without >= self.patience:
            self.optimizer.learning_rate *= self.factor
            self.epochs_without = 0
        return False
