"""One training step, and one epoch of training steps.

On a GPU the step is recorded once as a CUDA graph and then replayed, unless `torch.compile` does that itself.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kalemia.network.gpu.bfloat16_weights import Bfloat16Weights
from kalemia.network.gpu.cuda_graph import CudaGraphed
from kalemia.network.inference import autocast_context, loss_and_accuracy, predict_with, uses_bfloat16
from kalemia.network.losses import Objective, label_column
from kalemia.network.optimizers import FusedAdam


class TrainStep:
    """Forward pass, loss, backward pass and optimizer step for one batch; sums up loss and accuracy on the device."""

    def __init__(self, forward: Callable[[Tensor], Tensor], optimizer: FusedAdam, objective: Objective, precision: str):
        self.forward, self.optimizer, self.objective, self.precision = forward, optimizer, objective, precision
        device = optimizer.parameters[0].device
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.n_correct = torch.zeros((), dtype=torch.int64, device=device)

    def __call__(self, inputs: Tensor, targets: Tensor) -> None:
        with autocast_context(self.precision, inputs.device):
            outputs = self.forward(inputs)
        outputs = outputs.float()
        loss = self.objective.loss(outputs, targets)
        loss.backward()
        if isinstance(self.forward, Bfloat16Weights):
            self.forward.copy_grads_to_master()
        self.optimizer.step()
        self.loss_sum += loss.detach().double() * len(inputs)
        self.n_correct += ((label_column(outputs) > 0) == (label_column(targets) > 0)).sum()


class EpochRunner:
    """Runs epochs of training and validation for one network.

    objective: gives the loss. precision: as for `inference.uses_bfloat16`. compile: use `torch.compile`.
    """

    def __init__(self, network: nn.Module, optimizer: FusedAdam, objective: Objective, precision: str, compile: bool):
        self.network, self.precision = network, precision
        device = optimizer.parameters[0].device
        use_cuda_graphs = device.type == "cuda" and not compile
        forward = _compiled(network, device) if compile else network
        if use_cuda_graphs and uses_bfloat16(precision, device):
            forward = Bfloat16Weights(network)
        self.train_step = TrainStep(forward, optimizer, objective, precision)
        if use_cuda_graphs:
            self.run_step, self.forward = CudaGraphed(self.train_step), CudaGraphed(forward)
        else:
            self.run_step, self.forward = self.train_step, forward

    def train_epoch(
        self, inputs: Tensor, targets: Tensor, batches: list[Tensor], augment: Callable[[Tensor], Tensor]
    ) -> tuple[float, float]:
        """Train on each batch once; return the mean loss and the accuracy over the epoch, measured while training.

        inputs, targets: of all beats, (n, ...). batches: indices of the beats of each batch. augment: applied to the
        inputs of each batch.
        """
        self.network.train()
        self.train_step.loss_sum.zero_()
        self.train_step.n_correct.zero_()
        for batch in batches:
            self.run_step(augment(inputs[batch]), targets[batch])
        n_beats = sum(map(len, batches))
        return self.train_step.loss_sum.item() / n_beats, self.train_step.n_correct.item() / n_beats

    def evaluate(self, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """Return the network's loss and accuracy of the label on other beats, in evaluation mode."""
        self.network.eval()
        return loss_and_accuracy(predict_with(self.forward, inputs, self.precision), targets)


def _compiled(network: nn.Module, device: torch.device) -> nn.Module:
    """`torch.compile` of the network; on a GPU with CUDA graphs, which avoid the cost of launching each kernel.

    Each of the two batch sizes is compiled separately. With dynamic shapes torch would generate slower kernels without
    CUDA graphs, and use them for all batches after the first incomplete one.
    """
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    return torch.compile(network, mode=mode, dynamic=False)
