"""The training loss: cross-entropy of the label, plus the loss of the auxiliary head for the analyte, if there is one.

Without an auxiliary head, outputs and targets have shape (n,): logits, and labels 0 or 1. An auxiliary head adds
columns to both. Regression adds one, the standardized value. Ordinal adds one per threshold: whether the value is above
it (Niu et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kalemia.core.config import Network
from kalemia.stats.logistic_regression import sigmoid

if TYPE_CHECKING:  # torch is imported in the functions that train, so that jobs without a network start quickly
    from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """What the columns of a network's outputs mean, and their loss.

    head: the auxiliary head, "none", "regression" or "ordinal". thresholds: of the ordinal head, in the analyte's unit,
    ascending; their mean and SD standardize the regression. smoothing: label smoothing; targets become smoothing / 2
    and 1 - smoothing / 2 (Szegedy et al. 2016).
    """

    head: str = "none"
    thresholds: tuple[float, ...] = ()
    smoothing: float = 0.0

    @classmethod
    def from_config(cls, network: Network, smoothing: float = 0.0) -> Objective:
        """Return the objective of the configured network."""
        return cls(network.auxiliary_head, network.ordinal_thresholds, smoothing)

    def targets(self, labels: np.ndarray, analyte: np.ndarray) -> Tensor:
        """Return the targets, float32 (n,) or (n, 1 + columns of the head).

        labels: (n,) 0 or 1. analyte: values (n,) in the analyte's unit.
        """
        import torch

        label = torch.from_numpy(np.array(labels, np.float32))
        if self.head == "none":
            return label
        value = torch.from_numpy(np.array(analyte, np.float32))[:, None]
        thresholds = torch.tensor(self.thresholds)
        columns = (
            (value > thresholds).float() if self.head == "ordinal" else (value - thresholds.mean()) / thresholds.std()
        )
        return torch.cat([label[:, None], columns], dim=1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss over the beats: the label's, plus the mean over the columns of the auxiliary head."""
        from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

        label = label_column(targets)
        smoothed = label + self.smoothing * (0.5 - label) if self.smoothing else label
        loss = binary_cross_entropy_with_logits(label_column(outputs), smoothed)
        if self.head == "none":
            return loss
        head_loss = mse_loss if self.head == "regression" else binary_cross_entropy_with_logits
        return loss + head_loss(outputs[:, 1:], targets[:, 1:])

    def estimates(self, outputs: np.ndarray) -> np.ndarray:
        """Return the auxiliary head's estimate of the analyte, float64 (n,) in its unit; NaN without a head.

        The ordinal estimate is the expected value if each interval between two thresholds is replaced by its midpoint.
        """
        if self.head == "none":
            return np.full(len(outputs), np.nan)
        thresholds, columns = np.array(self.thresholds), outputs[:, 1:].astype(np.float64)
        if self.head == "regression":
            return thresholds.mean() + thresholds.std(ddof=1) * columns[:, 0]
        widths = np.diff(thresholds)
        midpoints = np.concatenate(
            [[thresholds[0] - widths[0] / 2], thresholds[:-1] + widths / 2, [thresholds[-1] + widths[-1] / 2]]
        )
        return midpoints[0] + sigmoid(columns) @ np.diff(midpoints)


LABEL_ONLY = Objective()


def label_column(values):
    """Return the label's column (n,) of outputs or targets, which are (n,) or (n, columns)."""
    return values if values.ndim == 1 else values[:, 0]
