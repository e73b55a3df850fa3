"""What an epoch does to a network: a step of the optimizer for each batch, and then its loss on other beats.

On a GPU both are recorded once and replayed, unless torch compiles the network, which records it too.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kalemia.network.gpu.bfloat16_weights import Bfloat16Weights
from kalemia.network.gpu.cuda_graph import CudaGraphed
from kalemia.network.inference import autocast_context, is_bfloat16, loss_and_accuracy, predict_with
from kalemia.network.losses import Objective, label_column
from kalemia.network.optimizers import FusedAdam


class TrainStep:
    """Moves the weights by one batch, and adds up what it saw of losses and right answers."""

    def __init__(self, forward: Callable[[Tensor], Tensor], optimizer: FusedAdam, objective: Objective, precision: str):
        self.forward, self.optimizer, self.objective, self.precision = forward, optimizer, objective, precision
        device = optimizer.parameters[0].device
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.n_right = torch.zeros((), dtype=torch.int64, device=device)

    def __call__(self, inputs: Tensor, wanted: Tensor) -> None:
        with autocast_context(self.precision, inputs.device):
            outputs = self.forward(inputs)
        outputs = outputs.float()
        loss = self.objective.loss(outputs, wanted)
        loss.backward()
        if isinstance(self.forward, Bfloat16Weights):
            self.forward.copy_grads_to_master()
        self.optimizer.step()
        self.loss_sum += loss.detach().double() * len(inputs)
        self.n_right += ((label_column(outputs) > 0) == (label_column(wanted) > 0)).sum()


class EpochRunner:
    """All epochs of one network."""

    def __init__(self, network: nn.Module, optimizer: FusedAdam, objective: Objective, precision: str, compile: bool):
        self.network, self.precision = network, precision
        device = optimizer.parameters[0].device
        records = device.type == "cuda" and not compile
        forward = _compiled(network, device) if compile else network
        if records and is_bfloat16(precision, device):
            forward = Bfloat16Weights(network)
        self.seen = TrainStep(forward, optimizer, objective, precision)
        self.step, self.forward = (CudaGraphed(self.seen), CudaGraphed(forward)) if records else (self.seen, forward)

    def train_epoch(
        self, inputs: Tensor, targets: Tensor, batches: list[Tensor], alter: Callable[[Tensor], Tensor]
    ) -> tuple[float, float]:
        """One epoch; its mean loss and its accuracy, as they were while learning."""
        self.network.train()
        self.seen.loss_sum.zero_()
        self.seen.n_right.zero_()
        for batch in batches:
            self.step(alter(inputs[batch]), targets[batch])
        n_seen = sum(map(len, batches))
        return self.seen.loss_sum.item() / n_seen, self.seen.n_right.item() / n_seen

    def loss_and_accuracy(self, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """Of other beats, as the network is now."""
        self.network.eval()
        return loss_and_accuracy(predict_with(self.forward, inputs, self.precision), targets)


def _compiled(network: nn.Module, device: torch.device) -> nn.Module:
    """On a GPU as CUDA graphs, which takes away the cost of starting each kernel.

    Every size of batch, of which there are two, is compiled for itself: for sizes that vary torch makes slower kernels
    and no graphs, and from the first incomplete batch on it would use them for all.
    """
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    return torch.compile(network, mode=mode, dynamic=False)
