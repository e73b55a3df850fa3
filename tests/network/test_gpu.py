"""What training on a GPU promises beside speed: the same arithmetic."""

from dataclasses import replace

import pytest
import torch
from test_training import training_beats
from torch import nn
from torch.nn import functional

from kalemia.core import config
from kalemia.network.gpu.cuda_graph import CudaGraphed
from kalemia.network.inference import loss_and_accuracy, predict
from kalemia.network.optimizers import FusedAdam
from kalemia.network.resnet import resnet50
from kalemia.network.training import TrainOptions, set_up_torch, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `pytest -m gpu`"),
]
GENERIC = config.Generic(epochs=4, batch_size=64, learning_rate=1e-3, lr_patience=3, lr_decay_factor=0.5, threads=1)
N_BEATS = 300  # beats: batches of 64 and a last one of 44


@pytest.fixture
def gpu():
    return set_up_torch(threads=1)


def on(device, n_beats=N_BEATS, seed=1):
    return tuple(part.to(device) for part in training_beats(n_beats, seed))


def test_logits_and_gradients_are_as_accurate_as_on_the_cpu(gpu):
    """Gradients of a deep network with rectifiers differ by percents for rounding alone."""
    logits, gradients = {}, {}
    for name, device, dtype in (
        ("exact", "cpu", torch.float64),
        ("cpu", "cpu", torch.float32),
        ("gpu", gpu, torch.float32),
    ):
        network = resnet50(8).to(device, dtype).train()
        beats_mv, labels = (part.to(dtype) for part in on(device))
        outputs = network(beats_mv)
        functional.binary_cross_entropy_with_logits(outputs, labels).backward()
        logits[name] = outputs.detach().cpu().double()
        gradients[name] = torch.cat([weight.grad.cpu().double().flatten() for weight in network.parameters()])
    torch.testing.assert_close(logits["gpu"], logits["exact"], atol=1e-3, rtol=1e-3)
    off = {name: (gradients[name] - gradients["exact"]).norm() for name in ("cpu", "gpu")}
    assert off["gpu"] < 3 * off["cpu"]


class Line(nn.Module):
    """A network whose training amplifies no rounding."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(120, 1)
        nn.init.zeros_(self.head.weight)

    def forward(self, beats_mv):
        return self.head(beats_mv).squeeze(1)


@pytest.mark.parametrize("augmentation", [None, config.Augmentation(0.1, 0.05, 2, 0.02)])
def test_replayed_steps_equal_plain_steps(gpu, monkeypatch, augmentation):
    """In all epochs, with a learning rate that falls and a last batch that is smaller."""
    beats_mv, labels = on(gpu, seed=2)
    worse = (beats_mv, 1 - labels)  # the validation loss rises, and so the rate falls
    settings = replace(GENERIC, epochs=6, lr_patience=1)
    histories = []
    for recorded in (True, False):
        if not recorded:
            monkeypatch.setattr("kalemia.network.training_step.CudaGraphed", lambda function: function)
        histories.append(train(Line().to(gpu), *on(gpu), settings, 1, worse, TrainOptions(augmentation=augmentation)))
    assert histories[0][-1]["learning_rate"] < histories[0][0]["learning_rate"]
    for key in ("train_loss", "train_accuracy", "validation_loss", "learning_rate"):
        one, other = ([row[key] for row in history] for history in histories)
        assert one == pytest.approx(other, rel=1e-4), key


def test_a_replayed_step_uses_the_current_learning_rate(gpu):
    weight = nn.Parameter(torch.ones(3, device=gpu))
    optimizer = FusedAdam([weight], 0.5)

    def step(inputs):
        (weight * inputs).sum().backward()
        optimizer.step()

    recorded, inputs = CudaGraphed(step), torch.ones(3, device=gpu)
    for _ in range(4):
        recorded(inputs)
    moved = weight.detach().clone()
    assert (moved < 0).all()
    optimizer.learning_rate = 0.0
    recorded(inputs)
    assert torch.equal(weight, moved)


def test_replay_reads_new_arguments_of_every_shape(gpu):
    double = CudaGraphed(lambda values: 2 * values)
    for n in (3, 3, 5, 3, 5, 5, 3):
        values = torch.rand(n, device=gpu)
        assert torch.equal(double(values), 2 * values)


def test_validation_uses_the_weights_of_its_epoch(gpu):
    validation, network = on(gpu, seed=2), resnet50(8).to(gpu)
    history = train(network, *on(gpu), GENERIC, 1, validation)
    best = min(history, key=lambda row: row["validation_loss"])
    assert loss_and_accuracy(predict(network, validation[0]), validation[1])[0] == pytest.approx(
        best["validation_loss"], rel=1e-3
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_planted_sign_is_learned(gpu, precision):
    network = resnet50(8).to(gpu)
    train(network, *on(gpu, 1000), replace(GENERIC, epochs=8), 1, options=TrainOptions(precision=precision))
    beats_mv, labels = on(gpu, 400, seed=3)
    assert loss_and_accuracy(predict(network, beats_mv, precision), labels)[1] > 0.95


def test_frozen_statistics_and_stages_stay(gpu):
    network = resnet50(8).to(gpu)
    network.freeze_through(2)
    network.freeze_batch_norm()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    moved = set(network.trainable_tensor_names())
    train(network, *on(gpu), GENERIC, 1)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == moved
