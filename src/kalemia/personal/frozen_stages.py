"""The seam of a network: below it everything is frozen and computed once, above it an arm trains."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kalemia.beats.dataset import read_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.network.checkpoints import load_generic
from kalemia.network.inference import evaluation_batches
from kalemia.network.predictions import beat_tensor
from kalemia.network.resnet import N_STAGES, ResNet
from kalemia.network.training import set_up_torch
from kalemia.personal.cached_features import Origin, load_features, save_features

NOTHING_FROZEN = -1  # the seam below the stem: nothing is frozen


class TrainableHead(nn.Module):
    """What an arm trains of a network, as a network of its own: from what comes out of stage `after` on.

    After `NOTHING_FROZEN` it takes what the network takes, after stage 4 the pooled features (n, channels), with only
    the head above, otherwise the feature map (n, channels, steps).
    """

    def __init__(self, network: ResNet, after: int):
        super().__init__()
        self.network, self.after = network, after

    def forward(self, inputs: Tensor) -> Tensor:
        if self.after == NOTHING_FROZEN:
            return self.network(inputs)
        if self.after == N_STAGES:
            return self.network.head(inputs).squeeze(-1)
        return self.network.forward_from(inputs, self.after)


def last_frozen_stage(arm: config.Arm, n_trained_stages: int) -> int:
    """The last stage that the arm leaves as it is in the generic network; `NOTHING_FROZEN` if there is none."""
    return {
        "last_stages": N_STAGES - n_trained_stages,
        "head": N_STAGES,
        "all": NOTHING_FROZEN,
        "from_scratch": NOTHING_FROZEN,
    }[arm.train]


def write_features(
    shard_path: str | Path,
    generic_path: str | Path,
    network: config.Network,
    n_trained_stages: int,
    threads: int,
    path: str | Path,
) -> None:
    """Write what the generic network makes of a patient's beats at the seam of arms that train blocks, and above it.

    Raises `UserError` where it has learned from one of the patient's draws.
    """
    device = set_up_torch(threads)
    model, lineage = load_generic(generic_path, network)
    after, beats = N_STAGES - n_trained_stages, read_beats(shard_path, network)
    known = sorted(set(lineage.draws) & set(beats.draw_ids.tolist()))
    if known:
        raise UserError(
            f"{shard_path}: the generic network has learned from draw {known[0]}; its subject is no personal patient"
        )
    model, inputs = model.to(device), beat_tensor(beats.inputs, device)
    stage, pooled, outputs = stage_features(model, inputs, after)
    arrays = {f"stage-{after}": stage, "pooled": pooled, "outputs": outputs}
    save_features(
        path,
        {name: array.cpu().contiguous().numpy() for name, array in arrays.items()},
        Origin.of(generic_path, shard_path),
    )


def stage_features(model: ResNet, inputs: Tensor, after: int) -> tuple[Tensor, Tensor, Tensor]:
    """The feature map out of stage `after`, the pooled features and the outputs of inputs (n, ...); nothing adapts."""
    model.eval()
    parts = []
    with torch.inference_mode():
        for batch in evaluation_batches(inputs):
            stage = model.features(batch, after)
            pooled = model.pooled(model.forward_stages(stage, after))
            parts.append((stage, pooled, model.head(pooled).squeeze(-1)))
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def read_inputs(
    features_path: str | Path, shard_path: str | Path, generic_path: str | Path, inputs: np.ndarray, after: int
) -> Tensor:
    """Read the inputs of a `TrainableHead` (n, ...) onto the CPU, one row per beat in the order of the shard.

    They come from the features file, unless nothing is frozen: then they are `inputs`, as the whole network takes them.
    """
    if after == NOTHING_FROZEN:
        return beat_tensor(inputs, torch.device("cpu"))
    name = "pooled" if after == N_STAGES else f"stage-{after}"
    return beat_tensor(*load_features(features_path, (name,), Origin.of(generic_path, shard_path)), torch.device("cpu"))
