import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from kalemia.network.gpu.bfloat16_weights import Bfloat16Weights
from kalemia.network.inference import autocast_context
from kalemia.network.resnet import resnet18


def learned(halves: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Outputs and gradients of a network whose stem is frozen, in bfloat16."""
    beats_mv = torch.randn(32, 120, generator=torch.Generator().manual_seed(1))
    network = resnet18(8).train()
    network.freeze_through(0)
    forward = Bfloat16Weights(network) if halves else network
    with autocast_context("bfloat16", torch.device("cpu")):
        outputs = forward(beats_mv)
    binary_cross_entropy_with_logits(outputs.float(), torch.arange(32).ge(16).float()).backward()
    if halves:
        forward.copy_grads_to_master()
    gradients = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
    return outputs, gradients


def test_outputs_and_gradients_equal_those_of_autocast():
    (outputs, gradients), (expected, of_autocast) = learned(halves=True), learned(halves=False)
    assert torch.equal(outputs, expected)
    assert gradients.keys() == of_autocast.keys()
    for name, gradient in gradients.items():
        assert gradient.dtype == torch.float32
        assert torch.equal(gradient, of_autocast[name]), name


def test_copies_follow_the_weights():
    network = resnet18(8).eval()
    forward, beats_mv = Bfloat16Weights(network), torch.ones(2, 120)
    with torch.inference_mode(), autocast_context("bfloat16", torch.device("cpu")):
        before = forward(beats_mv)
        network.head.weight.mul_(2.0)
        assert not torch.equal(forward(beats_mv), before)
        assert torch.equal(forward(beats_mv), network(beats_mv))
