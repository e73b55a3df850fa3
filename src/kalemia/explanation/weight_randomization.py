"""Networks that forget step by step what they have learned, to hold their maps against (Adebayo et al. 2018)."""

import copy
from collections.abc import Iterator

from kalemia.network.resnet import ResNet

# Weights are made random from the output down, each level with those before it.
CASCADE_LEVELS = {
    "head": ("head",),
    "stage4": ("norm", "stage4"),
    "stage3": ("stage3",),
    "stage2": ("stage2",),
    "stage1": ("stage1",),
    "stem": ("stem",),
}


def randomize_cascade(model: ResNet, fresh: ResNet) -> Iterator[tuple[str, ResNet]]:
    """By level of `CASCADE` the network with the fresh network's weights and statistics from the head to there.

    It is one copy of `model` that changes from level to level.
    """
    changed = copy.deepcopy(model)
    for level, names in CASCADE_LEVELS.items():
        for name in names:
            getattr(changed, name).load_state_dict(getattr(fresh, name).state_dict())
        yield level, changed
