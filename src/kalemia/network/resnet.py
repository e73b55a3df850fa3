"""The network: a pre-activation ResNet in one dimension, from beats of 120 samples to one logit each.

The architecture is that of "Identity mappings in deep residual networks" (He et al. 2016) with every two-dimensional
convolution replaced by a one-dimensional one (Chiu 2022). `resnet18` to `resnet101` are named as in torchvision. The
names of modules are the keys of checkpoints, and follow the paper:

    here                        torchvision
    stem                        conv1, bn1, relu, maxpool
    stage1 to stage4            layer1 to layer4
    Block.preactivation         bn1, relu (before the convolutions here, after them there)
    Block.residual              conv1, bn2, relu, conv2; in a bottleneck also bn3, relu, conv3
    Block.projection            downsample
    norm                        none
    head                        fc

Public functions take and return one-dimensional feature maps (n, channels, steps), and weights have the shape
(outputs, inputs, size). Between modules a feature map is (n, channels, 1, steps) with the channels last in memory,
for which torch's libraries have much faster kernels (docs/performance.md). `_to_channels_last` and
`_from_channels_last` convert between the two without a copy.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kalemia.core import config

N_STAGES = 4  # without the stem, which counts as stage 0
STRIDE = 32  # samples between two steps of the last feature map; step 0 is at sample 0


class Conv(nn.Module):
    """A convolution of odd `size` without bias, padded so that output step i is centered at input step i * stride.

    Takes and returns feature maps (n, channels, 1, steps). The weight is (outputs, inputs, size), with the inputs
    adjacent in memory, so that its four-dimensional view is channels-last without a copy.
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1):
        super().__init__()
        self.stride, self.size = stride, size
        self.weight = nn.Parameter(torch.zeros(outputs, size, inputs).transpose(1, 2))

    def forward(self, features: Tensor) -> Tensor:
        if self._is_faster_as_product(features):
            return self.multiply(features)
        return self.convolve(features)

    def convolve(self, features: Tensor) -> Tensor:
        """Compute the convolution with torch's convolution."""
        return functional.conv2d(
            features, self.weight.unsqueeze(2), stride=(1, self.stride), padding=(0, self.size // 2)
        )

    def multiply(self, features: Tensor) -> Tensor:
        """Compute the convolution as a matrix product of the weights and the window of each output step."""
        steps, pad = features.permute(0, 2, 3, 1), self.size // 2
        span = (features.shape[3] - 1) // self.stride * self.stride + 1  # from the first window's center to the last's
        if pad:
            steps = functional.pad(steps, (0, 0, pad, pad))
        shifted = [steps[:, :, i : i + span : self.stride] for i in range(self.size)]
        windows = torch.cat(shifted, dim=3) if pad else shifted[0]
        # With a matrix as input: given more dimensions, torch may multiply map by map.
        outputs = functional.linear(windows.flatten(0, 2), self.weight.transpose(1, 2).flatten(1))
        return outputs.unflatten(0, windows.shape[:3]).permute(0, 3, 1, 2)

    def _is_faster_as_product(self, features: Tensor) -> bool:
        """Whether `multiply` is faster than `convolve`, as measured (docs/performance.md).

        It does not depend on the number of maps, so that a beat's logit does not depend on the batch that it is in.
        """
        if self.size == 1:
            return self.stride == 1 or not features.is_cuda
        if self.size > 3 or features.is_cuda:
            return False
        outputs, steps = len(self.weight), (features.shape[3] - 1) // self.stride + 1
        return outputs >= 64 if torch.is_autocast_enabled("cpu") else outputs >= 256 and steps <= 4


class BatchNormRelu(nn.BatchNorm2d):
    """Batch normalization and ReLU, the activation before a convolution."""

    def forward(self, features: Tensor) -> Tensor:
        return self.activate_with_input(features)[0]

    def activate_with_input(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the activation, and the features from which the shortcut continues."""
        no_gradient = not (self.training or torch.is_grad_enabled())
        if features.is_cuda and not torch.compiler.is_compiling() and (self.training or no_gradient):
            from kalemia.network.gpu import batch_norm_relu as kernels  # Triton comes only with GPU builds of torch

            norm = (self.weight, self.bias, (self.running_mean, self.running_var, self.num_batches_tracked))
            if no_gradient:
                return kernels.batch_norm_relu_eval(features, *norm, self.eps), features
            return kernels.BatchNormReluTrain.apply(features, *norm, self.momentum, self.eps)
        return functional.relu(super().forward(features), inplace=True), features


class Block(nn.Module):
    """A residual block: the convolutions of the activated input, added to a shortcut.

    If the shortcut is a projection, it starts from the activated input; if it is the identity, from the input itself.
    The network's first block has no activation of its own, because the stem ends with one (He et al. 2016, appendix).
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
    """Two convolutions of size 3; the first has the stride."""

    expansion = 1

    def convolutions(self, inputs: int, width: int, stride: int) -> nn.Sequential:
        return nn.Sequential(Conv(inputs, width, 3, stride), BatchNormRelu(width), Conv(width, width, 3))


class Bottleneck(Block):
    """Convolutions of sizes 1, 3 and 1; the middle one has fewer channels, and the stride."""

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
    """A ResNet from beats (n, 120), float32 mV, to logits (n,), positive for the positive class.

    Stage 0 is the stem; stage i from 1 to 4 has `blocks[i - 1]` blocks; the norm after stage 4 belongs to stage 4.

    block: `BasicBlock` or `Bottleneck`. width: channels of the stem. seed: determines the initial weights. contexts:
    how many numbers follow the samples of each beat; the stem sees each of them as one more, constant channel.
    outputs: columns of the result, (n, outputs) with the label's logit first if there is more than one.
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
            stage_blocks = []
            for i in range(n_blocks):
                first = stage == 1 and i == 0
                stage_blocks.append(block(inputs, width << (stage - 1), stride if i == 0 else 1, first))
                inputs = (width << (stage - 1)) * block.expansion
            self.add_module(f"stage{stage}", nn.Sequential(*stage_blocks))
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
        """Return the feature map (n, channels, steps) after stage `upto`; 0 is the stem.

        beats_mv: float32 (n, 120 + contexts).
        """
        samples = beats_mv[:, None, : beats_mv.shape[1] - self.contexts]
        if self.contexts:
            context = beats_mv[:, -self.contexts :, None].expand(-1, -1, samples.shape[-1])
            samples = torch.cat([samples, context], dim=1)
        features = _to_channels_last(samples)
        for stage in self.stages[: upto + 1]:
            features = stage(features)
        return _from_channels_last(features)

    def activation(self, features: Tensor) -> Tensor:
        """Return norm and ReLU of the feature map after stage 4, (n, channels, steps); does not change `features`."""
        return _from_channels_last(self.norm(_to_channels_last(features)))

    def pooled(self, features: Tensor) -> Tensor:
        """Return the head's input (n, channels): the activation of the map after stage 4, averaged over time."""
        return self.activation(features).mean(dim=-1)

    def forward_stages(self, features: Tensor, after: int) -> Tensor:
        """Return the feature map after stage 4, computed from the one after stage `after`, (n, channels, steps)."""
        features = _to_channels_last(features)
        for stage in self.stages[after + 1 :]:
            features = stage(features)
        return _from_channels_last(features)

    def forward_from(self, features: Tensor, after: int) -> Tensor:
        """Return the outputs (n,) or (n, outputs), computed from the feature map after stage `after`."""
        return self.head(self.pooled(self.forward_stages(features, after))).squeeze(-1)

    def forward(self, beats_mv: Tensor) -> Tensor:
        return self.forward_from(self.features(beats_mv), after=N_STAGES)

    def freeze_through(self, stage: int) -> None:
        """Freeze the weights and statistics of all stages up to `stage`; 0 is the stem, -1 freezes nothing.

        With stage 4 only the head remains trainable.
        """
        self.frozen_through = stage
        for parameter in self.parameters():
            parameter.requires_grad_(True)
        for module in self._frozen():
            module.requires_grad_(False)
        self.train(self.training)

    def freeze_batch_norm(self) -> None:
        """Freeze the running mean and variance of every batch norm, and use them in training too."""
        self.batch_norm_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> "ResNet":
        """Set training or evaluation mode; frozen modules stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        for module in self.modules():
            if self.batch_norm_frozen and isinstance(module, BatchNormRelu):
                module.eval()
        return self

    def reset_head(self, seed: int) -> None:
        """Initialize the head: weights uniform between -1 / sqrt(inputs) and 1 / sqrt(inputs), bias 0."""
        bound = self.head.in_features**-0.5
        weight = torch.empty(self.head.weight.shape).uniform_(-bound, bound, generator=_generator(seed))
        with torch.no_grad():  # sampled on the CPU, so that every device gets the same weights
            self.head.weight.copy_(weight)
            self.head.bias.zero_()

    def trainable_tensor_names(self) -> list[str]:
        """Return the names of tensors that training changes: weights and batch norm statistics that are not frozen."""
        frozen = {f"{name}." for name, module in self.named_children() if module in self._frozen()}
        statistics = [] if self.batch_norm_frozen else [name for name, _ in self.named_buffers()]
        names = [name for name, _ in self.named_parameters()] + statistics
        return [name for name in names if not name.startswith(tuple(frozen))]

    def _frozen(self) -> list[nn.Module]:
        return [*self.stages[: self.frozen_through + 1], *([self.norm] if self.frozen_through >= N_STAGES else [])]

    def _initialize(self, seed: int) -> None:
        """Initialize convolutions as normal with variance 2 / (outputs x size) (He et al. 2015), then the head."""
        generator = _generator(seed)
        for module in self.modules():
            if isinstance(module, Conv):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        self.reset_head(int(torch.randint(2**62, (), generator=generator)))


def build_resnet(architecture: config.Network, seed: int = 0) -> ResNet:
    """Return the configured network with initial weights that derive from `seed`."""
    return resnet(
        architecture.depth,
        architecture.width,
        seed,
        contexts=2 if architecture.rr_intervals else 0,
        outputs=1
        + {"none": 0, "regression": 1, "ordinal": len(architecture.ordinal_thresholds)}[architecture.auxiliary_head],
    )


def resnet(depth: int, width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Return a network of depth 18, 34, 50 or 101; width, seed, contexts and outputs as for `ResNet`."""
    return {18: resnet18, 34: resnet34, 50: resnet50, 101: resnet101}[depth](width, seed, **shape)


def resnet18(width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Return a network with two basic blocks per stage."""
    return ResNet(BasicBlock, (2, 2, 2, 2), width, seed, **shape)


def resnet34(width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Return a network with 3, 4, 6 and 3 basic blocks."""
    return ResNet(BasicBlock, (3, 4, 6, 3), width, seed, **shape)


def resnet50(width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Return a network with 3, 4, 6 and 3 bottleneck blocks; with width 64 that of Chiu 2022."""
    return ResNet(Bottleneck, (3, 4, 6, 3), width, seed, **shape)


def resnet101(width: int = 64, seed: int = 0, **shape: int) -> ResNet:
    """Return a network with 3, 4, 23 and 3 bottleneck blocks."""
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
