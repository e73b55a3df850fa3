"""Grad-CAM of any stage of a network over single beats (Selvaraju et al. 2017)."""

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
    """By stage the Grad-CAM maps (n, 120), from 0 to 1, over what the network takes of n beats, each for its label.

    The map of a stage is what comes out of it, of the last stage after its norm and rectifier. Channels are weighted
    by the mean over time of the score's gradient, added up and rectified; the score is the logit for label 1 and its
    negative for label 0. Where nothing speaks for the label all is 0. Between the map's steps, each at the sample in
    the middle of what it sees (`samples_per_step`), values are interpolated. The network is set to evaluation.
    """
    found = {}
    for stage, (features, gradient) in _maps_and_gradients(model.eval(), inputs, labels, stages).items():
        at_steps = np.maximum((gradient.mean(axis=-1, keepdims=True) * features).sum(axis=1), 0)
        places = samples_per_step(stage) * np.arange(at_steps.shape[1])
        at_samples = np.stack([np.interp(np.arange(BEAT_SAMPLES), places, map_) for map_ in at_steps])
        highest = at_samples.max(axis=1, keepdims=True)
        found[stage] = np.divide(at_samples, highest, out=np.zeros_like(at_samples), where=highest > 0)
    return found


def samples_per_step(stage: int) -> int:
    """Samples of a beat from one step of a stage's map to the next; step 0 lies at sample 0."""
    return STRIDE >> (N_STAGES - max(stage, 1))


def _maps_and_gradients(
    model: ResNet, inputs: np.ndarray, labels: np.ndarray, stages: Sequence[int]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """By stage the map and the gradient of the labels' scores with respect to it, float64 (n, channels, steps)."""
    kept: dict[int, Tensor] = {}
    modules = [*model.stages[:N_STAGES], model.norm]
    handles = [
        modules[stage].register_forward_hook(lambda _module, _given, output, stage=stage: kept.update({stage: output}))
        for stage in stages
    ]
    device = model.head.weight.device
    try:  # a gradient for the beats too, so that maps below frozen stages have one
        logits = label_column(model(beat_tensor(inputs, device).requires_grad_()))
    finally:
        for handle in handles:
            handle.remove()
    signs = torch.from_numpy(np.where(labels == 1, 1.0, -1.0)).to(logits)
    gradients = torch.autograd.grad((signs * logits).sum(), list(kept.values()))
    return {
        stage: (_array(map_), _array(gradient)) for (stage, map_), gradient in zip(kept.items(), gradients, strict=True)
    }


def _array(inside: Tensor) -> np.ndarray:
    """(n, channels, 1, steps) as float64 (n, channels, steps)."""
    return inside.detach().squeeze(2).double().cpu().numpy()
