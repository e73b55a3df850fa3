import math

import pytest
import torch
from torch import nn

from kalemia.resnet import N_STAGES, STRIDE, BasicBlock, conv, resnet, resnet18, resnet34, resnet50, resnet101

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
        counts.append(layer.weight.numel() * (output.shape[-1] if isinstance(layer, nn.Conv1d) else 1))

    for layer in network.modules():
        if isinstance(layer, (nn.Conv1d, nn.Linear)):
            layer.register_forward_hook(count)
    network.eval()(BEATS_MV[:1])
    return sum(counts)


def test_resnet50_has_15_95_million_parameters():
    assert sum(weight.numel() for weight in resnet50().parameters()) == pytest.approx(15.95e6, abs=5e3)


def test_resnet50_takes_0_197_gflop_a_beat():
    by_hand = hand_counted_multiply_adds()
    assert 2 * by_hand == pytest.approx(0.197e9, abs=5e5)
    assert performed_multiply_adds(resnet50()) == by_hand


@pytest.mark.parametrize(("build", "depth"), [(resnet18, 18), (resnet34, 34), (resnet50, 50), (resnet101, 101)])
def test_depth_counts_the_layers_without_projections(build, depth):
    network = build(width=2)
    layers = [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Conv1d, nn.Linear)) and "projection" not in name
    ]
    assert len(layers) == depth


@pytest.mark.parametrize(("depth", "expansion"), [(18, 1), (50, 4)])
def test_stages_have_the_published_widths_and_strides(depth, expansion):
    network = resnet(depth, width=2).eval()
    shapes = [tuple(network.features(BEATS_MV, upto=stage).shape) for stage in range(N_STAGES + 1)]
    widths = [2, *(2 * expansion * factor for factor in (1, 2, 4, 8))]
    assert shapes == [(5, width, steps) for width, steps in zip(widths, (30, 30, 15, 8, 4), strict=True)]


def test_bottleneck_strides_in_its_wide_convolution():
    strides = [layer.stride[0] for layer in resnet(50, 2).stage2[0].residual if isinstance(layer, nn.Conv1d)]
    assert strides == [1, 2, 1]


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("stage", range(N_STAGES + 1))
def test_logits_from_the_features_of_any_stage_are_the_logits_of_the_beats(depth, stage):
    network = resnet(depth, width=2).eval()
    logits = network(BEATS_MV)
    assert logits.shape == (5,)
    assert torch.equal(network.from_features(network.features(BEATS_MV, upto=stage), after=stage), logits)


def test_block_without_residual_is_the_identity():
    block = BasicBlock(4, 4, stride=1, first=False)
    nn.init.zeros_(block.residual[-1].weight)
    features = torch.linspace(-1, 1, 2 * 4 * 30).reshape(2, 4, 30)
    assert torch.equal(block(features), features)


def test_projection_sees_the_activated_input():
    block = BasicBlock(4, 8, stride=2, first=False).eval()
    nn.init.zeros_(block.residual[-1].weight)
    assert torch.count_nonzero(block(torch.full((2, 4, 30), -1.0))) == 0


def test_only_the_first_unit_is_activated_by_the_stem():
    network = resnet(34, 2)
    activated = [unit.preactivation is not None for stage in network.stages[1:] for unit in stage]
    assert activated == [False] + 15 * [True]
    assert torch.all(network.features(BEATS_MV, upto=0) >= 0)


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_output_step_lies_at_input_step_times_stride(size, stride):
    layer = conv(1, 1, size, stride)
    nn.init.zeros_(layer.weight)
    layer.weight.data[0, 0, size // 2] = 1
    assert torch.equal(layer(BEATS_MV[:, None, :]), BEATS_MV[:, None, ::stride])


def test_strides_of_the_network_multiply_to_the_stride_of_its_last_map():
    network = resnet(50, 2)
    on_the_way = [network.stem[0], network.stem[2], *(stage[0].projection for stage in network.stages[1:])]
    strides = [layer.stride[0] if isinstance(layer.stride, tuple) else layer.stride for layer in on_the_way]
    assert math.prod(strides) == STRIDE


def test_weights_follow_from_the_seed_alone():
    first = resnet(18, 2, seed=3).state_dict()
    torch.randn(7)
    again, other = resnet(18, 2, seed=3).state_dict(), resnet(18, 2, seed=4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.0.weight"], other["stem.0.weight"])
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_convolutions_begin_with_the_variance_of_he():
    weight = resnet(50, 64).stage4[0].residual[2].weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (512 * 3)), rel=0.01)


def test_fresh_head_differs_and_the_rest_stays():
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
    assert moved == set(network.trained_names())
    frozen = ["stem", "stage1", "stage2", "stage3", "stage4"][: through + 1] + (["norm"] if through == N_STAGES else [])
    assert {name.split(".")[0] for name in before} - {name.split(".")[0] for name in moved} == set(frozen)


def test_frozen_statistics_stay_in_stages_that_learn():
    network = resnet(18, 2)
    network.freeze_through(3)
    network.freeze_statistics()
    before = {name: tensor.clone() for name, tensor in network.named_buffers()}
    network.train()
    network(BEATS_MV)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.named_buffers())
    assert not any("running" in name for name in network.trained_names())
    assert "stage4.0.preactivation.weight" in network.trained_names()


def test_thawing_brings_every_weight_back():
    network = resnet(18, 2)
    network.freeze_through(N_STAGES)
    network.freeze_through(-1)
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(module.training for module in network.modules())
