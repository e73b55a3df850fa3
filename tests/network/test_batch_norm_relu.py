"""The kernels for a GPU compute what torch's batch norm and rectifier do: there, or else in Triton's interpreter."""

import os
from functools import partial
from importlib.util import find_spec

import pytest
import torch
from torch import nn
from torch.nn import functional

if find_spec("triton") is None:
    pytest.skip("needs Triton, which torch's builds for GPUs bring", allow_module_level=True)
HAS_GPU = torch.cuda.is_available()
if not HAS_GPU:
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported and while it interprets
SMALL = [(10, 6, 15), (33, 100, 4), (71, 64, 1)]  # beats, channels, steps
LARGE = [(1024, 64, 30), (102, 256, 30), (1024, 2048, 4)]
by_interpreter = pytest.mark.skipif(HAS_GPU, reason="the kernels are compiled for the GPU that is here")
on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="needs a GPU, and `pytest -m gpu`")]
SHAPES_AND_DEVICES = [
    *(pytest.param(shape, "cpu", marks=by_interpreter) for shape in SMALL),
    *(pytest.param(shape, "cuda", marks=on_gpu) for shape in SMALL + LARGE),
]


@pytest.fixture(scope="module")
def kernels():
    from kalemia.network.gpu import batch_norm_relu as norm_kernels

    with pytest.MonkeyPatch.context() as patch:
        if not HAS_GPU:
            patch.setattr(norm_kernels, "PROGRAMS", 2)  # so that each walks through several tiles of a small map
        yield norm_kernels


def values_of(random, shape, scale, offset, device):
    """(beats, channels, 1, steps), float64, with the channels next to each other in memory."""
    n, channels, steps = shape
    values = torch.randn((n, 1, steps, channels), generator=random, dtype=torch.float64)
    return (scale * values + offset).permute(0, 3, 1, 2).to(device)


def norm_of(random, n_channels, dtype, device):
    norm = nn.BatchNorm2d(n_channels, dtype=dtype)
    norm.weight.data = 0.5 + torch.rand(n_channels, generator=random).to(dtype)
    norm.bias.data = torch.randn(n_channels, generator=random).to(dtype)
    return norm.to(device)


def statistics_of(norm):
    return norm.running_mean, norm.running_var, norm.num_batches_tracked


@pytest.mark.parametrize(("shape", "device"), SHAPES_AND_DEVICES)
@pytest.mark.parametrize("has_shortcut", [False, True])
def test_outputs_and_gradients_equal_those_of_batch_norm_and_relu(kernels, shape, device, has_shortcut):
    values_from = partial(values_of, torch.Generator().manual_seed(1), shape, device=device)
    features, gradient, along_shortcut = values_from(2, 5).requires_grad_(), values_from(2, 0), values_from(2, 0)
    exact, norm = (
        norm_of(torch.Generator().manual_seed(2), shape[1], dtype, device) for dtype in (torch.float64, torch.float32)
    )
    normalized = exact(features)
    expected = functional.relu(normalized)
    gradient[normalized.abs() < 1e-4] = 0  # there rounding decides whether the rectifier lets a gradient pass
    (expected * gradient + features * along_shortcut * has_shortcut).sum().backward()

    mine = features.detach().float().requires_grad_()
    outputs = kernels.BatchNormReluTrain.apply(mine, norm.weight, norm.bias, statistics_of(norm), 0.1, 1e-5)
    used = 1 + has_shortcut
    torch.autograd.backward(outputs[:used], (gradient.float(), along_shortcut.float())[:used])
    pairs = {
        "normalized": (outputs[0], expected),
        "gradient": (mine.grad, features.grad),
        "of weight": (norm.weight.grad, exact.weight.grad),
        "of bias": (norm.bias.grad, exact.bias.grad),
    }
    for name, (one, other) in pairs.items():
        assert (one.double() - other).norm() < 1e-4 * other.norm(), name
    if has_shortcut:
        assert torch.equal(outputs[1], mine)


@pytest.mark.parametrize(("shape", "device"), SHAPES_AND_DEVICES)
def test_running_statistics_equal_those_of_batch_norm_and_are_used_in_evaluation(kernels, shape, device):
    exact, norm = (
        norm_of(torch.Generator().manual_seed(2), shape[1], dtype, device) for dtype in (torch.float64, torch.float32)
    )
    for seed in (1, 2):
        features = values_of(torch.Generator().manual_seed(seed), shape, 3, 10, device)
        exact(features)
        kernels.BatchNormReluTrain.apply(features.float(), norm.weight, norm.bias, statistics_of(norm), 0.1, 1e-5)
    for found, expected in zip(statistics_of(norm), statistics_of(exact), strict=True):
        torch.testing.assert_close(found.double(), expected.double(), rtol=1e-5, atol=1e-5)
    by_past = kernels.batch_norm_relu_eval(features.float(), norm.weight, norm.bias, statistics_of(norm), 1e-5)
    expected = functional.relu(exact.eval()(features))
    torch.testing.assert_close(by_past.double(), expected, rtol=1e-4, atol=1e-4)
