import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from kalemia.core import config
from kalemia.network.resnet import (
    N_STAGES,
    STRIDE,
    BasicBlock,
    BatchNormRelu,
    Conv,
    _to_channels_last,
    build_resnet,
    resnet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
)

BEATS_MV = torch.randn(5, 120, generator=torch.Generator().manual_seed(1))


def hand_counted_multiply_adds() -> int:
    """Of ResNet-50 at width 64 over one beat, from the published table of layers alone."""
    total = 7 * 1 * 64 * 60  # the stem: size, inputs, outputs, steps
    inputs, steps = 64, 30
    for n_blocks, width, stride in ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)):
        for block in range(n_blocks):
            narrow = inputs * width * steps
            if block == 0:
                steps = math.ceil(steps / stride)
                total += inputs * 4 * width * steps  # the projection
            total += narrow + 3 * width * width * steps + width * 4 * width * steps
            inputs = 4 * width
    return total + 2048


def performed_multiply_adds(network: nn.Module) -> int:
    counts = []

    def count(layer, _, output):
        counts.append(layer.weight.numel() * (output.shape[-1] if isinstance(layer, Conv) else 1))

    for layer in network.modules():
        if isinstance(layer, (Conv, nn.Linear)):
            layer.register_forward_hook(count)
    network.eval()(BEATS_MV[:1])
    return sum(counts)


def written_another_way(network: nn.Module, beats_mv: torch.Tensor, training: bool) -> torch.Tensor:
    """The logits of a bottleneck network, from its weights by name and torch's one-dimensional functions alone."""
    tensors = network.state_dict()

    def activated(features, name):
        mean, variance = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
        if training:
            mean, variance = features.mean(dim=(0, 2)), features.var(dim=(0, 2), correction=0)
        standard = (features - mean[:, None]) / torch.sqrt(variance[:, None] + 1e-5)
        return (standard * tensors[f"{name}.weight"][:, None] + tensors[f"{name}.bias"][:, None]).clamp(min=0)

    def convolved(features, name, stride):
        weight = tensors[f"{name}.weight"]
        return functional.conv1d(features, weight, stride=stride, padding=weight.shape[2] // 2)

    features = functional.max_pool1d(activated(convolved(beats_mv[:, None], "stem.0", 2), "stem.1"), 3, 2, 1)
    for stage, n_units in enumerate((3, 4, 6, 3), start=1):
        for unit in range(n_units):
            name, stride = f"stage{stage}.{unit}", 2 if unit == 0 and stage > 1 else 1
            before = features if (stage, unit) == (1, 0) else activated(features, f"{name}.preactivation")
            shortcut = convolved(before, f"{name}.projection", stride) if unit == 0 else features
            narrow = activated(convolved(before, f"{name}.residual.0", 1), f"{name}.residual.1")
            middle = activated(convolved(narrow, f"{name}.residual.2", stride), f"{name}.residual.3")
            features = shortcut + convolved(middle, f"{name}.residual.4", 1)
    return activated(features, "norm").mean(dim=2) @ tensors["head.weight"][0] + tensors["head.bias"]


@pytest.mark.parametrize("training", [False, True])
def test_an_independent_forward_pass_agrees(training):
    network = resnet50(width=16).train(training)
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, BatchNormRelu):
            module.running_mean.uniform_(-0.1, 0.1, generator=generator)
            module.running_var.uniform_(0.05, 0.15, generator=generator)
            module.weight.data.uniform_(0.2, 0.8, generator=generator)
            module.bias.data.uniform_(-0.1, 0.1, generator=generator)
    beats_mv = torch.randn(64, 120, generator=generator)
    expected = written_another_way(network, beats_mv, training)
    assert expected.std() > 1e-3
    torch.testing.assert_close(network(beats_mv), expected, rtol=1e-5, atol=1e-5)


class Product(Conv):
    """Always computed as a matrix product."""

    forward = Conv.multiply


def outputs_and_gradients(function, features: torch.Tensor, weight: torch.Tensor) -> list[torch.Tensor]:
    """Outputs, and gradients of a fixed function of them."""
    features, weight = features.clone().requires_grad_(), weight.clone().requires_grad_()
    outputs = function(features, weight)
    (outputs * torch.linspace(-1, 1, outputs.numel()).view(outputs.shape)).sum().backward()
    return [outputs.detach(), features.grad, weight.grad]


@given(
    size=st.sampled_from([1, 3, 5, 7]),
    stride=st.integers(1, 3),
    steps=st.integers(1, 12),
    inputs=st.integers(1, 5),
    outputs=st.sampled_from([1, 3, 256]),
    n=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_conv_and_its_gradients_are_those_of_conv1d(size, stride, steps, inputs, outputs, n, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, inputs, steps, generator=generator)
    weight = torch.randn(outputs, inputs, size, generator=generator)

    def called(conv):
        def function(features, weight):
            parameters = {"weight": weight.transpose(1, 2).contiguous().transpose(1, 2)}
            return torch.func.functional_call(conv, parameters, _to_channels_last(features)).squeeze(2)

        return function

    expected = outputs_and_gradients(
        lambda features, weight: functional.conv1d(features, weight, stride=stride, padding=size // 2), features, weight
    )
    for kind in (Conv, Product):
        actual = outputs_and_gradients(called(kind(inputs, outputs, size, stride)), features, weight)
        for ours, theirs in zip(actual, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def methods_of_convolutions(network: nn.Module, bfloat16: bool, monkeypatch) -> dict[tuple[int, bool], set[str]]:
    """For each size of a convolution, and whether its map has at most 4 steps, how it is computed."""
    used = {}
    for name, method in (("multiply", Conv.multiply), ("convolve", Conv.convolve)):

        def noted(layer, features, name=name, compute=method):
            outputs = compute(layer, features)
            used.setdefault((layer.size, outputs.shape[3] <= 4), set()).add(name)
            return outputs

        monkeypatch.setattr(Conv, name, noted)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        network(BEATS_MV)
    return used


@pytest.mark.parametrize("bfloat16", [False, True])
def test_short_maps_of_many_channels_are_matrix_products_on_a_cpu(bfloat16, monkeypatch):
    used = methods_of_convolutions(resnet50(width=64), bfloat16, monkeypatch)
    assert used == {
        (7, False): {"convolve"},
        (1, False): {"multiply"},
        (1, True): {"multiply"},
        (3, False): {"multiply" if bfloat16 else "convolve"},
        (3, True): {"multiply"},
    }


@pytest.mark.parametrize("bfloat16", [False, True])
def test_convolutions_of_few_channels_and_size_3_stay_convolutions(bfloat16, monkeypatch):
    used = methods_of_convolutions(resnet50(width=4), bfloat16, monkeypatch)
    assert used[3, False] == used[3, True] == {"convolve"}
    assert used[1, False] == used[1, True] == {"multiply"}


@pytest.mark.parametrize("width", [8, 64])
def test_the_logit_of_a_beat_does_not_depend_on_the_batch(width):
    network = resnet50(width).eval()
    beats_mv = torch.randn(65, 120, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        logits = network(beats_mv)
        spread = logits.std().item()
        for n in (1, 2, 8, 64):
            torch.testing.assert_close(network(beats_mv[:n]), logits[:n], rtol=0, atol=1e-5 * max(spread, 1.0))


def test_public_shapes_are_one_dimensional():
    network = resnet50(width=4)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if tensor.ndim > 1}
    assert shapes["stem.0.weight"] == (4, 1, 7)
    assert shapes["stage2.0.residual.2.weight"] == (8, 8, 3)
    assert all(len(shape) == 3 for name, shape in shapes.items() if name != "head.weight")


@pytest.mark.parametrize("stage", range(N_STAGES))
def test_features_are_accepted_in_any_memory_layout(stage):
    network = resnet50(width=4).eval()
    features = network.features(BEATS_MV, upto=stage)
    assert torch.equal(network.forward_from(features.contiguous(), stage), network.forward_from(features, stage))


def test_features_and_weights_are_passed_without_a_copy():
    network = resnet50(width=4)
    features = network.features(BEATS_MV, upto=1)
    assert _to_channels_last(features).data_ptr() == features.data_ptr()
    for module in network.modules():
        if isinstance(module, Conv):
            assert module.weight.unsqueeze(2).is_contiguous(memory_format=torch.channels_last)


def test_intervals_affect_the_logit_and_the_head_has_its_columns():
    architecture = config.Network(
        18, 2, rr_intervals=True, auxiliary_head="ordinal", ordinal_thresholds=(4.0, 5.0, 6.0)
    )
    network = build_resnet(architecture).eval()
    beats = torch.cat([BEATS_MV, torch.full((5, 2), 0.8)], dim=1)
    outputs = network(beats)
    assert outputs.shape == (5, 4)
    beats[:, -1] = 0.6
    assert not torch.equal(network(beats), outputs)


def test_resnet50_has_15_95_million_parameters():
    assert sum(weight.numel() for weight in resnet50().parameters()) == pytest.approx(15.95e6, abs=5e3)


def test_resnet50_needs_0_197_gflop_per_beat():
    by_hand = hand_counted_multiply_adds()
    assert 2 * by_hand == pytest.approx(0.197e9, abs=5e5)
    assert performed_multiply_adds(resnet50()) == by_hand


@pytest.mark.parametrize(("build", "depth"), [(resnet18, 18), (resnet34, 34), (resnet50, 50), (resnet101, 101)])
def test_depth_counts_the_layers_without_projections(build, depth):
    network = build(width=2)
    layers = [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, (Conv, nn.Linear)) and "projection" not in name
    ]
    assert len(layers) == depth


@pytest.mark.parametrize(("depth", "expansion"), [(18, 1), (50, 4)])
def test_stages_have_the_published_widths_and_strides(depth, expansion):
    network = resnet(depth, width=2).eval()
    shapes = [tuple(network.features(BEATS_MV, upto=stage).shape) for stage in range(N_STAGES + 1)]
    widths = [2, *(2 * expansion * factor for factor in (1, 2, 4, 8))]
    assert shapes == [(5, width, steps) for width, steps in zip(widths, (30, 30, 15, 8, 4), strict=True)]


def test_bottleneck_strides_in_its_wide_convolution():
    strides = [layer.stride for layer in resnet(50, 2).stage2[0].residual if isinstance(layer, Conv)]
    assert strides == [1, 2, 1]


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("stage", range(N_STAGES + 1))
def test_logits_from_the_features_of_any_stage_equal_those_from_beats(depth, stage):
    network = resnet(depth, width=2).eval()
    logits = network(BEATS_MV)
    assert logits.shape == (5,)
    assert torch.equal(network.forward_from(network.features(BEATS_MV, upto=stage), after=stage), logits)


def test_block_without_residual_is_the_identity():
    block = BasicBlock(4, 4, stride=1, first=False)
    nn.init.zeros_(block.residual[-1].weight)
    features = torch.linspace(-1, 1, 2 * 4 * 30).reshape(2, 4, 1, 30)
    assert torch.equal(block(features), features)


def test_projection_starts_from_the_activated_input():
    block = BasicBlock(4, 8, stride=2, first=False).eval()
    nn.init.zeros_(block.residual[-1].weight)
    assert torch.count_nonzero(block(torch.full((2, 4, 1, 30), -1.0))) == 0


def test_only_the_first_block_has_no_preactivation():
    network = resnet(34, 2)
    activated = [unit.preactivation is not None for stage in network.stages[1:] for unit in stage]
    assert activated == [False] + 15 * [True]
    assert torch.all(network.features(BEATS_MV, upto=0) >= 0)


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_output_step_is_at_input_step_times_stride(size, stride):
    layer = Conv(1, 1, size, stride)
    nn.init.zeros_(layer.weight)
    layer.weight.data[0, 0, size // 2] = 1
    assert torch.equal(layer(BEATS_MV[:, None, None, :]), BEATS_MV[:, None, None, ::stride])


def test_strides_of_the_network_multiply_to_the_stride_of_its_last_map():
    network = resnet(50, 2)
    on_the_way = [network.stem[0], network.stem[2], *(stage[0].projection for stage in network.stages[1:])]
    strides = [layer.stride[1] if isinstance(layer.stride, tuple) else layer.stride for layer in on_the_way]
    assert math.prod(strides) == STRIDE


def test_weights_derive_from_the_seed_only():
    first = resnet(18, 2, seed=3).state_dict()
    torch.randn(7)
    again, other = resnet(18, 2, seed=3).state_dict(), resnet(18, 2, seed=4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.0.weight"], other["stem.0.weight"])
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_convolutions_start_with_he_variance():
    weight = resnet(50, 64).stage4[0].residual[2].weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (512 * 3)), rel=0.01)


def test_reset_head_changes_only_the_head():
    network, before = resnet(18, 2), resnet(18, 2).state_dict()
    network.reset_head(seed=5)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"head.weight"}


@pytest.mark.parametrize("through", range(-1, N_STAGES + 1))
def test_frozen_stages_keep_weights_and_statistics(through):
    network = resnet(18, 2)
    network.freeze_through(through)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    network(BEATS_MV).sum().backward()
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    moved |= {name for name, weight in network.named_parameters() if weight.grad is not None}
    assert moved == set(network.trainable_tensor_names())
    frozen = ["stem", "stage1", "stage2", "stage3", "stage4"][: through + 1] + (["norm"] if through == N_STAGES else [])
    assert {name.split(".")[0] for name in before} - {name.split(".")[0] for name in moved} == set(frozen)


def test_frozen_batch_norm_stays_in_trainable_stages():
    network = resnet(18, 2)
    network.freeze_through(3)
    network.freeze_batch_norm()
    before = {name: tensor.clone() for name, tensor in network.named_buffers()}
    network.train()
    network(BEATS_MV)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.named_buffers())
    assert not any("running" in name for name in network.trainable_tensor_names())
    assert "stage4.0.preactivation.weight" in network.trainable_tensor_names()


def test_unfreezing_makes_every_weight_trainable():
    network = resnet(18, 2)
    network.freeze_through(N_STAGES)
    network.freeze_through(-1)
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(module.training for module in network.modules())


def test_a_head_is_initialized_on_the_cpu_on_any_device(monkeypatch):
    network, draw = resnet(18, 2, seed=1), torch.Tensor.uniform_

    def refuses_the_head(tensor, *bounds, generator):
        assert tensor.data_ptr() != network.head.weight.data_ptr()  # on a GPU a generator of the CPU is an error
        return draw(tensor, *bounds, generator=generator)

    monkeypatch.setattr(torch.Tensor, "uniform_", refuses_the_head)
    before = network.head.weight.clone()
    network.reset_head(5)
    assert not torch.equal(network.head.weight, before)
