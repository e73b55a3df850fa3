from types import SimpleNamespace

import numpy as np
import pytest
import torch

from beat_shards import NETWORK, simulated_beats, write_generic_model, write_shard, write_split
from kalemia import config
from kalemia.checkpoints import load_generic
from kalemia.errors import UserError
from kalemia.explanation import attention, embedded, explain_subject, pooled_features, spread_beats
from kalemia.frozen import write_features
from kalemia.personal import train_round
from kalemia.predictions import read_beats
from kalemia.resnet import N_STAGES, STRIDE, resnet
from kalemia.tables import read_table

ARM = config.Arm("paper", 0.2, "blocks", "frozen", replay=False, epochs=1, batch_size=16, learning_rate=1e-2)
PERSONAL = config.Personal(
    max_rounds=5, pairs_per_round=1, held_out=0.25, min_test_draws=2, trained_stages=1, threads=1
)
SETTINGS = config.Explanation(beats_per_draw=5, perplexity=30.0)
SUBJECT = 200001
BEAT_MV = simulated_beats(1, 1, np.random.default_rng(1))[0]


def explained(patient, folder, subject_id=SUBJECT):
    gradcam, embedding = folder / "gradcam.parquet", folder / "embedding.parquet"
    arms = {"paper": (patient.split, patient.round)}
    explain_subject(
        subject_id, patient.shard, patient.generic, arms, NETWORK, SETTINGS, 2022, "a-digest", gradcam, embedding
    )
    return gradcam, embedding


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """A simulated patient after one round, and the explanation."""
    folder = tmp_path_factory.mktemp("explanation")
    files = SimpleNamespace(shard=folder / "beats.parquet", round=folder / "round-1/model.safetensors")
    files.generic = write_generic_model(folder / "generic.safetensors")
    files.draws = write_shard(files.shard, SUBJECT, [1, 0, 1, 0, None, 1], beats_per_draw=8)
    files.split = write_split(folder / "split.json", SUBJECT, [tuple(files.draws[:2])], files.draws[2:4])
    features = folder / "features.safetensors"
    write_features(files.shard, files.generic, NETWORK, PERSONAL.trained_stages, 1, features)
    train_round(
        1, files.split, files.shard, features, files.generic, None, NETWORK, ARM, PERSONAL, 2022, "a-digest", "vote",
        files.round, folder / "predictions.parquet", folder / "metrics.json",
    )  # fmt: skip
    files.gradcam, files.embedding = explained(files, folder)
    return files


def gradcam_by_gradients(network, beat_mv: np.ndarray, label: int) -> np.ndarray:
    """At the steps of the last map, by the definition: channels weighted by their mean gradient, then rectified."""
    kept = []
    handle = network.norm.register_forward_hook(lambda *of_layer: kept.append(of_layer[2]))
    logit = network(torch.from_numpy(beat_mv)[None])
    handle.remove()
    (gradient,) = torch.autograd.grad(logit if label == 1 else -logit, kept[0])
    weighted = (gradient.mean(dim=-1, keepdim=True) * kept[0]).sum(dim=1)
    return weighted.relu()[0, 0].detach().numpy()


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("label", [0, 1])
def test_attention_is_grad_cam_as_defined(depth, label):
    network = resnet(depth, 2, seed=3).eval()
    at_steps = attention(network, BEAT_MV, label)[::STRIDE]
    expected = gradcam_by_gradients(network, BEAT_MV, label)
    np.testing.assert_allclose(at_steps * expected.max(), expected, rtol=1e-4, atol=1e-7)


def test_attention_runs_from_0_to_1_and_is_linear_between_steps():
    network = resnet(18, 2, seed=3).eval()
    map_ = attention(network, BEAT_MV, 1)
    assert map_.shape == (120,)
    assert map_.min() >= 0
    assert map_.max() == 1
    assert map_[STRIDE // 2] == pytest.approx((map_[0] + map_[STRIDE]) / 2)
    assert np.all(map_[3 * STRIDE :] == map_[-1])


def test_what_speaks_for_one_class_speaks_against_the_other():
    network = resnet(18, 2, seed=3).eval()
    torch.nn.init.ones_(network.head.weight)
    assert attention(network, BEAT_MV, 1).max() == 1
    assert not attention(network, BEAT_MV, 0).any()


def test_pooled_features_are_what_the_head_sees():
    network = resnet(18, 2).eval()
    beats_mv = simulated_beats(0, 6, np.random.default_rng(2))
    with torch.inference_mode():
        logits = network.from_features(network.features(torch.from_numpy(beats_mv)), after=N_STAGES)
        again = network.head(torch.from_numpy(pooled_features(network, beats_mv)))[:, 0]
    torch.testing.assert_close(again, logits)


def test_beats_are_spread_over_each_draw(patient):
    beats = read_beats(patient.shard)
    shown = spread_beats(beats, 3)
    assert shown.draw_ids.tolist() == [draw for draw in patient.draws for _ in range(3)]
    assert np.array_equal(shown.beats_mv[:3], beats.beats_mv[[0, 4, 7]])
    assert len(spread_beats(beats, 100)) == len(beats)


@pytest.mark.parametrize("n_beats", [5, 8, 40])
def test_perplexity_fits_the_number_of_beats(n_beats):
    features = np.random.default_rng(1).standard_normal((n_beats, 6)).astype(np.float32)
    positions = embedded(features, perplexity=30.0, seed=2**62 + 1)
    assert positions.shape == (n_beats, 2)
    assert np.isfinite(positions).all()


def test_clusters_stay_apart_in_the_plane():
    random = np.random.default_rng(1)
    features = random.standard_normal((60, 6)).astype(np.float32)
    features[30:] += 20
    positions = embedded(features, perplexity=10.0, seed=1)
    centers = positions[:30].mean(axis=0), positions[30:].mean(axis=0)
    spread = max(np.linalg.norm(positions[:30] - centers[0], axis=1).max(), 1e-6)
    assert np.linalg.norm(centers[1] - centers[0]) > spread


def test_every_model_has_a_map_of_both_classes_over_their_mean_beats(patient):
    table = read_table(patient.gradcam, "gradcam", digest="a-digest").to_pylist()
    assert [(row["model"], row["label"]) for row in table] == [
        ("generic", 1), ("generic", 0), ("paper", 1), ("paper", 0)
    ]  # fmt: skip
    beats = read_beats(patient.shard)
    of_class = beats.beats_mv[np.isin(beats.draw_ids, [patient.draws[i] for i in (0, 2, 5)])]
    np.testing.assert_allclose(table[0]["mean_beat"], of_class.mean(axis=0), atol=1e-6)
    network, _ = load_generic(patient.generic, NETWORK)
    expected = attention(network.eval(), np.array(table[0]["mean_beat"], np.float32), 1)
    np.testing.assert_allclose(table[0]["attention"], expected, atol=1e-6)
    assert table[0]["attention"] != table[2]["attention"]


def test_embedding_shows_labeled_draws_with_what_they_were_used_for(patient):
    table = read_table(patient.embedding, "embedding", digest="a-digest").to_pylist()
    roles = {
        model: {row["draw_id"]: row["role"] for row in table if row["model"] == model} for model in ("generic", "paper")
    }
    labeled = [patient.draws[i] for i in (0, 1, 2, 3, 5)]
    assert roles["generic"] == dict.fromkeys(labeled, "other")
    assert list(roles["paper"].values()) == ["train", "train", "test", "test", "other"]
    assert list(roles["paper"]) == labeled
    assert len(table) == 2 * 5 * SETTINGS.beats_per_draw
    assert {row["label"] for row in table if row["draw_id"] == patient.draws[1]} == {0}


def test_same_explanation_gives_the_same_bytes(patient, tmp_path):
    for first, again in zip((patient.gradcam, patient.embedding), explained(patient, tmp_path), strict=True):
        assert first.read_bytes() == again.read_bytes()


def test_another_subjects_weights_are_refused(patient, tmp_path):
    with pytest.raises(UserError, match=r"model\.safetensors: holds weights of subject 200001 in arm 'paper', not of"):
        explained(patient, tmp_path, subject_id=200002)


def test_a_subject_without_rounds_still_has_the_generic_map(patient, tmp_path):
    gradcam, embedding = tmp_path / "gradcam.parquet", tmp_path / "embedding.parquet"
    explain_subject(
        SUBJECT, patient.shard, patient.generic, {}, NETWORK, SETTINGS, 2022, "a-digest", gradcam, embedding
    )
    assert set(read_table(gradcam, "gradcam")["model"].to_pylist()) == {"generic"}
    assert set(read_table(embedding, "embedding")["model"].to_pylist()) == {"generic"}
