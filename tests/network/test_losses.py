import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from kalemia.network.losses import LABEL_ONLY, Objective, label_column

THRESHOLDS = (4.0, 5.0, 6.0)
LABELS, POTASSIUM = np.array([0, 1, 1], np.int8), np.array([3.6, 5.6, 7.0], np.float32)
OUTPUTS = torch.tensor([[-1.0, -2.0, -3.0, -4.0], [0.5, 2.0, 1.0, -1.0], [2.0, 3.0, 3.0, 3.0]])


def test_without_a_head_the_loss_is_the_cross_entropy():
    targets = LABEL_ONLY.targets(LABELS, POTASSIUM)
    assert targets.tolist() == [0, 1, 1]
    loss = LABEL_ONLY.loss(torch.tensor([0.0, 2.0, -1.0]), targets)
    assert loss.item() == pytest.approx((math.log(2) + math.log1p(math.exp(-2)) + math.log1p(math.e)) / 3)


def test_smoothing_moves_targets_away_from_certainty():
    smooth = Objective(smoothing=0.2)
    targets, logits = smooth.targets(LABELS, POTASSIUM), torch.tensor([0.3, 2.0, -1.0])
    expected = binary_cross_entropy_with_logits(logits, torch.tensor([0.1, 0.9, 0.9]))
    assert smooth.loss(logits, targets).item() == pytest.approx(expected.item())
    certain = torch.logit(torch.tensor([0.1, 0.9, 0.9])).requires_grad_()
    smooth.loss(certain, targets).backward()
    assert certain.grad.abs().max() < 1e-7


def test_ordinal_targets_say_which_thresholds_the_value_exceeds():
    ordinal = Objective("ordinal", THRESHOLDS)
    targets = ordinal.targets(LABELS, POTASSIUM)
    assert targets.tolist() == [[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    label = binary_cross_entropy_with_logits(OUTPUTS[:, 0], targets[:, 0])
    ordinal_loss = binary_cross_entropy_with_logits(OUTPUTS[:, 1:], targets[:, 1:])
    assert ordinal.loss(OUTPUTS, targets).item() == pytest.approx((label + ordinal_loss).item())


def test_a_certain_ordinal_estimate_is_the_midpoint_of_its_interval():
    sure = np.array([[0, -50, -50, -50], [0, 50, -50, -50], [0, 50, 50, -50], [0, 50, 50, 50]], np.float32)
    assert Objective("ordinal", THRESHOLDS).estimates(sure) == pytest.approx([3.5, 4.5, 5.5, 6.5])
    torn = np.array([[0, 50, 0, -50]], np.float32)
    assert Objective("ordinal", THRESHOLDS).estimates(torn) == pytest.approx([5.0])


def test_regression_estimate_inverts_the_standardization():
    regression = Objective("regression", THRESHOLDS)
    targets = regression.targets(LABELS, POTASSIUM)
    assert targets[:, 1].tolist() == pytest.approx([3.6 - 5, 5.6 - 5, 7.0 - 5])
    assert regression.estimates(targets.numpy()) == pytest.approx(POTASSIUM.tolist())
    assert regression.loss(torch.cat([1e3 * (2 * targets[:, :1] - 1), targets[:, 1:]], dim=1), targets).item() == 0


def test_without_a_head_there_is_no_estimate():
    assert np.isnan(LABEL_ONLY.estimates(np.zeros(3))).all()


def test_label_column_is_the_first_with_or_without_others():
    assert label_column(OUTPUTS).tolist() == [-1, 0.5, 2]
    assert label_column(OUTPUTS[:, 0]).tolist() == [-1, 0.5, 2]
