import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from beat_shards import simulated_beats, write_shard
from kalemia.beats.dataset import read_beats
from kalemia.explanation.embedding import (
    NEIGHBORS,
    embedding_trustworthiness,
    pca,
    pooled_features,
    subsample_beats,
    tsne,
)
from kalemia.network.resnet import N_STAGES, resnet


def two_clusters(n: int = 60) -> np.ndarray:
    features = np.random.default_rng(1).standard_normal((n, 6)).astype(np.float32)
    features[n // 2 :] += 20
    return features


def test_pooled_features_are_the_input_of_the_head():
    network = resnet(18, 2).eval()
    beats_mv = simulated_beats(0, 6, np.random.default_rng(2))
    with torch.inference_mode():
        logits = network.forward_from(network.features(torch.from_numpy(beats_mv)), after=N_STAGES)
        again = network.head(torch.from_numpy(pooled_features(network, beats_mv)))[:, 0]
    torch.testing.assert_close(again, logits)


def test_subsampled_beats_are_spread_over_each_draw(tmp_path):
    draws = write_shard(tmp_path / "beats.parquet", 7, [1, 0, None], beats_per_draw=8)
    beats = read_beats(tmp_path / "beats.parquet")
    shown = subsample_beats(beats, 3)
    assert shown.draw_ids.tolist() == [draw for draw in draws for _ in range(3)]
    assert np.array_equal(shown.beats_mv[:3], beats.beats_mv[[0, 4, 7]])
    assert len(subsample_beats(beats, 100)) == len(beats)


@pytest.mark.parametrize("n_beats", [5, 8, 40])
def test_perplexity_is_limited_by_the_number_of_beats(n_beats):
    features = np.random.default_rng(1).standard_normal((n_beats, 6)).astype(np.float32)
    positions = tsne(features, perplexity=30.0, seed=2**62 + 1)
    assert positions.shape == (n_beats, 2)
    assert np.isfinite(positions).all()
    assert 0 <= embedding_trustworthiness(features, positions) <= 1


@pytest.mark.parametrize("place", [lambda features: tsne(features, 10.0, 1), lambda features: pca(features)[0]])
def test_clusters_stay_apart_in_the_plane(place):
    positions = place(two_clusters())
    centers = positions[:30].mean(axis=0), positions[30:].mean(axis=0)
    spread = max(np.linalg.norm(positions[:30] - centers[0], axis=1).max(), 1e-6)
    assert np.linalg.norm(centers[1] - centers[0]) > spread


def test_pca_equals_sklearns_up_to_sign():
    features = np.random.default_rng(3).standard_normal((50, 8)).astype(np.float32) * np.arange(1, 9, dtype=np.float32)
    positions, variance = pca(features)
    expected = PCA(2, svd_solver="full").fit(features.astype(np.float64))
    np.testing.assert_allclose(np.abs(positions), np.abs(expected.transform(features)), atol=1e-4)
    assert variance == pytest.approx(expected.explained_variance_ratio_.sum(), abs=1e-6)


def test_the_largest_weight_of_an_axis_is_positive():
    features = np.random.default_rng(3).standard_normal((50, 8)).astype(np.float32)
    np.testing.assert_allclose(pca(features)[0], -pca(-features)[0], atol=1e-6)


def test_equal_beats_have_no_explained_variance():
    positions, variance = pca(np.ones((5, 4), np.float32))
    assert not positions.any()
    assert np.isnan(variance)


def test_trustworthiness_is_1_for_an_exact_embedding_and_low_for_a_shuffled_one():
    positions = np.random.default_rng(4).standard_normal((200, 2))
    assert embedding_trustworthiness(positions, positions) == 1
    shuffled = np.random.default_rng(5).permutation(positions)
    assert embedding_trustworthiness(positions, shuffled) == pytest.approx(0.5, abs=0.1)
    assert embedding_trustworthiness(positions, shuffled) == trustworthiness(positions, shuffled, n_neighbors=NEIGHBORS)
