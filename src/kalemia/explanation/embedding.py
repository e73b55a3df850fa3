"""Two-dimensional embeddings of a network's beat features by t-SNE and PCA, and their trustworthiness."""

import numpy as np
import torch
from sklearn.manifold import TSNE, trustworthiness
from threadpoolctl import threadpool_limits

from kalemia.beats.dataset import BeatSet
from kalemia.network.predictions import beat_tensor
from kalemia.network.resnet import ResNet

TSNE_ITERATIONS = 400
TSNE_ANGLE = 0.9  # of the Barnes-Hut approximation: with 400 iterations as trustworthy as 0.7 with 500, and faster
NEIGHBORS = 10  # per beat, for the trustworthiness


def subsample_beats(beats: BeatSet, per_draw: int) -> BeatSet:
    """Return at most `per_draw` beats of each draw, evenly spaced over all of its beats."""
    kept = []
    for draw_id in np.unique(beats.draw_ids):
        of_draw = np.flatnonzero(beats.draw_ids == draw_id)
        positions = np.linspace(0, len(of_draw) - 1, min(per_draw, len(of_draw)))
        kept.append(of_draw[np.round(positions).astype(int)])
    return beats.take(np.concatenate(kept))


def pooled_features(model: ResNet, inputs: np.ndarray) -> np.ndarray:
    """Return the features that the head takes, float32 (n, channels), for network inputs (n, ...)."""
    with torch.inference_mode():
        features = model.features(beat_tensor(inputs, model.head.weight.device))
        return model.pooled(features).cpu().numpy()


def tsne(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Embed features (n, channels) in the plane by t-SNE (van der Maaten and Hinton 2008): float32 (n, 2).

    The perplexity is limited to a third of the number of other beats, beyond which t-SNE has no solution. It runs in
    one thread, because the order of its sums depends on the number of threads.
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
    """Project features (n, channels) on their two principal axes: float64 (n, 2), and the explained variance ratio.

    The sign of an axis is chosen so that its largest weight is positive. The ratio is NaN if all beats are equal.
    """
    centered = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    with threadpool_limits(1):
        _, singular, axes = np.linalg.svd(centered, full_matrices=False)
        axes = axes[:2] * np.sign(axes[[0, 1], np.argmax(np.abs(axes[:2]), axis=1)])[:, None]
        positions = centered @ axes.T
    total = float(np.sum(singular**2))
    return positions, float(np.sum(singular[:2] ** 2) / total) if total > 0 else float("nan")


def embedding_trustworthiness(features: np.ndarray, positions: np.ndarray) -> float:
    """Return the trustworthiness of an embedding (Venna and Kaski 2001).

    1 if all neighbors in the plane are neighbors in the features; about 0.5 by chance. Uses 10 neighbors per beat, or
    fewer if there are too few beats. features: (n, channels). positions: (n, 2).
    """
    n_neighbors = min(NEIGHBORS, (len(features) - 1) // 2)
    with threadpool_limits(1):
        return float(trustworthiness(features, positions, n_neighbors=n_neighbors))
