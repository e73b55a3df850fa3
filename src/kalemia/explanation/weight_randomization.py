"""Networks whose weights are randomized layer by layer, as a sanity check of saliency maps (Adebayo et al. 2018)."""

import copy
from collections.abc import Iterator

from kalemia.network.resnet import ResNet

# Modules that each level randomizes, from the output down. A level includes the levels before it.
CASCADE_LEVELS = {
    "head": ("head",),
    "stage4": ("norm", "stage4"),
    "stage3": ("stage3",),
    "stage2": ("stage2",),
    "stage1": ("stage1",),
    "stem": ("stem",),
}


def randomize_cascade(model: ResNet, fresh: ResNet) -> Iterator[tuple[str, ResNet]]:
    """Yield each level of `CASCADE_LEVELS` with a network that is randomized from the head down to that level.

    Random weights and batch norm statistics come from `fresh`, a network of the same architecture with initial
    weights. Every level yields the same copy of `model`, changed further; `model` itself does not change.
    """
    randomized = copy.deepcopy(model)
    for level, modules in CASCADE_LEVELS.items():
        for module in modules:
            getattr(randomized, module).load_state_dict(getattr(fresh, module).state_dict())
        yield level, randomized
