"""MiniRocket features of short series, written here because aeon brings numba (docs/dependencies.md)."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

_LENGTH = 9  # samples of a kernel
_RAISED = np.array(list(combinations(range(_LENGTH), 3)))  # of each of the 84 kernels: where it is 2 and not -1
_MOST_DILATIONS = 32
_GOLDEN = (np.sqrt(5) + 1) / 2


@dataclass(frozen=True)
class MiniRocket:
    """For each dilation the thresholds of every kernel, (84, thresholds); a feature for each of them."""

    thresholds: dict[int, np.ndarray]

    def features(self, series: np.ndarray) -> np.ndarray:
        """The share of samples at which a kernel's response is above a threshold: series (n, length) to (n, features).

        As in the paper, every other response is taken only where the whole kernel lies within the series.
        """
        columns = []
        for place, (dilation, thresholds) in enumerate(self.thresholds.items()):
            margin = _LENGTH // 2 * dilation
            for kernel, response in enumerate(_responses(series, dilation)):
                within = response[:, margin:-margin] if (place + kernel) % 2 else response
                columns.append((within[:, :, None] > thresholds[kernel]).mean(axis=1))
        return np.concatenate(columns, axis=1)


def fit_minirocket(series: np.ndarray, n_features: int) -> MiniRocket:
    """Choose dilations by the length of series (n, length), and thresholds as quantiles of their responses.

    Dempster, Schmidt and Webb (KDD 2021:248), with thresholds from all series and not from one at random, so that
    nothing is random. A series has at least 10 samples. There are as many features as multiples of 84 fit into
    `n_features`, of which the paper has 9,996.
    """
    n_thresholds = n_features // len(_RAISED)
    thresholds, first = {}, 0
    for dilation, n in _share_thresholds(series.shape[1], n_thresholds).items():
        numbers = first + np.arange(len(_RAISED) * n).reshape(len(_RAISED), n) + 1
        quantiles = numbers * _GOLDEN % 1  # a sequence that covers 0 to 1 evenly
        thresholds[dilation] = _quantiles_of_rows(_responses(series, dilation).reshape(len(_RAISED), -1), quantiles)
        first += numbers.size
    return MiniRocket(thresholds)


def _quantiles_of_rows(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The quantiles (rows, m) of each row of values (rows, n), by linear interpolation."""
    values = np.sort(values, axis=1)
    places = quantiles * (values.shape[1] - 1)
    lower = places.astype(int)
    below, above = (
        np.take_along_axis(values, at, axis=1) for at in (lower, np.minimum(lower + 1, values.shape[1] - 1))
    )
    return below + (places - lower) * (above - below)


def _share_thresholds(length: int, n_thresholds: int) -> dict[int, int]:
    """How many of a kernel's thresholds each dilation has: dilations double from 1 to as wide as the series."""
    n_dilations = min(n_thresholds, _MOST_DILATIONS)
    widest = np.log2((length - 1) / (_LENGTH - 1))
    dilations, counts = np.unique(np.logspace(0, widest, n_dilations, base=2).astype(int), return_counts=True)
    shares = (counts * (n_thresholds / n_dilations)).astype(int)
    for extra in range(n_thresholds - shares.sum()):
        shares[extra % len(shares)] += 1
    return dict(zip(dilations.tolist(), shares.tolist(), strict=True))


def _responses(series: np.ndarray, dilation: int) -> np.ndarray:
    """Each kernel's response to series (n, length), with zeros around them: (84, n, length)."""
    length, margin = series.shape[1], _LENGTH // 2 * dilation
    padded = np.pad(series, ((0, 0), (margin, margin)))
    shifted = np.array([padded[:, tap * dilation : tap * dilation + length] for tap in range(_LENGTH)])
    return 3 * shifted[_RAISED].sum(axis=1) - shifted.sum(axis=0)
