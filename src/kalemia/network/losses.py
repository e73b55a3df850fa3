"""What training makes small: the cross-entropy of the label and, where the network has a head for it, the analyte's.

With the label alone, outputs and targets are (n,): logits, and 0 or 1. A head for the analyte adds columns to both:
regression one, the standardized value; ordinal one for each cut, whether the value lies above it (Niu et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kalemia.core.config import Network

if TYPE_CHECKING:  # torch is imported where a network learns, so that jobs without one start quickly
    from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """What a network's outputs mean, and the loss of them.

    smoothing: the label's target is this far from certain, (1 - smoothing) and half of it for either class (Szegedy et
    al. 2016). cuts: values of the analyte, ascending; their mean and SD standardize the regression.
    """

    head: str = "none"  # none, regression, ordinal
    cuts: tuple[float, ...] = ()
    smoothing: float = 0.0

    @classmethod
    def from_config(cls, network: Network, smoothing: float = 0.0) -> Objective:
        return cls(network.analyte_head, network.analyte_cuts, smoothing)

    def targets(self, labels: np.ndarray, analyte: np.ndarray) -> Tensor:
        """Float32 (n,), or (n, 1 + columns of the head), from labels (n,) 0 or 1 and values of the analyte (n,)."""
        import torch

        label = torch.from_numpy(np.array(labels, np.float32))
        if self.head == "none":
            return label
        value = torch.from_numpy(np.array(analyte, np.float32))[:, None]
        cuts = torch.tensor(self.cuts)
        columns = (value > cuts).float() if self.head == "ordinal" else (value - cuts.mean()) / cuts.std()
        return torch.cat([label[:, None], columns], dim=1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over the beats: of the label, plus where there is a head the mean over its columns."""
        from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

        label = label_column(targets)
        smoothed = label + self.smoothing * (0.5 - label) if self.smoothing else label
        loss = binary_cross_entropy_with_logits(label_column(outputs), smoothed)
        if self.head == "none":
            return loss
        of_head = mse_loss if self.head == "regression" else binary_cross_entropy_with_logits
        return loss + of_head(outputs[:, 1:], targets[:, 1:])

    def estimates(self, outputs: np.ndarray) -> np.ndarray:
        """The analyte's value as the head says it, float64 (n,); NaN without a head.

        Ordinal: the mean of the value, when each class between two cuts stands for its middle.
        """
        if self.head == "none":
            return np.full(len(outputs), np.nan)
        cuts, columns = np.array(self.cuts), outputs[:, 1:].astype(np.float64)
        if self.head == "regression":
            return cuts.mean() + cuts.std(ddof=1) * columns[:, 0]
        widths = np.diff(cuts)
        middles = np.concatenate([[cuts[0] - widths[0] / 2], cuts[:-1] + widths / 2, [cuts[-1] + widths[-1] / 2]])
        above = 0.5 * (1 + np.tanh(0.5 * columns))  # the sigmoid, without overflow
        return middles[0] + above @ np.diff(middles)


LABEL_ONLY = Objective()


def label_column(values):
    """The label's part of outputs or targets, (n,)."""
    return values if values.ndim == 1 else values[:, 0]
