"""The network: a pre-activation residual network in one dimension, from beats of 120 samples to one logit each.

Identity mappings in deep residual networks (He et al. 2016), with every two-dimensional convolution made
one-dimensional and nothing else changed (Chiu 2022). Names follow torchvision.

Everything here reads as one-dimensional, and weights have the shape (outputs, inputs, size). Inside, a feature map is
(n, channels, 1, steps) with the channels next to each other in memory, for which the libraries beneath torch have much
faster kernels (docs/performance.md); `_to_channels_last` and `_from_channels_last` change
between the two views and copy nothing.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kalemia.core import config

N_STAGES = 4  # beside the stem, which counts as stage 0
STRIDE = 32  # samples of a beat from one step of the last feature map to the next; step 0 lies at sample 0


class Conv(nn.Module):
    """A convolution of odd `size` without bias, padded so that output step i lies at input step i * stride.

    Takes and returns the inside view. The weight is (outputs, inputs, size), with its inputs next to each other in
    memory, so that the four-dimensional view of it has its channels last and is no copy.
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1):
        super().__init__()
        self.stride, self.size = stride, size
        self.weight = nn.Parameter(torch.zeros(outputs, size, inputs).transpose(1, 2))

    def forward(self, features: Tensor) -> Tensor:
        if self.size == self.stride == 1 and features.is_cuda:  # a product of matrices, and faster as one
            return functional.linear(features.permute(0, 2, 3, 1), self.weight.squeeze(2)).permute(0, 3, 1, 2)
        return functional.conv2d(
            features, self.weight.unsqueeze(2), stride=(1, self.stride), padding=(0, self.size // 2)
        )


class BatchNormRelu(nn.BatchNorm2d):
    """Batch normalization and a rectifier: the activation that comes before a convolution."""

    def forward(self, features: Tensor) -> Tensor:
        return self.activate_with_input(features)[0]

    def activate_with_input(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The activation, and the features for a shortcut to go on from."""
        needs_no_gradient = not (self.training or torch.is_grad_enabled())
        if features.is_cuda and not torch.compiler.is_compiling() and (self.training or needs_no_gradient):
            from kalemia.network.gpu import batch_norm_relu as norm_kernels  # Triton comes with torch for GPUs alone

            norm = (self.weight, self.bias, (self.running_mean, self.running_var, self.num_batches_tracked))
            if needs_no_gradient:
                return norm_kernels.batch_norm_relu_eval(features, *norm, self.eps), features
            return norm_kernels.BatchNormReluTrain.apply(features, *norm, self.momentum, self.eps)
        return functional.relu(super().forward(features), inplace=True), features


class Block(nn.Module):
    """A residual unit: `convolve(activation)` added to its input.

    The input is activated before the two paths part where the shortcut is a projection, and on the residual path alone
    where it is the identity. In a network's first unit the stem has done it for both (He et al. 2016, appendix).
    """

    expansion: int

    def __init__(self, inputs: int, width: int, stride: int, first: bool):
        super().__init__()
        outputs = width * self.expansion
        self.preactivation = None if first else BatchNormRelu(inputs)
        self.projection = Conv(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else None
        self.residual = self.convolutions(inputs, width, stride)

    def forward(self, features: Tensor) -> Tensor:
        activated = features
        if self.preactivation is not None:
            activated, features = self.preactivation.activate_with_input(features)
        shortcut = features if self.projection is None else self.projection(activated)
        return self.residual(activated) + shortcut


class BasicBlock(Block):
    """Two convolutions of size 3, the first with the stride."""

    expansion = 1

    def convolutions(self, inputs: int, width: int, stride: int) -> nn.Sequential:
        return nn.Sequential(Conv(inputs, width, 3, stride), BatchNormRelu(width), Conv(width, width, 3))


class Bottleneck(Block):
    """Convolutions of sizes 1, 3 and 1; the middle one is narrow and has the stride."""

    expansion = 4

    def convolutions(self, inputs: int, width: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            Conv(inputs, width, 1),
            BatchNormRelu(width),
            Conv(width, width, 3, stride),
            BatchNormRelu(width),
            Conv(width, width * self.expansion, 1),
        )


class ResNet(nn.Module):
    """Beats (n, 120), float32 mV, to logits (n,), positive for the positive class.

    Stage 0 is the stem, stages 1 to 4 are `blocks[i]` units each; the norm after stage 4 belongs to stage 4. The
    weights follow from `seed` alone. With `contexts`, as many numbers follow the samples of each beat, and the stem
    sees each of them as one more channel; with several `outputs` the result is (n, outputs), the logit first.
    """

    def __init__(
        self, block: type[Block], blocks: tuple[int, ...], width: int, seed: int, contexts: int = 0, outputs: int = 1
    ):
        super().__init__()
        self.contexts = contexts
        pool = nn.MaxPool2d((1, 3), (1, 2), (0, 1))
        self.stem = nn.Sequential(Conv(1 + contexts, width, 7, 2), BatchNormRelu(width), pool)
        inputs = width
        for stage, (n_blocks, stride) in enumerate(zip(blocks, (1, 2, 2, 2), strict=True), start=1):
            units = []
            for unit in range(n_blocks):
                first = stage == 1 and unit == 0
                units.append(block(inputs, width << (stage - 1), stride if unit == 0 else 1, first))
                inputs = (width << (stage - 1)) * block.expansion
            self.add_module(f"stage{stage}", nn.Sequential(*units))
        self.norm = BatchNormRelu(inputs)
        self.head = nn.Linear(inputs, outputs)
        self.frozen_through = -1
        self.batch_norm_frozen = False
        self._initialize(seed)

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """The stem and the four stages."""
        return (self.stem, *(getattr(self, f"stage{stage}") for stage in range(1, N_STAGES + 1)))

    def features(self, beats_mv: Tensor, upto: int = N_STAGES) -> Tensor:
        """The feature map (n, channels, steps) that comes out of stage `upto`; 0 is the stem."""
        samples = beats_mv[:, None, : beats_mv.shape[1] - self.contexts]
        if self.contexts:
            context = beats_mv[:, -self.contexts :, None].expand(-1, -1, samples.shape[-1])
            samples = torch.cat([samples, context], dim=1)
        features = _to_channels_last(samples)
        for stage in self.stages[: upto + 1]:
            features = stage(features)
        return _from_channels_last(features)

    def activation(self, features: Tensor) -> Tensor:
        """The last feature map, (n, channels, steps), normalized and rectified: what the head averages over time.

        Overwrites nothing that `features` holds.
        """
        return _from_channels_last(self.norm(_to_channels_last(features)))

    def pooled(self, features: Tensor) -> Tensor:
        """The mean of the activation over time (n, channels), from the feature map after stage 4: the head's input."""
        return self.activation(features).mean(dim=-1)

    def forward_stages(self, features: Tensor, after: int) -> Tensor:
        """The feature map after stage 4 from the one that came out of stage `after`."""
        features = _to_channels_last(features)
        for stage in self.stages[after + 1 :]:
            features = stage(features)
        return _from_channels_last(features)

    def forward_from(self, features: Tensor, after: int) -> Tensor:
        """The outputs from the feature map that came out of stage `after`."""
        return self.head(self.pooled(self.forward_stages(features, after))).squeeze(-1)

    def forward(self, beats_mv: Tensor) -> Tensor:
        return self.forward_from(self.features(beats_mv), after=N_STAGES)

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

    def freeze_batch_norm(self) -> None:
        """Every batch norm keeps its running mean and variance, and uses them in training too."""
        self.batch_norm_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> "ResNet":
        """As of any module, but what is frozen stays in evaluation mode."""
        super().train(mode)
        still = (
            [module for module in self.modules() if isinstance(module, BatchNormRelu)] if self.batch_norm_frozen else []
        )
        for module in [*still, *self._frozen()]:
            module.eval()
        return self

    def reset_head(self, seed: int) -> None:
        """A fresh classification layer: weights uniform within 1 / sqrt(inputs) of 0, bias 0."""
        bound = self.head.in_features**-0.5
        weight = torch.empty(self.head.weight.shape).uniform_(-bound, bound, generator=_generator(seed))
        with torch.no_grad():  # the generator is the CPU's, whatever device the head is on
            self.head.weight.copy_(weight)
            self.head.bias.zero_()

    def trainable_tensor_names(self) -> list[str]:
        """Of the tensors that training moves: weights that are not frozen, and statistics that adapt."""
        frozen = {f"{name}." for name, module in self.named_children() if module in self._frozen()}
        statistics = [] if self.batch_norm_frozen else [name for name, _ in self.named_buffers()]
        names = [name for name, _ in self.named_parameters()] + statistics
        return [name for name in names if not name.startswith(tuple(frozen))]

    def _frozen(self) -> list[nn.Module]:
        return [*self.stages[: self.frozen_through + 1], *([self.norm] if self.frozen_through >= N_STAGES else [])]

    def _initialize(self, seed: int) -> None:
        """Convolutions normal with variance 2 / (outputs x size) (He et al. 2015)."""
        generator = _generator(seed)
        for module in self.modules():
            if isinstance(module, Conv):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        self.reset_head(int(torch.randint(2**62, (), generator=generator)))


def build_resnet(architecture: config.Network, seed: int = 0) -> ResNet:
    """The network that a configuration asks for, with fresh weights."""
    return resnet(
        architecture.depth,
        architecture.width,
        seed,
        contexts=2 if architecture.rr_intervals else 0,
        outputs=1 + {"none": 0, "regression": 1, "ordinal": len(architecture.analyte_cuts)}[architecture.analyte_head],
    )


def resnet(depth: int, width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """A network of 18, 34, 50 or 101 layers whose first stage has `width` channels; `shape` as of `ResNet`."""
    return {18: resnet18, 34: resnet34, 50: resnet50, 101: resnet101}[depth](width, seed, **shape)


def resnet18(width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Two basic blocks a stage."""
    return ResNet(BasicBlock, (2, 2, 2, 2), width, seed, **shape)


def resnet34(width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Sixteen basic blocks."""
    return ResNet(BasicBlock, (3, 4, 6, 3), width, seed, **shape)


def resnet50(width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Sixteen bottleneck blocks; the network of Chiu 2022 at width 64."""
    return ResNet(Bottleneck, (3, 4, 6, 3), width, seed, **shape)


def resnet101(width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Thirty-three bottleneck blocks."""
    return ResNet(Bottleneck, (3, 4, 23, 3), width, seed, **shape)


def _to_channels_last(features: Tensor) -> Tensor:
    """(n, channels, steps) as (n, channels, 1, steps), channels last.

    A view if the map came from `_from_channels_last`, else a copy.
    """
    return features.transpose(1, 2).contiguous()[:, None].permute(0, 3, 1, 2)


def _from_channels_last(features: Tensor) -> Tensor:
    """(n, channels, 1, steps) as (n, channels, steps): a view."""
    return features.squeeze(2)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
