"""How weights move: Adam, and the learning rate that falls where the validation loss stays."""

import math

import torch
from torch import Tensor


class FusedAdam:
    """Adam with its published constants (Kingma and Ba 2015, algorithm 1), in torch's own fused kernel.

    The kernel is that of `torch.optim.Adam(fused=True)`. The class around it is not used, because it imports a
    compiler at its first step, which takes longer than a whole round of personal training, and because its state is a
    nest of objects where this is plain tensors that a file can hold.
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
        """Move the parameters along their gradients, and forget the gradients."""
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
    """Multiplies the learning rate with `factor` after `patience` epochs in a row without a better validation loss."""

    def __init__(self, optimizer: FusedAdam, patience: int, factor: float):
        self.optimizer, self.patience, self.factor = optimizer, patience, factor
        self.best_loss = math.inf
        self.epochs_without = 0

    def step(self, loss: float) -> bool:
        """Whether an epoch's validation loss is the best so far."""
        if loss < self.best_loss:
            self.best_loss, self.epochs_without = loss, 0
            return True
        self.epochs_without += 1
        if self.epochs_without >= self.patience:
            self.optimizer.learning_rate *= self.factor
            self.epochs_without = 0
        return False
