"""What a patient's networks look at, and how far apart they keep the classes: Grad-CAM and t-SNE, as tables."""

from pathlib import Path

import numpy as np
import torch
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from kalemia import config
from kalemia.checkpoints import load_generic, load_round
from kalemia.errors import UserError
from kalemia.predictions import BeatSet, beat_tensor, read_beats
from kalemia.resnet import STRIDE, ResNet
from kalemia.rounds import roles_of_draws
from kalemia.schemas import BEAT_SAMPLES
from kalemia.seeds import seed_of
from kalemia.splits import read_split
from kalemia.tables import table_from_rows, write_table
from kalemia.training import set_up_torch

TSNE_ITERATIONS = 500


def explain_subject(
    subject_id: int,
    shard_path: str | Path,
    generic_path: str | Path,
    last_rounds: dict[str, tuple[str | Path, str | Path]],
    network: config.Network,
    settings: config.Explanation,
    seed: int,
    digest: str,
    gradcam_path: str | Path,
    embedding_path: str | Path,
) -> None:
    """Write a subject's tables of kinds "gradcam" and "embedding", of the generic network and of each arm's last round.

    last_rounds: by arm the split and the weights of the last round. Always computed with one thread, so that the same
    bytes come out however many are free. Raises `UserError` as the readers of these files, and for another subject's
    weights.
    """
    device = set_up_torch(threads=1)
    beats = read_beats(shard_path, network)
    labeled = beats.take(beats.rows["label"].is_valid().to_numpy(zero_copy_only=False))
    shown = spread_beats(labeled, settings.beats_per_draw)
    models, roles = {"generic": load_generic(generic_path, network)[0]}, {"generic": {}}
    for arm, (split_path, round_path) in last_rounds.items():
        models[arm], lineage = load_round(round_path, generic_path, network)
        if (lineage.subject_id, lineage.arm) != (subject_id, arm):
            raise UserError(
                f"{round_path}: holds weights of subject {lineage.subject_id} in arm {lineage.arm!r}, not of subject"
                f" {subject_id} in arm {arm!r}; delete it and run again"
            )
        roles[arm] = roles_of_draws(read_split(split_path), lineage.round)
    gradcam, embedding = [], []
    for name, model in models.items():
        model.to(device).eval()
        gradcam += [{"model": name} | row for row in _gradcam_rows(model, labeled)]
        positions = embedded(
            pooled_features(model, shown.inputs), settings.perplexity, seed_of(seed, "t-SNE", subject_id)
        )
        embedding += [{"model": name} | row for row in _embedding_rows(shown, positions, roles[name])]
    write_table(gradcam_path, "gradcam", table_from_rows("gradcam", gradcam), digest)
    write_table(embedding_path, "embedding", table_from_rows("embedding", embedding), digest)


def attention(model: ResNet, beat_input: np.ndarray, label: int) -> np.ndarray:
    """Grad-CAM of the last convolution over what the network takes of one beat: (120,), from 0 to 1.

    The map is that of the last stage after its norm and rectifier. Only averaging and one linear layer follow, so the
    gradient of the score with respect to a channel, averaged over time, is the head's weight of the channel but for a
    constant (Selvaraju 2017, section 3.1). The score is the logit for label 1 and its negative for label 0; where
    nothing speaks for the label all is 0. Between the map's steps, each at the sample in the middle of what it sees,
    values are interpolated.
    """
    with torch.inference_mode():
        device = model.head.weight.device
        channels = model.activation(model.features(beat_tensor(beat_input[None], device)))[0].double().cpu().numpy()
        weights = model.head.weight[0].double().cpu().numpy()
    at_steps = np.maximum((weights if label == 1 else -weights) @ channels, 0)
    at_samples = np.interp(np.arange(BEAT_SAMPLES), STRIDE * np.arange(len(at_steps)), at_steps)
    return at_samples / (at_samples.max() or 1.0)


def pooled_features(model: ResNet, inputs: np.ndarray) -> np.ndarray:
    """What the head sees of inputs (n, ...) of the network: (n, channels)."""
    with torch.inference_mode():
        features = model.features(beat_tensor(inputs, model.head.weight.device))
        return model.pooled(features).cpu().numpy()


def embedded(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Features (n, channels) in the plane by t-SNE (van der Maaten 2008): float32 (n, 2).

    The perplexity is at most a third of the other beats, beyond which it has no solution. One thread, since the order
    of its sums depends on their number.
    """
    tsne = TSNE(
        perplexity=min(perplexity, (len(features) - 1) / 3),
        init="pca",
        max_iter=TSNE_ITERATIONS,
        random_state=seed % 2**32,
    )
    with threadpool_limits(1):
        return tsne.fit_transform(features)


def spread_beats(beats: BeatSet, per_draw: int) -> BeatSet:
    """At most `per_draw` beats of each draw, evenly spread over those it has."""
    places = []
    for draw_id in np.unique(beats.draw_ids):
        mine = np.flatnonzero(beats.draw_ids == draw_id)
        chosen = np.linspace(0, len(mine) - 1, min(per_draw, len(mine)))
        places.append(mine[np.round(chosen).astype(int)])
    return beats.take(np.concatenate(places))


def _gradcam_rows(model: ResNet, labeled: BeatSet) -> list[dict]:
    labels = labeled.rows["label"].to_numpy()
    rows = []
    for label in np.unique(labels)[::-1]:
        mean_mv, mean_input = (
            numbers[labels == label].mean(axis=0, dtype=np.float64).astype(np.float32)
            for numbers in (labeled.beats_mv, labeled.inputs)
        )
        rows.append({"label": label, "mean_beat": mean_mv, "attention": attention(model, mean_input, label)})
    return rows


def _embedding_rows(shown: BeatSet, positions: np.ndarray, role_of_draw: dict[int, str]) -> list[dict]:
    rows = shown.rows.select(["draw_id", "label", "potassium"]).to_pylist()
    return [
        row | {"role": role_of_draw.get(row["draw_id"], "other"), "x": x, "y": y}
        for row, (x, y) in zip(rows, positions.tolist(), strict=True)
    ]
