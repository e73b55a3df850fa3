"""A network's weights in half the bytes: what it computes with on a GPU, while training moves the float32 originals."""

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Bfloat16Weights:
    """Copies in bfloat16 of the weights that something is multiplied with and that learn.

    `torch.autocast` makes the same copies, but each by a kernel of its own, and another brings each gradient back.
    """

    def __init__(self, network: nn.Module):
        self.network = network
        self.weights = {
            name: weight for name, weight in network.named_parameters() if weight.requires_grad and weight.ndim > 1
        }
        self.copies = {name: weight.detach().bfloat16().requires_grad_() for name, weight in self.weights.items()}
        self.gradients = [torch.zeros_like(weight) for weight in self.weights.values()]

    def __call__(self, inputs: Tensor) -> Tensor:
        """The network's outputs, by copies that are made now."""
        with torch.no_grad():
            torch._foreach_copy_(list(self.copies.values()), list(self.weights.values()))
        return functional_call(self.network, self.copies, (inputs,))

    def copy_grads_to_master(self) -> None:
        """Give the originals the gradients of the copies."""
        torch._foreach_copy_(self.gradients, [copy.grad for copy in self.copies.values()])
        for weight, copy, gradient in zip(self.weights.values(), self.copies.values(), self.gradients, strict=True):
            weight.grad, copy.grad = gradient, None
