"""Networks in formats of other tools: ONNX, and the programs of `torch.export`; both in float32, on the CPU."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from kalemia.core.errors import UserError
from kalemia.core.schemas import BEAT_SAMPLES
from kalemia.network.resnet import ResNet

ONNX_PACKAGES = ("onnx", "onnxscript")
_EXAMPLE_BEATS = 16  # any number but one; the number of beats is free in what is written


def check_format(name: str) -> None:
    """Raise `UserError` if the packages that a format of `WRITERS` needs are not installed."""
    missing = [package for package in ONNX_PACKAGES if name == "onnx" and find_spec(package) is None]
    if missing:
        raise UserError(f"--format onnx needs {' and '.join(missing)}; run pip install 'kalemia[export]'")


def write_onnx(network: ResNet, path: Path) -> None:
    """Write a network as ONNX: from "beats" (n, 120), as the network takes them, to "logits" (n,)."""
    with _quiet():
        torch.onnx.export(
            _LabelOnly(network),
            (_example(network),),
            path,
            input_names=["beats"],
            output_names=["logits"],
            dynamic_shapes=_ANY_NUMBER,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


def write_torch(network: ResNet, path: Path) -> None:
    """Write a network as a program for `torch.export.load`, which needs no Kalemia; inputs and outputs as for ONNX."""
    with _quiet():
        program = torch.export.export(_LabelOnly(network), (_example(network),), dynamic_shapes=_ANY_NUMBER)
        with path.open("wb") as file:  # given a path, torch insists on its own suffix
            torch.export.save(program, file)


WRITERS: dict[str, Callable[[ResNet, Path], None]] = {"onnx": write_onnx, "torch": write_torch}
_ANY_NUMBER = ({0: torch.export.Dim.DYNAMIC},)


class _LabelOnly(torch.nn.Module):
    """A network without its auxiliary head: (n,) logits, whatever its outputs are."""

    def __init__(self, network: ResNet):
        super().__init__()
        self.network = network

    def forward(self, beats: torch.Tensor) -> torch.Tensor:
        return self.network.head(self.network.pooled(self.network.features(beats)))[:, 0]


def _example(network: ResNet) -> torch.Tensor:
    return torch.zeros(_EXAMPLE_BEATS, BEAT_SAMPLES + network.contexts)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says about packages and functions of its own."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
