"""The network: a pre-activation residual network in one dimension, from beats of 120 samples to one logit each.

Identity mappings in deep residual networks (He et al. 2016), with every two-dimensional convolution made
one-dimensional and nothing else changed (Chiu 2022). Names follow torchvision.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

N_STAGES = 4  # beside the stem, which counts as stage 0
STRIDE = 32  # samples of a beat from one step of the last feature map to the next; step 0 lies at sample 0


def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv1d:
    """A convolution of odd `size` without bias, padded so that output step i lies at input step i * stride."""
    return nn.Conv1d(inputs, outputs, size, stride, padding=size // 2, bias=False)


class NormRelu(nn.BatchNorm1d):
    """Batch normalization and a rectifier: the activation that comes before a convolution."""

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(super().forward(features), inplace=True)


class Block(nn.Module):
    """A residual unit: `convolve(activation)` added to its input.

    The input is activated before the two paths part where the shortcut is a projection, and on the residual path alone
    where it is the identity. In a network's first unit the stem has done it for both (He et al. 2016, appendix).
    """

    expansion: int

    def __init__(self, inputs: int, width: int, stride: int, first: bool):
        super().__init__()
        outputs = width * self.expansion
        self.preactivation = None if first else NormRelu(inputs)
        self.projection = conv(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else None
        self.residual = self.convolutions(inputs, width, stride)

    def forward(self, features: Tensor) -> Tensor:
        activated = features if self.preactivation is None else self.preactivation(features)
        shortcut = features if self.projection is None else self.projection(activated)
        return self.residual(activated) + shortcut


class BasicBlock(Block):
    """Two convolutions of size 3, the first with the stride."""

    expansion = 1

    def convolutions(self, inputs: int, width: int, stride: int) -> nn.Sequential:
        return nn.Sequential(conv(inputs, width, 3, stride), NormRelu(width), conv(width, width, 3))


class Bottleneck(Block):
    """Convolutions of sizes 1, 3 and 1; the middle one is narrow and has the stride."""

    expansion = 4

    def convolutions(self, inputs: int, width: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            conv(inputs, width, 1),
            NormRelu(width),
            conv(width, width, 3, stride),
            NormRelu(width),
            conv(width, width * self.expansion, 1),
        )


class ResNet(nn.Module):
    """Beats (n, 120), float32 mV, to logits (n,), positive for the positive class.

    Stage 0 is the stem, stages 1 to 4 are `blocks[i]` units each; the norm after stage 4 belongs to stage 4. The
    weights follow from `seed` alone.
    """

    def __init__(self, block: type[Block], blocks: tuple[int, ...], width: int, seed: int):
        super().__init__()
        self.stem = nn.Sequential(conv(1, width, 7, 2), NormRelu(width), nn.MaxPool1d(3, 2, padding=1))
        inputs = width
        for stage, (n_blocks, stride) in enumerate(zip(blocks, (1, 2, 2, 2), strict=True), start=1):
            units = []
            for unit in range(n_blocks):
                first = stage == 1 and unit == 0
                units.append(block(inputs, width << (stage - 1), stride if unit == 0 else 1, first))
                inputs = (width << (stage - 1)) * block.expansion
            self.add_module(f"stage{stage}", nn.Sequential(*units))
        self.norm = NormRelu(inputs)
        self.head = nn.Linear(inputs, 1)
        self.frozen_through = -1
        self.statistics_frozen = False
        self._initialize(seed)

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """The stem and the four stages."""
        return (self.stem, *(getattr(self, f"stage{stage}") for stage in range(1, N_STAGES + 1)))

    def features(self, beats_mv: Tensor, upto: int = N_STAGES) -> Tensor:
        """The feature map (n, channels, steps) that comes out of stage `upto`; 0 is the stem."""
        features = beats_mv[:, None, :]
        for stage in self.stages[: upto + 1]:
            features = stage(features)
        return features

    def activation(self, features: Tensor) -> Tensor:
        """The last feature map, (n, channels, steps), normalized and rectified: what the head averages over time.

        Overwrites nothing that `features` holds.
        """
        return self.norm(features)

    def pooled(self, features: Tensor) -> Tensor:
        """The mean of the activation over time (n, channels), from the feature map after stage 4: the head's input."""
        return self.activation(features).mean(dim=-1)

    def from_features(self, features: Tensor, after: int) -> Tensor:
        """Logits (n,) from the feature map that came out of stage `after`."""
        for stage in self.stages[after + 1 :]:
            features = stage(features)
        return self.head(self.pooled(features)).squeeze(-1)

    def forward(self, beats_mv: Tensor) -> Tensor:
        return self.from_features(self.features(beats_mv), after=N_STAGES)

    def freeze_through(self, stage: int) -> None:
        """Neither weights nor statistics of the stem and the stages up to `stage` move any more; -1 freezes nothing.

        After stage 4 only the head is left to learn.
        """
        self.frozen_through = stage
        for parameter in self.parameters():
            parameter.requires_grad_(True)
        for module in self._frozen():
            module.requires_grad_(False)
        self.train(self.training)

    def freeze_statistics(self) -> None:
        """Every batch norm keeps its running mean and variance, and uses them in training too."""
        self.statistics_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> "ResNet":
        """As of any module, but what is frozen stays in evaluation mode."""
        super().train(mode)
        still = [module for module in self.modules() if isinstance(module, NormRelu)] if self.statistics_frozen else []
        for module in [*still, *self._frozen()]:
            module.eval()
        return self

    def reset_head(self, seed: int) -> None:
        """A fresh classification layer: weights uniform within 1 / sqrt(inputs) of 0, bias 0."""
        bound = self.head.in_features**-0.5
        nn.init.uniform_(self.head.weight, -bound, bound, generator=_generator(seed))
        nn.init.zeros_(self.head.bias)

    def trained_names(self) -> list[str]:
        """Of the tensors that training moves: weights that are not frozen, and statistics that adapt."""
        frozen = {f"{name}." for name, module in self.named_children() if module in self._frozen()}
        statistics = [] if self.statistics_frozen else [name for name, _ in self.named_buffers()]
        names = [name for name, _ in self.named_parameters()] + statistics
        return [name for name in names if not name.startswith(tuple(frozen))]

    def _frozen(self) -> list[nn.Module]:
        return [*self.stages[: self.frozen_through + 1], *([self.norm] if self.frozen_through >= N_STAGES else [])]

    def _initialize(self, seed: int) -> None:
        """Convolutions normal with variance 2 / (outputs x size) (He et al. 2015)."""
        generator = _generator(seed)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        self.reset_head(int(torch.randint(2**62, (), generator=generator)))


def resnet(depth: int, width: int = 64, seed: int = 0) -> ResNet:
    """A network of 18, 34, 50 or 101 layers whose first stage has `width` channels."""
    return {18: resnet18, 34: resnet34, 50: resnet50, 101: resnet101}[depth](width, seed)


def resnet18(width: int = 64, seed: int = 0) -> ResNet:
    """Two basic blocks a stage."""
    return ResNet(BasicBlock, (2, 2, 2, 2), width, seed)


def resnet34(width: int = 64, seed: int = 0) -> ResNet:
    """Sixteen basic blocks."""
    return ResNet(BasicBlock, (3, 4, 6, 3), width, seed)


def resnet50(width: int = 64, seed: int = 0) -> ResNet:
    """Sixteen bottleneck blocks; the network of Chiu 2022 at width 64."""
    return ResNet(Bottleneck, (3, 4, 6, 3), width, seed)


def resnet101(width: int = 64, seed: int = 0) -> ResNet:
    """Thirty-three bottleneck blocks."""
    return ResNet(Bottleneck, (3, 4, 23, 3), width, seed)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
