"""Network outputs in evaluation mode."""

import numpy as np
import pytest
import torch

from kalemia.network.inference import predict
from kalemia.network.resnet import resnet
from kalemia.personal.frozen_stages import TrainableHead, stage_features


@pytest.mark.parametrize(("depth", "width"), [(18, 2), (18, 8), (50, 4)])
def test_no_bit_of_an_output_depends_on_the_batch(depth, width):
    network = resnet(depth, width, seed=3).eval()
    beats = torch.tensor(np.random.default_rng(1).standard_normal((1090, 120)), dtype=torch.float32)
    together = predict(network, beats)
    feature_map, _, outputs = stage_features(network, beats, 3)
    assert torch.equal(outputs, together)
    for start, n in ((0, 1), (7, 2), (100, 3), (31, 17), (500, 63), (1023, 1), (1000, 90), (3, 1087)):
        span = slice(start, start + n)
        assert torch.equal(predict(network, beats[span]), together[span])
        assert torch.equal(predict(TrainableHead(network, 3), feature_map[span].clone()), together[span])
