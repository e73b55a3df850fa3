"""Network outputs for beats in evaluation mode, and the precision they are computed in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from kalemia.network.losses import label_column

_ROWS_OF_KERNELS = 16  # a multiple of the rows that a kernel of any product works on at once


def predict(network: nn.Module, inputs: Tensor, precision: str = "float32") -> Tensor:
    """Return the network's outputs for inputs (n, ...), in evaluation mode.

    inputs: on the network's device. precision: as for `uses_bfloat16`. Returns float32 (n,) logits, or (n, columns)
    where the network has an auxiliary head, on the same device. Leaves the network in evaluation mode.
    """
    network.eval()
    return predict_with(network, inputs, precision)


def predict_with(forward: Callable[[Tensor], Tensor], inputs: Tensor, precision: str) -> Tensor:
    """As `predict`, but with any function that computes the outputs of a batch; its network is in evaluation mode."""
    with torch.inference_mode(), autocast_context(precision, inputs.device):
        # Copied, because the next replay of a CUDA graph overwrites its outputs.
        return torch.cat([forward(batch)[:n].float().clone() for batch, n in evaluation_batches(inputs)])


def loss_and_accuracy(outputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Return the label's mean cross-entropy, and the fraction of beats whose logit has the sign of their label.

    outputs, targets: (n,), or (n, columns) with the label first.
    """
    logits, labels = label_column(outputs), label_column(targets)
    loss = binary_cross_entropy_with_logits(logits.double(), labels.double())
    return loss.item(), ((logits > 0) == (labels > 0)).double().mean().item()


def evaluation_batches(inputs: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Split inputs (n, ...) into batches of a size that suits their device, each with the number of rows that count.

    On a CPU the last batch is filled up with copies of its last row, so that the outputs of a row do not depend on the
    batch that it is in: a product computes the last few rows, and a batch of one, with other kernels.
    """
    for batch in inputs.split(4096 if inputs.is_cuda else 1024):
        n_missing = 0 if inputs.is_cuda else -len(batch) % _ROWS_OF_KERNELS
        yield torch.cat([batch, batch[-1:].expand(n_missing, *batch.shape[1:])]) if n_missing else batch, len(batch)


def autocast_context(precision: str, device: torch.device) -> AbstractContextManager:
    """Return the context in which networks compute: autocast to bfloat16, or nothing changed for float32."""
    # Without autocast's cache: a CUDA graph must not read memory that is freed after the batch.
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(precision, device), cache_enabled=False)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether "float32", "bfloat16" or "auto" means bfloat16 here; "auto" does on a GPU and on a CPU with AMX."""
    if precision == "auto":
        return device.type == "cuda" or torch.cpu._is_amx_tile_supported()
    return precision == "bfloat16"
