"""Beats in the plane as a network arranges them, by t-SNE and by PCA, and how far a plane can be trusted."""

import numpy as np
import torch
from sklearn.manifold import TSNE, trustworthiness
from threadpoolctl import threadpool_limits

from kalemia.beats.dataset import BeatSet
from kalemia.network.predictions import beat_tensor
from kalemia.network.resnet import ResNet

TSNE_ITERATIONS = 500
TSNE_ANGLE = 0.7  # how far beats are taken together: a quarter faster than with 0.5, and no less trustworthy
NEIGHBORS = 10  # of a beat in the plane, that trustworthiness looks for among its neighbors in the features


def subsample_beats(beats: BeatSet, per_draw: int) -> BeatSet:
    """At most `per_draw` beats of each draw, evenly spread over those it has."""
    places = []
    for draw_id in np.unique(beats.draw_ids):
        mine = np.flatnonzero(beats.draw_ids == draw_id)
        chosen = np.linspace(0, len(mine) - 1, min(per_draw, len(mine)))
        places.append(mine[np.round(chosen).astype(int)])
    return beats.take(np.concatenate(places))


def pooled_features(model: ResNet, inputs: np.ndarray) -> np.ndarray:
    """What the head sees of inputs (n, ...) of the network: (n, channels)."""
    with torch.inference_mode():
        features = model.features(beat_tensor(inputs, model.head.weight.device))
        return model.pooled(features).cpu().numpy()


def tsne(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Features (n, channels) in the plane by t-SNE (van der Maaten 2008): float32 (n, 2).

    The perplexity is at most a third of the other beats, beyond which it has no solution. One thread, since the order
    of its sums depends on their number.
    """
    method = TSNE(
        perplexity=min(perplexity, (len(features) - 1) / 3),
        init="pca",
        max_iter=TSNE_ITERATIONS,
        angle=TSNE_ANGLE,
        random_state=seed % 2**32,
    )
    with threadpool_limits(1):
        return method.fit_transform(features)


def pca(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Features (n, channels) on their two principal axes, float64 (n, 2), and the share of the variance these hold.

    An axis points to where its largest weight is positive. The share is NaN where all beats are the same.
    """
    centered = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    with threadpool_limits(1):
        _, sizes, axes = np.linalg.svd(centered, full_matrices=False)
        axes = axes[:2] * np.sign(axes[[0, 1], np.argmax(np.abs(axes[:2]), axis=1)])[:, None]
        positions = centered @ axes.T
    total = float(np.sum(sizes**2))
    return positions, float(np.sum(sizes[:2] ** 2) / total) if total > 0 else float("nan")


def embedding_trustworthiness(features: np.ndarray, positions: np.ndarray) -> float:
    """Trustworthiness of the plane (Venna and Kaski 2001): 1 where all neighbors in it are neighbors in the features.

    Of 10 neighbors of each beat, or of fewer where there are not enough beats; chance gives about 0.5.
    """
    n_neighbors = min(NEIGHBORS, (len(features) - 1) // 2)
    with threadpool_limits(1):
        return float(trustworthiness(features, positions, n_neighbors=n_neighbors))
