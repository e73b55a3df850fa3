"""Explanation of one patient's networks: Grad-CAM, occlusion, sanity checks and embeddings, as tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kalemia.beats.dataset import BeatSet, read_beats
from kalemia.core import config
from kalemia.core.config import GENERIC
from kalemia.core.errors import UserError
from kalemia.core.seeds import seed_of
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.explanation.embedding import embedding_trustworthiness, pca, pooled_features, subsample_beats, tsne
from kalemia.explanation.gradcam import gradcam_maps
from kalemia.explanation.map_similarity import spearman, structural_similarity
from kalemia.explanation.occlusion import occlusion_rows
from kalemia.explanation.wave_windows import uniform_fractions, wave_fractions, wave_windows, window_limits_ms
from kalemia.explanation.weight_randomization import randomize_cascade
from kalemia.network.checkpoints import load_generic, load_round
from kalemia.network.resnet import ResNet, build_resnet
from kalemia.network.training import set_up_torch
from kalemia.personal.episodes import labeled_in_time_order, run_numbers
from kalemia.personal.frozen_stages import last_frozen_stage, read_inputs
from kalemia.personal.negative_controls import null_runs
from kalemia.personal.nulls import train_null
from kalemia.personal.round_scores import draw_roles
from kalemia.personal.splits import parse_draws, read_split


@dataclass(frozen=True)
class PatientFiles:
    """Input files of one subject.

    shard: the beats. features: the generic network's features of them. generic: the generic checkpoint. splits: split
    file by arm. rounds: checkpoint of the last round by arm, for arms with at least one round.
    """

    shard: str | Path
    features: str | Path
    generic: str | Path
    splits: dict[str, str | Path]
    rounds: dict[str, str | Path]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of training, for the networks that are trained again on permuted labels."""

    network: config.Network
    personal: config.Personal
    arms: dict[str, config.Arm]
    seed: int


@dataclass(frozen=True)
class PatientData:
    """One patient's beats and networks.

    labeled: the beats of labeled draws. shown: the subsample of them that is embedded and occluded. splits: by arm.
    models: networks by name, "generic" or the name of an arm (after its last round). roles: by network, the role of
    each draw. windows: the samples of each wave.
    """

    subject_id: int
    beats: BeatSet
    labeled: BeatSet
    shown: BeatSet
    splits: dict[str, dict]
    models: dict[str, ResNet]
    roles: dict[str, dict[int, str]]
    windows: dict[str, slice]


@dataclass(frozen=True)
class MeanBeats:
    """The mean beat of each of k labels: labels (k,), samples in mV (k, 120), network inputs (k, ...)."""

    labels: np.ndarray
    beats_mv: np.ndarray
    inputs: np.ndarray

    @classmethod
    def from_beats(cls, labeled: BeatSet) -> "MeanBeats":
        labels = labeled.rows["label"].to_numpy()
        classes = np.unique(labels)[::-1]
        beats_mv, inputs = (
            np.stack([values[labels == label].mean(axis=0, dtype=np.float64) for label in classes]).astype(np.float32)
            for values in (labeled.beats_mv, labeled.inputs)
        )
        return cls(classes, beats_mv, inputs)


def explain_subject(
    subject_id: int,
    files: PatientFiles,
    training: TrainingSettings,
    settings: config.Explanation,
    digest: str,
    paths: dict[str, str | Path],
) -> None:
    """Write the explanation tables of one subject, for the generic network and each arm's last round.

    paths: output file by kind of table:

    gradcam, waves: Grad-CAM of the configured stages for the mean beat of each label, and each wave's fraction of it.
    sanity: similarity of these maps to those of networks with randomized weights or permuted training labels.
    occlusion: change of the test draws' predictions when a wave is removed.
    embedding, projections: two-dimensional embeddings of beats, and their trustworthiness.

    Computed in one thread, so that the bytes do not depend on the number of cores. Raises `UserError` as the readers of
    the input files, and if a checkpoint belongs to another subject.
    """
    subject = read_patient(subject_id, files, training.network, settings.beats_per_draw)
    means = MeanBeats.from_beats(subject.labeled)
    maps = {
        name: gradcam_maps(model, means.inputs, means.labels, settings.gradcam_stages)
        for name, model in subject.models.items()
    }
    embedding, projections = _embedding_rows(subject, settings, training.seed)
    rows = {
        "gradcam": _gradcam_rows(maps, means),
        "waves": _wave_rows(maps, means.labels, subject.windows),
        "sanity": _sanity_rows(
            subject, maps, means, _randomized_models(subject, files, training), settings.gradcam_stages
        ),
        "occlusion": _occlusion_rows(subject),
        "embedding": embedding,
        "projections": projections,
    }
    for kind, path in paths.items():
        write_table(path, kind, table_from_rows(kind, rows[kind]), digest)


def read_patient(subject_id: int, files: PatientFiles, network: config.Network, beats_per_draw: int) -> PatientData:
    """Read a subject's beats and networks, and move the networks to the device.

    Raises `UserError` as the readers of the files, and if a round's checkpoint belongs to another subject or arm.
    """
    device = set_up_torch(threads=1)
    beats = read_beats(files.shard, network)
    labeled = beats.take(beats.rows["label"].is_valid().to_numpy(zero_copy_only=False))
    splits = {arm: read_split(path) for arm, path in files.splits.items()}
    models, roles = {GENERIC: load_generic(files.generic, network)[0]}, {GENERIC: {}}
    for arm, path in files.rounds.items():
        models[arm], lineage = load_round(path, files.generic, network)
        if (lineage.subject_id, lineage.arm) != (subject_id, arm):
            raise UserError(
                f"{path}: holds weights of subject {lineage.subject_id} in arm {lineage.arm!r}, not of subject"
                f" {subject_id} in arm {arm!r}; delete it and run again"
            )
        roles[arm] = draw_roles(splits[arm], lineage.round)
    rr_ms = read_table(files.shard, "beats", columns=["rr_after_ms"])["rr_after_ms"].to_numpy()
    return PatientData(
        subject_id=subject_id,
        beats=beats,
        labeled=labeled,
        shown=subsample_beats(labeled, beats_per_draw),
        splits=splits,
        models={name: model.to(device).eval() for name, model in models.items()},
        roles=roles,
        windows=wave_windows(float(np.nanmedian(rr_ms))),
    )


Maps = dict[int, np.ndarray]  # by stage (k, 120), in the order of `MeanBeats.labels`


def _gradcam_rows(maps: dict[str, Maps], means: MeanBeats) -> list[dict]:
    return [
        {"model": name, "stage": stage, "label": label, "mean_beat": beat_mv, "attention": map_}
        for name, by_stage in maps.items()
        for stage, stage_maps in by_stage.items()
        for label, beat_mv, map_ in zip(means.labels, means.beats_mv, stage_maps, strict=True)
    ]


def _wave_rows(maps: dict[str, Maps], labels: np.ndarray, windows: dict[str, slice]) -> list[dict]:
    even = uniform_fractions(windows)
    limits = {
        wave: dict(zip(("from_ms", "to_ms"), window_limits_ms(window), strict=True)) for wave, window in windows.items()
    }
    return [
        {"model": name, "stage": stage, "label": label, "wave": wave, "share": share, "even_share": even[wave]}
        | limits.get(wave, {})
        for name, by_stage in maps.items()
        for stage, stage_maps in by_stage.items()
        for label, map_ in zip(labels, stage_maps, strict=True)
        for wave, share in wave_fractions(map_, windows).items()
    ]


def _randomized_models(
    subject: PatientData, files: PatientFiles, training: TrainingSettings
) -> Iterator[tuple[str, str, ResNet]]:
    """Yield networks for comparison: (name of the original network, what was randomized, the network).

    Weights are randomized from the head down (`weight_randomization.CASCADE_LEVELS`); one copy changes from level to
    level. Arms also have "labels": the same training with the labels of the training draws permuted, as in the null
    "shuffled".
    """
    generic = subject.models[GENERIC]
    for name, model in subject.models.items():
        fresh = build_resnet(training.network, seed_of(training.seed, "randomized", subject.subject_id, name))
        for level, changed in randomize_cascade(model, fresh.to(generic.head.weight.device)):
            yield name, level, changed
    for name in files.rounds:
        arm, split = training.arms[name], subject.splits[name]
        after = last_frozen_stage(arm, training.personal.n_trained_stages)
        inputs = read_inputs(files.features, files.shard, files.generic, subject.beats.inputs, after)
        (null,) = null_runs("shuffled", 1, split, arm, training.personal, training.seed)
        inputs = inputs.to(generic.head.weight.device)
        *_, (_, above) = train_null(null, generic, inputs, subject.beats, training.network, arm, training.personal)
        yield name, "labels", above.network


def _sanity_rows(
    subject: PatientData,
    maps: dict[str, Maps],
    means: MeanBeats,
    randomized: Iterator[tuple[str, str, ResNet]],
    stages: tuple[int, ...],
) -> list[dict]:
    """Similarity of each network's maps to those of the randomized networks.

    As a reference, "halves": the similarity of the same network's maps on the mean beats of two halves of the draws.
    """
    rows = []
    for name, against, model in randomized:
        other = gradcam_maps(model, means.inputs, means.labels, stages)
        rows += _similarity_rows(name, against, means.labels, maps[name], other)
    first, second = (MeanBeats.from_beats(half) for half in _split_halves(subject.labeled))
    for name, model in subject.models.items():
        one, other = (gradcam_maps(model, half.inputs, half.labels, stages) for half in (first, second))
        rows += _similarity_rows(name, "halves", means.labels, one, other)
    return rows


def _similarity_rows(name: str, against: str, labels: np.ndarray, one: Maps, other: Maps) -> list[dict]:
    return [
        {
            "model": name,
            "stage": stage,
            "label": label,
            "reference": against,
            "attention": other_map,
            "spearman": spearman(map_, other_map),
            "ssim": structural_similarity(map_, other_map),
        }
        for stage in one
        for label, map_, other_map in zip(labels, one[stage], other[stage], strict=True)
    ]


def _split_halves(labeled: BeatSet) -> tuple[BeatSet, BeatSet]:
    """Two halves of the draws of each label, taken alternately; the only draw of a label is in both."""
    draw_ids, first = np.unique(labeled.draw_ids, return_index=True)
    labels = labeled.rows["label"].to_numpy()[first]
    by_label = [draw_ids[labels == label] for label in np.unique(labels)]
    halves = (np.concatenate([ids[start::2] if len(ids) > 1 else ids for ids in by_label]) for start in (0, 1))
    return tuple(labeled.take(np.isin(labeled.draw_ids, half)) for half in halves)


def _occlusion_rows(subject: PatientData) -> list[dict]:
    """For each arm the rows of the generic and the personal network, on the shown beats of the arm's test draws."""
    rows = []
    for arm in (name for name in subject.models if name != GENERIC):
        test = subject.shown.take(np.isin(subject.shown.draw_ids, subject.splits[arm]["test"]))
        for name in (GENERIC, arm):
            rows += [
                {"arm": arm, "model": name} | row for row in occlusion_rows(subject.models[name], test, subject.windows)
            ]
    return rows


def _embedding_rows(subject: PatientData, settings: config.Explanation, seed: int) -> tuple[list[dict], list[dict]]:
    """The rows of the tables "embedding" and "projections"."""
    episode_of, embedding, projections = _episode_by_draw(subject), [], []
    columns = subject.shown.rows.select(["draw_id", "label", "value"]).to_pylist()
    for name, model in subject.models.items():
        features = pooled_features(model, subject.shown.inputs)
        by_tsne = tsne(features, settings.perplexity, seed_of(seed, "t-SNE", subject.subject_id))
        by_pca, variance = pca(features)
        for row, on_tsne, on_pca in zip(columns, by_tsne.tolist(), by_pca.tolist(), strict=True):
            position = dict(zip(("tsne_x", "tsne_y", "pca_x", "pca_y"), (*on_tsne, *on_pca), strict=True))
            role = subject.roles[name].get(row["draw_id"], "other")
            embedding.append({"model": name, **row, "role": role, "episode": episode_of[row["draw_id"]], **position})
        for method, positions, share in (("t-SNE", by_tsne, None), ("PCA", by_pca, variance)):
            trusted = {"n_beats": len(features), "trustworthiness": embedding_trustworthiness(features, positions)}
            projections.append({"model": name, "method": method, **trusted, "variance": share})
    return embedding, projections


def _episode_by_draw(subject: PatientData) -> dict[int, int]:
    """By labeled draw its episode, numbered from 0 in the order of time: neighboring draws of one label."""
    draws, _ = parse_draws(next(iter(subject.splits.values())))
    labeled = labeled_in_time_order(draws)
    return {draw.draw_id: run for draw, run in zip(labeled, run_numbers(labeled), strict=True)}
