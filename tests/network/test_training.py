import logging
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from beat_shards import simulated_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.network.inference import loss_and_accuracy, predict, uses_bfloat16
from kalemia.network.losses import Objective
from kalemia.network.optimizers import FusedAdam, PlateauScheduler
from kalemia.network.resnet import resnet
from kalemia.network.training import TrainOptions, epoch_order, set_up_torch, train

GENERIC = config.Generic(epochs=3, batch_size=16, learning_rate=1e-2, lr_patience=3, lr_decay_factor=0.5, threads=1)
ARM = config.Arm("paper", 0.2, "last_stages", "frozen", replay=False, epochs=3, batch_size=16, learning_rate=1e-2)


@pytest.fixture(autouse=True)
def _one_thread():
    set_up_torch(threads=1)


def training_beats(n_beats: int = 40, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    beats_mv = np.concatenate([simulated_beats(label, n_beats // 2, random) for label in (0, 1)])
    return torch.from_numpy(beats_mv), torch.arange(n_beats).ge(n_beats // 2).float()


def state_after(network: nn.Module, *arguments, **named) -> dict[str, torch.Tensor]:
    train(network, *arguments, **named)
    return network.state_dict()


def evaluate(network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[float, float]:
    return loss_and_accuracy(predict(network, inputs), targets)


def same(first: dict, second: dict) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


class Recorder(nn.Module):
    """A network that writes down which beats it saw together; a beat is its own number."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.batches = []

    def forward(self, beats):
        self.batches.append(beats[:, 0].int().tolist())
        return self.weight * beats[:, 0]


def seen(n_beats: int, batch_size: int, epochs: int, seed: int = 1) -> list[list[int]]:
    recorder = Recorder()
    arm = config.Arm("paper", 0.2, "last_stages", "frozen", False, epochs, batch_size, 1e-3)
    train(recorder, torch.arange(n_beats).float()[:, None], torch.zeros(n_beats), arm, seed)
    return recorder.batches


def test_adam_equals_torchs():
    weights = [torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(5)]
    ours = [weight.clone().requires_grad_() for weight in weights]
    theirs = [weight.clone().requires_grad_() for weight in weights]
    adam, reference = FusedAdam(ours, 1e-2), torch.optim.Adam(theirs, 1e-2, foreach=False)
    for step in range(20):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.sin(mine.detach() * 3 + step)
            other.grad = torch.sin(other.detach() * 3 + step)
        adam.step()
        reference.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)


def test_learning_rate_halves_after_three_epochs_without_a_lower_loss():
    adam = FusedAdam([torch.zeros(1)], 1.0)
    plateau = PlateauScheduler(adam, patience=3, factor=0.5)
    rates = []
    for loss in (5, 4, 4, 4.5, 3, 3, 3, 3, 3, 3, 3):
        plateau.step(loss)
        rates.append(adam.learning_rate)
    assert rates == [1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]


@given(n_beats=st.integers(1, 40), batch_size=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_every_beat_is_used_once_per_epoch(n_beats, batch_size):
    batches = seen(n_beats, batch_size, epochs=1)
    assert sorted(beat for batch in batches for beat in batch) == list(range(n_beats))
    assert all(len(batch) == batch_size for batch in batches[:-2])
    if batch_size > 1 and n_beats > 1:
        assert all(1 < len(batch) <= batch_size + 1 for batch in batches)


def test_order_derives_from_seed_and_epoch():
    first = seen(40, 8, epochs=2)
    assert seen(40, 8, epochs=2) == first
    assert first[:5] != first[5:]
    assert seen(40, 8, epochs=2, seed=2) != first


def test_same_seed_gives_the_same_weights():
    first = state_after(resnet(18, 2), *training_beats(), ARM, 1)
    assert same(first, state_after(resnet(18, 2), *training_beats(), ARM, 1))
    assert not same(first, state_after(resnet(18, 2), *training_beats(), ARM, 2))


def test_training_learns_the_planted_sign():
    network = resnet(18, 4)
    history = train(network, *training_beats(800), GENERIC, 1, validation=training_beats(100, seed=2))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert evaluate(network, *training_beats(100, seed=3))[1] > 0.95


def test_weights_of_the_lowest_validation_loss_are_kept():
    beats, labels = training_beats(800)
    worse_and_worse = beats, 1 - labels
    kept = resnet(18, 2)
    history = train(kept, beats, labels, GENERIC, 1, validation=worse_and_worse)
    losses = [row["validation_loss"] for row in history]
    assert losses[0] == min(losses) < losses[-1]
    assert evaluate(kept, *worse_and_worse)[0] == losses[0]


def test_a_nan_validation_loss_raises():
    beats, labels = training_beats(100, seed=2)
    with pytest.raises(UserError, match="training diverged: loss is NaN in epoch 1"):
        train(resnet(18, 2), *training_beats(100), GENERIC, 1, validation=(beats * float("nan"), labels))


def test_without_validation_the_last_epoch_is_kept():
    one = config.Arm("paper", 0.2, "last_stages", "frozen", False, 1, 16, 1e-2)
    assert not same(
        state_after(resnet(18, 2), *training_beats(), ARM, 1), state_after(resnet(18, 2), *training_beats(), one, 1)
    )


def test_history_has_the_learning_rate_of_each_epoch():
    beats, labels = training_beats(800)
    hasty = config.Generic(epochs=4, batch_size=16, learning_rate=1e-2, lr_patience=1, lr_decay_factor=0.5, threads=1)
    history = train(resnet(18, 2), beats, labels, hasty, 1, validation=(beats, 1 - labels))
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert [row["learning_rate"] for row in history] == [1e-2, 1e-2, 5e-3, 2.5e-3]


def test_loss_and_accuracy_are_those_of_the_logits():
    fixed = Recorder()
    nn.init.ones_(fixed.weight)
    loss, accuracy = evaluate(fixed, torch.tensor([[2.0], [-2.0], [1.0]]), torch.tensor([1.0, 0.0, 0.0]))
    assert loss == pytest.approx((2 * math.log1p(math.exp(-2)) + math.log1p(math.e)) / 3)
    assert accuracy == pytest.approx(2 / 3)


def test_training_on_a_single_beat_works():
    beats, labels = training_beats()
    (row,) = train(
        resnet(18, 2), beats[:1], labels[:1], config.Arm("paper", 0.2, "last_stages", "adapt", False, 1, 8, 1e-3), 1
    )
    assert math.isfinite(row["train_loss"])


def test_early_stopping_ends_after_patience_epochs_without_a_lower_loss():
    beats, labels = training_beats(800)
    settings = config.Generic(
        epochs=9, batch_size=16, learning_rate=1e-2, lr_patience=1, lr_decay_factor=0.5, threads=1
    )
    worse_and_worse = beats, 1 - labels
    history = train(resnet(18, 2), beats, labels, settings, 1, worse_and_worse, TrainOptions(early_stopping_patience=2))
    assert len(history) == 3
    assert history[0]["validation_loss"] < min(row["validation_loss"] for row in history[1:])


def test_subject_sampling_takes_subjects_equally_often_and_all_their_beats():
    subjects = torch.tensor([7] * 900 + [3] * 90 + [5] * 10)
    counts = torch.bincount(epoch_order(3000, 1, subjects.repeat(3)) % 1000, minlength=1000)
    assert counts.sum() == 3000
    for subject in (7, 3, 5):
        assert counts[subjects == subject].sum().item() == pytest.approx(1000, abs=120)
    assert (counts[subjects == 5] > 50).all()
    assert torch.equal(epoch_order(3000, 1, subjects.repeat(3)), epoch_order(3000, 1, subjects.repeat(3)))


def test_augmentation_affects_training_and_derives_from_the_seed():
    options = TrainOptions(augmentation=config.Augmentation(noise=0.5))
    plain, noisy, again = (
        state_after(resnet(18, 2), *training_beats(), ARM, 1, options=chosen)
        for chosen in (TrainOptions(), options, options)
    )
    assert not same(plain, noisy)
    assert same(noisy, again)


@pytest.mark.slow
def test_bfloat16_learns_as_float32_does():
    losses = {}
    for precision in ("float32", "bfloat16"):
        network = resnet(18, 4, seed=1)
        train(network, *training_beats(800), GENERIC, 1, training_beats(200, seed=2), TrainOptions(precision=precision))
        assert all(tensor.dtype != torch.bfloat16 for tensor in network.state_dict().values())
        losses[precision] = evaluate(network, *training_beats(400, seed=3))
    assert losses["float32"][0] != pytest.approx(losses["bfloat16"][0], rel=1e-6)
    assert losses["bfloat16"][0] < 0.05
    assert losses["bfloat16"][1] > 0.98


@pytest.mark.parametrize(("has_amx", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_on_a_cpu_auto_precision_is_bfloat16_only_with_amx(has_amx, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    other = {"bfloat16": "float32", "float32": "bfloat16"}[expected]
    by_precision = {
        precision: state_after(resnet(18, 2), *training_beats(), ARM, 1, options=TrainOptions(precision=precision))
        for precision in ("auto", expected, other)
    }
    assert same(by_precision["auto"], by_precision[expected])
    assert not same(by_precision["auto"], by_precision[other])


def test_auto_precision_is_bfloat16_on_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert uses_bfloat16("auto", torch.device("cuda"))
    assert not uses_bfloat16("float32", torch.device("cuda"))


def test_the_auxiliary_head_learns_too():
    beats, labels = training_beats(800)
    objective = Objective("regression", (4.0, 5.0, 6.0))
    targets = objective.targets(labels.numpy(), 4.1 + 2.1 * labels.numpy())
    network = resnet(18, 4, outputs=2)
    train(network, beats, targets, GENERIC, 1, (beats, targets), TrainOptions(objective))
    estimates = objective.estimates(predict(network, beats).numpy())
    assert np.abs(estimates - 4.1 - 2.1 * labels.numpy()).mean() < 0.3
    assert evaluate(network, beats, targets)[1] > 0.95


@pytest.mark.parametrize("through", [-1, 2, 3])
def test_gradients_reach_every_unfrozen_parameter_and_no_frozen_one(through, monkeypatch):
    network, reached = resnet(50, 2), set()
    network.freeze_through(through)

    def noted(adam):
        reached.update(id(weight) for weight in adam.parameters if weight.grad is not None and weight.grad.any())
        frozen = [weight for weight in network.parameters() if not weight.requires_grad]
        assert all(weight.grad is None for weight in frozen)
        for weight in adam.parameters:
            weight.grad = None

    monkeypatch.setattr(FusedAdam, "step", noted)
    train(network, *training_beats(), ARM, 1)
    unfrozen = {name for name, weight in network.named_parameters() if id(weight) in reached}
    assert unfrozen == {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert unfrozen == set(network.trainable_tensor_names()) - {name for name, _ in network.named_buffers()}


def test_diverging_training_raises_with_advice():
    wild = config.Arm("paper", 0.2, "last_stages", "adapt", False, 5, 16, 1e30)
    with pytest.raises(UserError, match="choose a lower learning_rate"):
        train(resnet(18, 2), *training_beats(), wild, 1)


def test_only_unfrozen_parameters_change():
    network = resnet(18, 2)
    network.freeze_through(2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    after = state_after(network, *training_beats(), ARM, 1)
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved == set(network.trainable_tensor_names())


def test_prediction_does_not_change_the_network():
    network = resnet(18, 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predict(network.train(), training_beats()[0])
    assert same(before, network.state_dict())


def test_each_epoch_logs_speed_and_time_left(caplog):
    with caplog.at_level(logging.INFO, logger="kalemia"):
        train(resnet(18, 2), *training_beats(), ARM, 1)
    assert len(caplog.messages) == 3
    assert "epoch 3 of 3" in caplog.messages[-1]
    assert "beats/s, 0 s left" in caplog.messages[-1]


def test_training_imports_no_compiler():
    program = (
        "import sys, torch; from kalemia.core import config;"
        "from kalemia.network import training; from kalemia.network.resnet import resnet;"
        "training.set_up_torch(1); arm = config.Arm('paper', 0.2, 'last_stages', 'frozen', False, 1, 4, 1e-3);"
        "training.train(resnet(18, 1), torch.ones(4, 120), torch.ones(4), arm, 1);"
        "print('torch._dynamo' in sys.modules, torch.are_deterministic_algorithms_enabled())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
