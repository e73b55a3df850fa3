"""Training of the generic network, on beats of many patients who get no network of their own."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from kalemia.beats.dataset import BeatSet, concatenate_beat_sets, iter_beats_by_subject
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.seeds import rng, seed_of
from kalemia.core.tables import read_table, table_from_rows, write_json, write_table
from kalemia.network.checkpoints import Lineage, save_checkpoint, trained_tensors
from kalemia.network.losses import Objective, label_column
from kalemia.network.predictions import beat_outputs, beat_tensor, draw_predictions
from kalemia.network.resnet import ResNet, build_resnet
from kalemia.network.training import TrainOptions, set_up_torch, train
from kalemia.network.training_state import StateFile, training_identity
from kalemia.stats.discrimination import discrimination
from kalemia.stats.draw_metrics import role_metrics

log = logging.getLogger("kalemia")

SPLITS = ("train", "validation", "test")


def train_generic(
    draws_path: str | Path,
    beats_path: str | Path,
    network: config.Network,
    settings: config.Generic,
    seed: int,
    digest: str,
    decision: str,
    model_path: str | Path,
    history_path: str | Path,
    predictions_path: str | Path,
    metrics_path: str | Path,
) -> None:
    """Train on the split "train", keep the weights with the lowest loss on "validation", and score all three splits.

    draws_path: a table of kind "generic". beats_path: its subjects' beats, as `write_generic_beats` writes them.
    digest: hash of the configuration. decision: decision rule. Writes the checkpoint, a table of kind "history", one
    of kind "predictions" whose roles are the splits, and the metrics as JSON. A killed job resumes after the last epoch
    it finished. Raises `UserError` as `read_splits` and `train`.
    """
    device = set_up_torch(settings.threads)
    splits = read_splits(draws_path, beats_path, network)
    log.info("beats: %s", ", ".join(f"{len(splits[split])} {split}" for split in SPLITS))
    model = build_resnet(network, seed_of(seed, "generic", "weights")).to(device)
    objective = Objective.from_config(network, settings.label_smoothing)
    training, validation = (_inputs_and_targets(splits[split], objective, device) for split in ("train", "validation"))
    state_file = StateFile(f"{model_path}.state", training_identity(digest, device, *training, *validation))
    options = _train_options(settings, objective, splits["train"], device, state_file)
    history = train(model, *training, settings, seed_of(seed, "generic"), validation, options)
    save_checkpoint(model_path, trained_tensors(model), _lineage(splits, network, digest))
    write_table(history_path, "history", table_from_rows("history", history), digest)
    scores = {split: _score_split(model, beats, split, decision, objective, seed) for split, beats in splits.items()}
    predictions = pa.concat_tables([draws for draws, _ in scores.values()])
    by_time = [("draw_time", "ascending"), ("draw_id", "ascending")]
    write_table(predictions_path, "predictions", predictions.sort_by(by_time), digest)
    metrics = {split: split_metrics for split, (_, split_metrics) in scores.items()}
    best = min(history, key=lambda row: row["validation_loss"])
    n_parameters = sum(weight.numel() for weight in model.parameters())
    write_json(metrics_path, metrics | {"n_parameters": n_parameters, "best_epoch": best["epoch"]})
    state_file.remove()


def read_splits(
    draws_path: str | Path, beats_path: str | Path, network: config.Network | None = None
) -> dict[str, BeatSet]:
    """Read the beats of the listed draws by split, with the labels of the list.

    draws_path: a table of kind "generic". network: what its inputs are; None for the bare beats. Raises `UserError` if
    a split lacks a class, a subject is in two splits or a listed draw has no beats, and as `iter_beats_by_subject`.
    """
    draws = read_table(draws_path, "generic").sort_by("draw_id")
    _check_subjects_disjoint(draws_path, draws)
    ids, labels = draws["draw_id"].to_numpy(), draws["label"].to_numpy()
    split_of_draw = draws["split"].to_numpy(zero_copy_only=False)
    _check_classes(draws_path, labels, split_of_draw)
    parts, seen = {split: [] for split in SPLITS}, set()
    for beats in iter_beats_by_subject(beats_path, network):
        beats = beats.take(np.isin(beats.draw_ids, ids))
        seen.update(beats.draw_ids.tolist())
        index = np.searchsorted(ids, beats.draw_ids)
        beats = beats.with_labels(labels[index])
        for split in SPLITS:
            parts[split].append(beats.take(split_of_draw[index] == split))
    missing = sorted(set(ids.tolist()) - seen)
    if missing:
        raise UserError(f"{draws_path}: draw {missing[0]} has no beats in {beats_path}; delete both and run again")
    return {split: concatenate_beat_sets(parts.pop(split)) for split in SPLITS}


def _check_classes(draws_path: str | Path, labels: np.ndarray, split_of_draw: np.ndarray) -> None:
    for split in SPLITS:
        for label, name in ((1, "positive"), (0, "negative")):
            if not np.any((split_of_draw == split) & (labels == label)):
                raise UserError(
                    f"{draws_path}: the split {split!r} has no {name} draw; enlarge the cohort or its fraction in"
                    " populations.generic_split, or change the seed"
                )


def _check_subjects_disjoint(draws_path: str | Path, draws: pa.Table) -> None:
    split_of_subject = {}
    for subject, split in zip(draws["subject_id"].to_pylist(), draws["split"].to_pylist(), strict=True):
        if split_of_subject.setdefault(subject, split) != split:
            raise UserError(f"{draws_path}: subject {subject} is in two splits; delete the file and run again")


def _inputs_and_targets(
    beats: BeatSet, objective: Objective, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Network inputs and training targets, on the device."""
    targets = objective.targets(beats.rows["label"].to_numpy(), beats.rows["value"].to_numpy())
    return beat_tensor(beats.inputs, device), targets.to(device)


def _train_options(
    settings: config.Generic, objective: Objective, training: BeatSet, device: torch.device, state_file: StateFile
) -> TrainOptions:
    subjects = torch.from_numpy(training.rows["subject_id"].to_numpy().astype(np.int64))
    return TrainOptions(
        objective=objective,
        precision=settings.precision,
        compile=settings.compile,
        early_stopping_patience=settings.early_stopping_patience,
        subjects=subjects if settings.sampler == "per_subject" else None,
        augmentation=settings.augmentation if settings.augmentation != config.Augmentation() else None,
        state_file=state_file,
    )


def _lineage(splits: dict[str, BeatSet], network: config.Network, digest: str) -> Lineage:
    """The lineage lists validation draws too: they influence the weights, because they select the epoch."""
    used = pa.concat_tables([splits["train"].rows, splits["validation"].rows])
    return Lineage(
        kind="generic",
        architecture=network,
        digest=digest,
        draws=tuple(sorted(pc.unique(used["draw_id"]).to_pylist())),
        cut_off=pc.max(used["draw_time"]).as_py(),
    )


def _score_split(
    model: ResNet, beats: BeatSet, split: str, decision: str, objective: Objective, seed: int
) -> tuple[pa.Table, dict]:
    """A split's predictions, and its metrics per draw and per beat."""
    outputs, roles = beat_outputs(model, beats.inputs), dict.fromkeys(beats.draw_ids.tolist(), split)
    draws = draw_predictions(outputs, beats.rows, roles, decision, objective)
    logits, draw_scores = label_column(outputs), (draws["logit"].to_numpy(), draws["decision"].to_numpy())
    metrics = role_metrics(draws, split)
    for unit, rows, scores in (("draws", draws, draw_scores), ("beats", beats.rows, (logits, logits > 0))):
        labels, subjects = rows["label"].to_numpy(), rows["subject_id"].to_numpy()
        metrics[unit] = discrimination(labels, *scores, subjects, rng(seed, "bootstrap", split, unit))
    if objective.head != "none":
        error = draws["estimate"].to_numpy() - draws["value"].to_numpy()
        metrics["mean_absolute_error"] = float(np.mean(np.abs(error)))
    return draws, metrics
