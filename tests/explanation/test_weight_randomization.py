import numpy as np
import pytest
import torch

from kalemia.explanation.gradcam import gradcam_maps
from kalemia.explanation.map_similarity import spearman
from kalemia.explanation.weight_randomization import CASCADE_LEVELS, randomize_cascade
from kalemia.network.resnet import resnet
from wave_reader import beats_with_t_wave, wave_reader

LEVELS = list(CASCADE_LEVELS)


def differing(one, other) -> set[str]:
    """The parts of two networks that are not the same."""
    other = other.state_dict()
    return {name.split(".")[0] for name, tensor in one.state_dict().items() if not torch.equal(tensor, other[name])}


def test_levels_randomize_from_the_head_down_and_keep_the_original():
    model, fresh = resnet(18, 2, seed=1), resnet(18, 2, seed=2)
    torch.nn.init.normal_(model.norm.weight)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    seen = {level: differing(model, changed) for level, changed in randomize_cascade(model, fresh)}
    assert seen["head"] == {"head"}
    assert seen["stage4"] == {"head", "norm", "stage4"}
    assert seen["stem"] == {"head", "norm", *(f"stage{k}" for k in range(1, 5)), "stem"}
    assert list(seen) == LEVELS
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_last_level_randomizes_everything():
    fresh = resnet(18, 2, seed=2)
    *_, (level, changed) = randomize_cascade(resnet(18, 2, seed=1), fresh)
    assert level == LEVELS[-1]
    assert not differing(fresh, changed)


@pytest.mark.slow
def test_the_map_of_a_t_wave_reader_is_lost_with_its_weights():
    beats_mv, label, model = beats_with_t_wave(np.array([0.5])), np.array([1]), wave_reader()
    (true,) = gradcam_maps(model, beats_mv, label, (2,))[2]
    alike = []
    for seed in range(20):
        *_, (_, random) = randomize_cascade(model, resnet(18, 2, seed=seed))
        alike.append(spearman(true, gradcam_maps(random, beats_mv, label, (2,))[2][0]))
    assert np.mean(alike) < 0.5
