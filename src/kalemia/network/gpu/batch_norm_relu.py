"""Batch normalization and ReLU on a GPU, fused: two Triton kernels forward and two backward.

In bfloat16 a network spends more time moving feature maps through memory than on convolutions, and this layer moves
them most. Each kernel reads every value once, which is the minimum, since a channel must be summed before it can be
normalized (docs/performance.md). The arithmetic is float32.

Here a feature map is a matrix with one row per time step of each beat, and the channels adjacent in memory.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

ROWS, CHANNELS = 64, 64  # size of a tile
PROGRAMS = 1056  # per kernel: eight per multiprocessor of a large GPU; each walks down a column of tiles

Statistics = tuple[Tensor, Tensor, Tensor]  # running mean, running variance, number of batches


class BatchNormReluTrain(torch.autograd.Function):
    """relu(batch_norm(features)) in training mode (Ioffe and Szegedy 2015); returns also the features themselves.

    features: (n, channels, 1, steps). weight, bias, running mean and variance: float32 (channels,).

    The features are returned so that the shortcut of a residual block can start here: its gradient is then added by
    the same kernel that computes the gradient of the features.
    """

    @staticmethod
    def forward(
        ctx, features: Tensor, weight: Tensor, bias: Tensor, statistics: Statistics, momentum: float, eps: float
    ):
        matrix = _to_matrix(features)
        grid, shape = _launch_grid(matrix)
        sums, gradient_sums = torch.zeros((2, 2, len(weight)), device=features.device)
        _sums[grid](matrix, sums, *shape)
        normalized, mean, inverse_sd = torch.empty_like(matrix), torch.empty_like(weight), torch.empty_like(weight)
        norm = (weight, bias, mean, inverse_sd)
        _normalize[grid](matrix, normalized, sums, *norm, *statistics, momentum, eps, True, *shape)
        ctx.save_for_backward(matrix, *norm)
        ctx.gradient_sums = gradient_sums
        ctx.set_materialize_grads(False)
        return _to_feature_map(normalized, features), features

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor, shortcut_gradient: Tensor | None):
        matrix, *norm = ctx.saved_tensors
        grid, shape = _launch_grid(matrix)
        passed = _to_matrix(gradient)
        sums, ctx.gradient_sums = ctx.gradient_sums, None  # zero only once: backward cannot run a second time
        _gradient_sums[grid](matrix, passed, sums, *norm, *shape)
        has_shortcut = shortcut_gradient is not None
        shortcut = _to_matrix(shortcut_gradient) if has_shortcut else passed
        back = torch.empty_like(matrix)
        _gradient[grid](matrix, passed, shortcut, back, sums, *norm, has_shortcut, *shape)
        return _to_feature_map(back, gradient), sums[1], sums[0], None, None, None


def batch_norm_relu_eval(features: Tensor, weight: Tensor, bias: Tensor, statistics: Statistics, eps: float) -> Tensor:
    """relu(batch_norm(features)) in evaluation mode, with the running statistics; not differentiable.

    features: (n, channels, 1, steps). weight, bias, running mean and variance: float32 (channels,).
    """
    matrix = _to_matrix(features)
    grid, shape = _launch_grid(matrix)
    normalized, unused = torch.empty_like(matrix), weight
    _normalize[grid](matrix, normalized, unused, weight, bias, unused, unused, *statistics, 0.0, eps, False, *shape)
    return _to_feature_map(normalized, features)


def _to_matrix(features: Tensor) -> Tensor:
    """(n, channels, 1, steps) as (n * steps, channels): a view if the channels are last in memory, else a copy."""
    return features.permute(0, 2, 3, 1).contiguous().view(-1, features.shape[1])


def _to_feature_map(matrix: Tensor, like: Tensor) -> Tensor:
    """The inverse of `_to_matrix`, always a view."""
    n, n_channels, _, n_steps = like.shape
    return matrix.view(n, 1, n_steps, n_channels).permute(0, 3, 1, 2)


def _launch_grid(matrix: Tensor) -> tuple[tuple[int, int], tuple[int, ...]]:
    """The grid of programs; and the shape of the matrix, the rows per program, and the shape of a tile."""
    n_rows, n_channels = matrix.shape
    down, across = triton.cdiv(n_rows, ROWS), triton.cdiv(n_channels, CHANNELS)
    rows_each = ROWS * triton.cdiv(down * across, PROGRAMS)
    return (triton.cdiv(n_rows, rows_each), across), (n_rows, n_channels, rows_each, ROWS, CHANNELS)


@triton.jit
def _channels(n_channels, tile_channels: tl.constexpr):
    """Indices of this program's channels, and a mask of those that exist."""
    channel = tl.program_id(1) * tile_channels + tl.arange(0, tile_channels)
    return channel, channel < n_channels


@triton.jit
def _tile(first, channel, n_rows, n_channels, tile_rows: tl.constexpr):
    """Offsets of a tile's values in the matrix, and a mask of those inside it."""
    row = first + tl.arange(0, tile_rows)
    inside = (row < n_rows)[:, None] & (channel < n_channels)[None, :]
    return row.to(tl.int64)[:, None] * n_channels + channel[None, :], inside


@triton.jit
def _sums(x, sums, n_rows, n_channels, rows_each, tile_rows: tl.constexpr, tile_channels: tl.constexpr):
    """Per channel, the sums of values and squares, relative to the first row's value to avoid cancellation."""
    channel, is_channel = _channels(n_channels, tile_channels)
    origin = tl.load(x + channel, mask=is_channel, other=0.0).to(tl.float32)
    begin = tl.program_id(0) * rows_each
    ones = tl.zeros((tile_channels,), tl.float32)
    squares = tl.zeros((tile_channels,), tl.float32)
    for first in range(begin, tl.minimum(begin + rows_each, n_rows), tile_rows):
        at, inside = _tile(first, channel, n_rows, n_channels, tile_rows)
        value = tl.load(x + at, mask=inside, other=0.0).to(tl.float32) - origin[None, :]
        value = tl.where(inside, value, 0.0)
        ones += tl.sum(value, axis=0)
        squares += tl.sum(value * value, axis=0)
    tl.atomic_add(sums + channel, ones, mask=is_channel, sem="relaxed")
    tl.atomic_add(sums + n_channels + channel, squares, mask=is_channel, sem="relaxed")


@triton.jit
def _normalize(
    x,
    y,
    sums,
    weight,
    bias,
    mean,
    inverse_sd,
    running_mean,
    running_variance,
    n_batches,
    momentum,
    eps,
    is_training: tl.constexpr,
    n_rows,
    n_channels,
    rows_each,
    tile_rows: tl.constexpr,
    tile_channels: tl.constexpr,
):
    """Write y. In training, each channel's first program also writes mean, 1 / SD and running statistics."""
    channel, is_channel = _channels(n_channels, tile_channels)
    begin = tl.program_id(0) * rows_each
    center = tl.load(running_mean + channel, mask=is_channel, other=0.0)
    variance = tl.load(running_variance + channel, mask=is_channel, other=0.0)
    if is_training:
        past_center, past_variance = center, variance
        from_origin = tl.load(sums + channel, mask=is_channel, other=0.0) / n_rows
        square = tl.load(sums + n_channels + channel, mask=is_channel, other=0.0) / n_rows
        center = tl.load(x + channel, mask=is_channel, other=0.0).to(tl.float32) + from_origin
        variance = tl.maximum(square - from_origin * from_origin, 0.0)
    inverse = 1.0 / tl.sqrt(variance + eps)
    if is_training:  # noqa: SIM102 (a compile-time condition, unlike the next one)
        if begin == 0:
            tl.store(mean + channel, center, mask=is_channel)
            tl.store(inverse_sd + channel, inverse, mask=is_channel)
            unbiased = variance * n_rows / (n_rows - 1)
            tl.store(running_mean + channel, past_center + momentum * (center - past_center), mask=is_channel)
            tl.store(running_variance + channel, past_variance + momentum * (unbiased - past_variance), mask=is_channel)
            if tl.program_id(1) == 0:
                tl.store(n_batches, tl.load(n_batches) + 1)
    scale = tl.load(weight + channel, mask=is_channel, other=0.0) * inverse
    offset = tl.load(bias + channel, mask=is_channel, other=0.0)
    for first in range(begin, tl.minimum(begin + rows_each, n_rows), tile_rows):
        at, inside = _tile(first, channel, n_rows, n_channels, tile_rows)
        value = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        value = (value - center[None, :]) * scale[None, :] + offset[None, :]
        tl.store(y + at, tl.maximum(value, 0.0).to(y.dtype.element_ty), mask=inside)


@triton.jit
def _gradient_sums(
    x,
    gradient,
    sums,
    weight,
    bias,
    mean,
    inverse_sd,
    n_rows,
    n_channels,
    rows_each,
    tile_rows: tl.constexpr,
    tile_channels: tl.constexpr,
):
    """Per channel, the sums of the gradient after ReLU (the bias's), and of it times the normalized value."""
    channel, is_channel = _channels(n_channels, tile_channels)
    center = tl.load(mean + channel, mask=is_channel, other=0.0)
    inverse = tl.load(inverse_sd + channel, mask=is_channel, other=0.0)
    scale = tl.load(weight + channel, mask=is_channel, other=0.0)
    offset = tl.load(bias + channel, mask=is_channel, other=0.0)
    begin = tl.program_id(0) * rows_each
    ones = tl.zeros((tile_channels,), tl.float32)
    products = tl.zeros((tile_channels,), tl.float32)
    for first in range(begin, tl.minimum(begin + rows_each, n_rows), tile_rows):
        at, inside = _tile(first, channel, n_rows, n_channels, tile_rows)
        value = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        passed = tl.load(gradient + at, mask=inside, other=0.0).to(tl.float32)
        value = (value - center[None, :]) * inverse[None, :]
        passed = tl.where(value * scale[None, :] + offset[None, :] > 0.0, passed, 0.0)
        ones += tl.sum(passed, axis=0)
        products += tl.sum(passed * value, axis=0)
    tl.atomic_add(sums + channel, ones, mask=is_channel, sem="relaxed")
    tl.atomic_add(sums + n_channels + channel, products, mask=is_channel, sem="relaxed")


@triton.jit
def _gradient(
    x,
    gradient,
    shortcut,
    of_x,
    sums,
    weight,
    bias,
    mean,
    inverse_sd,
    has_shortcut: tl.constexpr,
    n_rows,
    n_channels,
    rows_each,
    tile_rows: tl.constexpr,
    tile_channels: tl.constexpr,
):
    """Write the gradient of x, plus the gradient of the shortcut."""
    channel, is_channel = _channels(n_channels, tile_channels)
    total = tl.load(sums + channel, mask=is_channel, other=0.0) / n_rows
    product = tl.load(sums + n_channels + channel, mask=is_channel, other=0.0) / n_rows
    center = tl.load(mean + channel, mask=is_channel, other=0.0)
    inverse = tl.load(inverse_sd + channel, mask=is_channel, other=0.0)
    scale = tl.load(weight + channel, mask=is_channel, other=0.0)
    offset = tl.load(bias + channel, mask=is_channel, other=0.0)
    begin = tl.program_id(0) * rows_each
    for first in range(begin, tl.minimum(begin + rows_each, n_rows), tile_rows):
        at, inside = _tile(first, channel, n_rows, n_channels, tile_rows)
        value = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        passed = tl.load(gradient + at, mask=inside, other=0.0).to(tl.float32)
        value = (value - center[None, :]) * inverse[None, :]
        passed = tl.where(value * scale[None, :] + offset[None, :] > 0.0, passed, 0.0)
        back = (passed - total[None, :] - value * product[None, :]) * (scale * inverse)[None, :]
        if has_shortcut:
            back += tl.load(shortcut + at, mask=inside, other=0.0).to(tl.float32)
        tl.store(of_x + at, back.to(of_x.dtype.element_ty), mask=inside)
