"""Frozen stages of the generic network: compute their outputs once, so that an arm trains only the rest."""

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

NOTHING_FROZEN = -1  # as the last frozen stage, where 0 is the stem


class TrainableHead(nn.Module):
    """The part of a network after its last frozen stage, which an arm trains.

    Its inputs are those of the network if nothing is frozen, the pooled features (n, channels) if all stages are, and
    the feature map of the last frozen stage (n, channels, steps) otherwise.
    """

    def __init__(self, network: ResNet, last_frozen: int):
        super().__init__()
        self.network, self.last_frozen = network, last_frozen

    def forward(self, inputs: Tensor) -> Tensor:
        if self.last_frozen == NOTHING_FROZEN:
            return self.network(inputs)
        if self.last_frozen == N_STAGES:
            return self.network.head(inputs).squeeze(-1)
        return self.network.forward_from(inputs, self.last_frozen)


def last_frozen_stage(arm: config.Arm, n_trained_stages: int) -> int:
    """The last stage of the generic network that the arm does not train, or `NOTHING_FROZEN`."""
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
    """Write the features file of a patient: the generic network's outputs after the frozen stages, and after the last.

    The frozen stages are those of arms that train the last stages; they are computed in float32 whatever the arms'
    precision. Raises `UserError` if the generic network was
    trained on one of the patient's draws.
    """
    device = set_up_torch(threads)
    model, lineage = load_generic(generic_path, network)
    last_frozen, beats = N_STAGES - n_trained_stages, read_beats(shard_path, network)
    shared = sorted(set(lineage.draws) & set(beats.draw_ids.tolist()))
    if shared:
        raise UserError(
            f"{shard_path}: the generic network was trained on draw {shared[0]}, so its subject cannot be personalized"
        )
    model, inputs = model.to(device), beat_tensor(beats.inputs, device)
    stage, pooled, outputs = stage_features(model, inputs, last_frozen)
    arrays = {f"stage-{last_frozen}": stage, "pooled": pooled, "outputs": outputs}
    save_features(
        path,
        {name: array.cpu().contiguous().numpy() for name, array in arrays.items()},
        Origin.of(generic_path, shard_path),
    )


def stage_features(model: ResNet, inputs: Tensor, stage: int) -> tuple[Tensor, Tensor, Tensor]:
    """The feature map of a stage, the pooled features and the outputs for inputs (n, ...), in evaluation mode."""
    model.eval()
    parts = []
    with torch.inference_mode():
        for batch, n in evaluation_batches(inputs):
            feature_map = model.features(batch, stage)
            pooled = model.pooled(model.forward_stages(feature_map, stage))
            parts.append((feature_map[:n], pooled[:n], model.head(pooled)[:n].squeeze(-1)))
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def read_inputs(
    features_path: str | Path, shard_path: str | Path, generic_path: str | Path, inputs: np.ndarray, last_frozen: int
) -> Tensor:
    """Read the inputs of a `TrainableHead` (n, ...) onto the CPU, one row per beat in the order of the shard.

    They come from the features file, unless nothing is frozen: then they are `inputs`, as the whole network takes them.
    """
    if last_frozen == NOTHING_FROZEN:
        return beat_tensor(inputs, torch.device("cpu"))
    name = "pooled" if last_frozen == N_STAGES else f"stage-{last_frozen}"
    return beat_tensor(*load_features(features_path, (name,), Origin.of(generic_path, shard_path)), torch.device("cpu"))
