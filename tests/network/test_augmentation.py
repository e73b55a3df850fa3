import pytest
import torch

from kalemia.core.config import Augmentation
from kalemia.network.augmentation import augment

BEATS = torch.randn(400, 122, generator=torch.Generator().manual_seed(1))


def changed(**settings) -> torch.Tensor:
    return augment(BEATS, Augmentation(**settings), torch.Generator().manual_seed(2))


def test_default_settings_change_nothing():
    assert torch.equal(changed(), BEATS)


def test_columns_after_the_samples_and_the_input_stay_unchanged():
    before = BEATS.clone()
    after = changed(amplitude=0.2, baseline=0.1, shift=2, noise=0.1)
    assert torch.equal(after[:, 120:], BEATS[:, 120:])
    assert torch.equal(BEATS, before)
    assert not torch.equal(after, BEATS)


def test_amplitude_is_one_factor_per_beat():
    factor = (changed(amplitude=0.2) / BEATS)[:, :120]
    assert factor.std(dim=1).max() < 1e-4
    assert factor[:, 0].log().std().item() == pytest.approx(0.2, rel=0.1)
    assert factor[:, 0].log().mean().item() == pytest.approx(0, abs=0.03)


def test_baseline_is_a_straight_line():
    line = (changed(baseline=0.1) - BEATS)[:, :120]
    assert line.diff(n=2, dim=1).abs().max() < 1e-5
    assert line.mean(dim=1).std().item() == pytest.approx(0.1, rel=0.1)
    assert (line[:, -1] - line[:, 0]).std().item() == pytest.approx(0.1, rel=0.1)


def test_shift_is_by_whole_samples_within_the_bound_and_repeats_the_edge():
    shifted = changed(shift=2)
    found = set()
    for before, after in zip(BEATS[:, :120], shifted[:, :120], strict=True):
        held = torch.cat([before[:1].expand(2), before, before[-1:].expand(2)])
        matches = [by for by in range(-2, 3) if torch.equal(after, held[2 + by : 122 + by])]
        assert len(matches) == 1
        found.update(matches)
    assert found == {-2, -1, 0, 1, 2}


def test_noise_has_its_sd_and_is_white():
    noise = (changed(noise=0.05) - BEATS)[:, :120]
    assert noise.std().item() == pytest.approx(0.05, rel=0.03)
    assert abs((noise[:, 1:] * noise[:, :-1]).mean().item()) < 1e-4


def test_each_call_differs_and_derives_from_the_generator():
    generator = torch.Generator().manual_seed(2)
    first, second = (augment(BEATS, Augmentation(noise=0.1), generator) for _ in range(2))
    assert torch.equal(first, changed(noise=0.1))
    assert not torch.equal(first, second)
