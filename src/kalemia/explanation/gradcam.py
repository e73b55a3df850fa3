"""Grad-CAM of single beats, at any stage of a network (Selvaraju et al. 2017)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kalemia.core.schemas import BEAT_SAMPLES
from kalemia.network.losses import label_column
from kalemia.network.predictions import beat_tensor
from kalemia.network.resnet import N_STAGES, STRIDE, ResNet


def gradcam_maps(
    model: ResNet, inputs: np.ndarray, labels: np.ndarray, stages: Sequence[int] = (N_STAGES,)
) -> dict[int, np.ndarray]:
    """Return by stage the Grad-CAM maps (n, 120) of n beats, each for its own label, scaled to a maximum of 1.

    inputs: network inputs (n, ...). labels: (n,) 0 or 1. stages: 0 (the stem) to 4.

    Grad-CAM sums the channels of a stage's feature map (the last stage's after norm and ReLU), each weighted by the
    mean over time of the score's gradient, and sets negative sums to 0. The score is the logit for label 1, and its
    negative for label 0. The map is zero if no channel supports the label. Values are interpolated linearly between
    the steps of the feature map (`samples_per_step`). Sets the network to evaluation mode.
    """
    maps = {}
    for stage, (features, gradient) in _maps_and_gradients(model.eval(), inputs, labels, stages).items():
        at_steps = np.maximum((gradient.mean(axis=-1, keepdims=True) * features).sum(axis=1), 0)
        step_positions = samples_per_step(stage) * np.arange(at_steps.shape[1])
        at_samples = np.stack([np.interp(np.arange(BEAT_SAMPLES), step_positions, map_) for map_ in at_steps])
        highest = at_samples.max(axis=1, keepdims=True)
        maps[stage] = np.divide(at_samples, highest, out=np.zeros_like(at_samples), where=highest > 0)
    return maps


def samples_per_step(stage: int) -> int:
    """Return the samples of a beat between two steps of a stage's feature map; step 0 is at sample 0."""
    return STRIDE >> (N_STAGES - max(stage, 1))


def _maps_and_gradients(
    model: ResNet, inputs: np.ndarray, labels: np.ndarray, stages: Sequence[int]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """By stage the feature map and the gradient of the scores with respect to it, float64 (n, channels, steps)."""
    feature_maps: dict[int, Tensor] = {}
    modules = [*model.stages[:N_STAGES], model.norm]
    handles = [
        modules[stage].register_forward_hook(
            lambda _module, _inputs, output, stage=stage: feature_maps.update({stage: output})
        )
        for stage in stages
    ]
    device = model.head.weight.device
    try:  # the inputs require a gradient, so that maps below frozen stages have one
        logits = label_column(model(beat_tensor(inputs, device).requires_grad_()))
    finally:
        for handle in handles:
            handle.remove()
    signs = torch.from_numpy(np.where(labels == 1, 1.0, -1.0)).to(logits)
    gradients = torch.autograd.grad((signs * logits).sum(), list(feature_maps.values()))
    return {
        stage: (_to_array(map_), _to_array(gradient))
        for (stage, map_), gradient in zip(feature_maps.items(), gradients, strict=True)
    }


def _to_array(features: Tensor) -> np.ndarray:
    """(n, channels, 1, steps) as float64 (n, channels, steps)."""
    return features.detach().squeeze(2).double().cpu().numpy()
