"""Mixed precision on a GPU: the network computes with bfloat16 copies of its weights, the optimizer updates float32."""

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Bfloat16Weights:
    """A network that computes with bfloat16 copies of its trainable weight matrices (the float32 master weights).

    `torch.autocast` makes the same copies, but launches one kernel per weight, and another per gradient. Here each
    direction is one kernel, which saves 0.25 ms of a step of 4.3 ms (docs/performance.md).
    """

    def __init__(self, network: nn.Module):
        self.network = network
        self.weights = {
            name: weight for name, weight in network.named_parameters() if weight.requires_grad and weight.ndim > 1
        }
        self.copies = {name: weight.detach().bfloat16().requires_grad_() for name, weight in self.weights.items()}
        self.gradients = [torch.zeros_like(weight) for weight in self.weights.values()]

    def __call__(self, inputs: Tensor) -> Tensor:
        """Copy the weights to bfloat16 and return the network's outputs."""
        with torch.no_grad():
            torch._foreach_copy_(list(self.copies.values()), list(self.weights.values()))
        return functional_call(self.network, self.copies, (inputs,))

    def copy_grads_to_master(self) -> None:
        """Copy the gradients of the bfloat16 copies to the float32 master weights."""
        torch._foreach_copy_(self.gradients, [copy.grad for copy in self.copies.values()])
        for weight, copy, gradient in zip(self.weights.values(), self.copies.values(), self.gradients, strict=True):
            weight.grad, copy.grad = gradient, None
