"""Exported networks give the outputs of the network itself in other tools."""

import numpy as np
import pytest
import torch

from beat_shards import NETWORK
from kalemia.core.config import Network
from kalemia.core.errors import UserError
from kalemia.models import other_formats
from kalemia.models.model_folder import OTHER_FORMATS
from kalemia.models.other_formats import WRITERS, check_format, write_onnx, write_torch
from kalemia.network.losses import label_column
from kalemia.network.resnet import build_resnet

NUMBERS = (1, 2, 7, 200)


@pytest.fixture(params=[NETWORK, Network(depth=18, width=2, rr_intervals=True, auxiliary_head="regression")])
def network(request):
    return build_resnet(request.param, seed=7).eval()


def _beats(network, n):
    random = np.random.default_rng(n)
    return torch.tensor(random.standard_normal((n, 120 + network.contexts)), dtype=torch.float32)


def _largest_difference(network, run):
    with torch.inference_mode():
        pairs = [(run(beats), label_column(network(beats))) for beats in (_beats(network, n) for n in NUMBERS)]
    return max(float((found - expected).abs().max()) for found, expected in pairs)


@pytest.mark.slow
def test_a_program_of_torch_agrees(network, tmp_path):
    write_torch(network, tmp_path / "model.pt2")
    assert _largest_difference(network, torch.export.load(tmp_path / "model.pt2").module()) < 1e-5


@pytest.mark.slow
def test_onnx_agrees(network, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
    write_onnx(network, tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [place.name for place in (*session.get_inputs(), *session.get_outputs())] == ["beats", "logits"]
    (given,) = session.get_inputs()

    def run(beats):
        return torch.tensor(session.run(None, {given.name: beats.numpy()})[0])

    assert _largest_difference(network, run) < 1e-5


def test_every_format_has_a_writer_and_a_file():
    assert set(WRITERS) == set(OTHER_FORMATS)


def test_a_missing_extra_is_one_line(monkeypatch):
    monkeypatch.setattr(other_formats, "find_spec", lambda _: None)
    check_format("torch")
    with pytest.raises(UserError, match="needs onnx and onnxscript; run pip install 'kalemia"):
        check_format("onnx")
