"""What a network says of beats, in evaluation mode, and in which precision it computes."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from kalemia.network.losses import label_column


def predict(network: nn.Module, inputs: Tensor, precision: str = "float32") -> Tensor:
    """The network's outputs in evaluation mode, float32 (n,) or (n, columns), on its device."""
    network.eval()
    return predict_with(network, inputs, precision)


def predict_logits(network: nn.Module, inputs: Tensor, precision: str = "float32") -> Tensor:
    """The label's logits (n,), as `predict`."""
    return label_column(predict(network, inputs, precision))


def predict_with(forward: Callable[[Tensor], Tensor], inputs: Tensor, precision: str) -> Tensor:
    """As `predict`, by what computes the outputs of a batch, with its network in evaluation mode already."""
    with torch.inference_mode(), autocast_context(precision, inputs.device):
        # copied, because the next replay of a CUDA graph writes where this one did
        return torch.cat([forward(batch).float().clone() for batch in evaluation_batches(inputs)])


def loss_and_accuracy(outputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Of the label: the mean cross-entropy, and the share of beats whose logit lies on their label's side of 0."""
    logits, labels = label_column(outputs), label_column(targets)
    loss = binary_cross_entropy_with_logits(logits.double(), labels.double())
    return loss.item(), ((logits > 0) == (labels > 0)).double().mean().item()


def evaluation_batches(inputs: Tensor) -> tuple[Tensor, ...]:
    """Inputs (n, ...) in parts as large as suits their device."""
    return inputs.split(4096 if inputs.is_cuda else 1024)


def autocast_context(precision: str, device: torch.device) -> AbstractContextManager:
    """Where networks compute in float32, or by autocast in bfloat16."""
    # without its cache: a CUDA graph must not read what is forgotten after the batch
    return torch.autocast(device.type, torch.bfloat16, enabled=is_bfloat16(precision, device), cache_enabled=False)


def is_bfloat16(precision: str, device: torch.device) -> bool:
    """Of float32, bfloat16 and auto, which is bfloat16 on a GPU."""
    return precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
