import numpy as np
import pytest
import torch

from beat_shards import simulated_beats
from kalemia.core.schemas import RATE_HZ
from kalemia.explanation.gradcam import gradcam_maps, samples_per_step
from kalemia.explanation.wave_windows import wave_fractions, wave_windows
from kalemia.network.resnet import N_STAGES, resnet
from kalemia.report.explanation_findings import step_ms
from wave_reader import T_PEAK, beats_with_t_wave, wave_reader

BEATS_MV = np.concatenate([simulated_beats(label, 1, np.random.default_rng(1)) for label in (1, 0)])
LABELS = np.array([1, 0])
EVERY_STAGE = tuple(range(N_STAGES + 1))


def grad_cam_by_definition(network, beat_mv: np.ndarray, label: int, stage: int) -> np.ndarray:
    """At the steps of a stage's map: channels weighted by their mean gradient, added up, then rectified."""
    features = network.features(torch.from_numpy(beat_mv)[None], stage).detach()
    if stage == N_STAGES:
        features = network.activation(features).detach().requires_grad_()
        logit = network.head(features.mean(dim=-1)).squeeze(-1)
    else:
        features.requires_grad_()
        logit = network.forward_from(features, stage)
    (gradient,) = torch.autograd.grad(logit if label == 1 else -logit, features)
    return (gradient.mean(dim=-1, keepdim=True) * features).sum(dim=1).relu()[0].detach().numpy()


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("stage", EVERY_STAGE)
def test_maps_equal_grad_cam_by_definition(depth, stage):
    network = resnet(depth, 2, seed=3).eval()
    maps = gradcam_maps(network, BEATS_MV, LABELS, EVERY_STAGE)[stage]
    for map_, beat_mv, label in zip(maps, BEATS_MV, LABELS, strict=True):
        expected = grad_cam_by_definition(network, beat_mv, label, stage)
        at_steps = map_[:: samples_per_step(stage)]
        assert len(at_steps) == len(expected)
        np.testing.assert_allclose(at_steps * expected.max(), expected, rtol=1e-4, atol=1e-6)


def test_maps_range_from_0_to_1_and_are_linear_between_steps():
    (map_,) = gradcam_maps(resnet(18, 2, seed=3), BEATS_MV[:1], LABELS[:1])[N_STAGES]
    assert (map_.min() >= 0, map_.max(), map_.shape) == (True, 1, (120,))
    step = samples_per_step(N_STAGES)
    assert map_[step // 2] == pytest.approx((map_[0] + map_[step]) / 2)
    assert np.all(map_[3 * step :] == map_[-1])


def test_evidence_for_one_class_is_evidence_against_the_other():
    network = resnet(18, 2, seed=3)
    torch.nn.init.ones_(network.head.weight)
    for_positive, for_negative = gradcam_maps(network, BEATS_MV[[0, 0]], LABELS)[N_STAGES]
    assert for_positive.max() == 1
    assert not for_negative.any()


def test_the_map_of_a_beat_does_not_depend_on_the_others():
    network = resnet(18, 2, seed=3)
    together, alone = (gradcam_maps(network, BEATS_MV[:n], LABELS[:n], EVERY_STAGE) for n in (2, 1))
    for stage in EVERY_STAGE:
        np.testing.assert_allclose(together[stage][0], alone[stage][0], atol=1e-5)


def test_frozen_stages_have_a_map_too():
    network = resnet(18, 2, seed=3)
    before = gradcam_maps(network, BEATS_MV, LABELS, EVERY_STAGE)
    network.freeze_through(N_STAGES)
    for stage, maps in gradcam_maps(network, BEATS_MV, LABELS, EVERY_STAGE).items():
        assert np.array_equal(maps, before[stage])


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_network_that_reads_only_the_t_wave_has_its_map_there(stage):
    (map_,) = gradcam_maps(wave_reader(), beats_with_t_wave(np.array([0.5])), LABELS[:1], (stage,))[stage]
    assert wave_fractions(map_, wave_windows(800.0))["T"] > 0.95
    assert abs(int(np.argmax(map_)) - T_PEAK) <= samples_per_step(stage)


@pytest.mark.parametrize("stage", EVERY_STAGE)
def test_step_width_on_the_page_is_that_of_the_map(stage):
    assert step_ms(stage) == samples_per_step(stage) * 1000 / RATE_HZ


def test_steps_of_the_last_stage_are_too_wide_to_separate_waves():
    (map_,) = gradcam_maps(wave_reader(), beats_with_t_wave(np.array([0.5])), LABELS[:1])[N_STAGES]
    assert wave_fractions(map_, wave_windows(800.0))["T"] < 0.75
