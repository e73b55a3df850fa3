"""One patient's networks: the generic one, then round by round one more pair of draws learned from (Chiu 2022)."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia import config
from kalemia.checkpoints import Lineage, file_hash, load_generic, load_round, save_checkpoint, trained_tensors
from kalemia.errors import UserError
from kalemia.evaluation import role_metrics
from kalemia.objective import Objective
from kalemia.predictions import BeatSet, beat_outputs, beat_tensor, draw_predictions, read_beats
from kalemia.resnet import N_STAGES, ResNet
from kalemia.seeds import seed_of
from kalemia.splits import read_split
from kalemia.tables import write_json, write_table
from kalemia.training import Options, set_up_torch, train

log = logging.getLogger("kalemia")


def score_generic(
    split_path: str | Path,
    shard_path: str | Path,
    generic_path: str | Path,
    network: config.Network,
    digest: str,
    decision: str,
    threads: int,
    predictions_path: str | Path,
    metrics_path: str | Path,
) -> None:
    """Round 0: what the generic network says of all the patient's draws, with the test draws of the split."""
    device = set_up_torch(threads)
    model, _ = load_generic(generic_path, network)
    beats = read_beats(shard_path, network)
    split = read_split(split_path)
    _write_scores(model.to(device), network, beats, split, 0, decision, digest, predictions_path, metrics_path)


def train_round(
    round_: int,
    split_path: str | Path,
    shard_path: str | Path,
    generic_path: str | Path,
    previous_path: str | Path | None,
    network: config.Network,
    arm: config.Arm,
    seed: int,
    digest: str,
    decision: str,
    threads: int,
    model_path: str | Path,
    predictions_path: str | Path,
    metrics_path: str | Path,
) -> None:
    """Learn from the split's pair number `round_` (from 1), store what was trained, and score all the patient's draws.

    The first round starts from the generic network with a fresh head, each other from the round before
    (`previous_path`). With `arm.replay` the pairs of earlier rounds are learned from again. A pair's first draw is
    positive and its second negative, whatever the shard says; all their beats are used, so the class with more beats
    weighs more. There is no validation: the last epoch counts. Raises `UserError` where split, shard and weights do not
    belong together.
    """
    device = set_up_torch(threads)
    split, beats = read_split(split_path), read_beats(shard_path, network)
    if round_ > len(split["rounds"]):
        raise UserError(
            f"{split_path}: has {len(split['rounds'])} rounds ({split['reason']}), so round {round_} cannot be"
        )
    if previous_path is None:
        model, _ = load_generic(generic_path, network)
        model.reset_head(seed_of(seed, "head", split["subject_id"], split["arm"]))
    else:
        model, previous = load_round(previous_path, generic_path, network)
        _refuse_stranger(previous_path, previous, split, round_ - 1, digest)
    model.freeze_through(N_STAGES - arm.trained_stages)
    if arm.batch_norm == "frozen":
        model.freeze_statistics()
    pairs = split["rounds"][0 if arm.replay else round_ - 1 : round_]
    lesson, labels = _lesson(shard_path, beats, pairs)
    log.info("%d beats of %s in round %d", len(lesson), pairs, round_)
    of_round = seed_of(seed, "personal", split["subject_id"], split["arm"], round_)
    objective = Objective.of(network)
    targets = objective.targets(labels, lesson.rows["potassium"].to_numpy()).to(device)
    inputs = beat_tensor(lesson.inputs, device)
    train(model.to(device), inputs, targets, arm, of_round, options=Options(objective))
    learned = _learned(split, round_)
    lineage = Lineage(
        kind="personal",
        architecture=network,
        digest=digest,
        draws=tuple(learned),
        cut_off=pc.max(beats.rows.filter(pc.is_in(beats.rows["draw_id"], pa.array(learned)))["draw_time"]).as_py(),
        parent=file_hash(previous_path or generic_path),
        generic=file_hash(generic_path),
        subject_id=split["subject_id"],
        arm=split["arm"],
        round=round_,
    )
    save_checkpoint(model_path, trained_tensors(model), lineage)
    _write_scores(model, network, beats, split, round_, decision, digest, predictions_path, metrics_path)


def roles_of_draws(split: dict, round_: int) -> dict[int, str]:
    """After a round: train, the draws learned from so far; test, the held out. All others have no role."""
    return dict.fromkeys(split["test"], "test") | dict.fromkeys(_learned(split, round_), "train")


def _learned(split: dict, round_: int) -> list[int]:
    return sorted(draw for pair in split["rounds"][:round_] for draw in pair)


def _refuse_stranger(path: str | Path, previous: Lineage, split: dict, round_: int, digest: str) -> None:
    """A round may only start from the round before, of the same patient, arm and configuration."""
    found = previous.subject_id, previous.arm, previous.round
    asked = split["subject_id"], split["arm"], round_
    if found != asked:
        raise UserError(
            f"{path}: holds round {found[2]} of subject {found[0]} in arm {found[1]!r}, not round {asked[2]} of"
            f" subject {asked[0]} in arm {asked[1]!r}; delete it and run again"
        )
    if previous.digest != digest:
        raise UserError(f"{path}: was made with another configuration; run snakemake again so that it is remade")


def _lesson(shard_path: str | Path, beats: BeatSet, pairs: list[list[int]]) -> tuple[BeatSet, np.ndarray]:
    """All beats of the pairs, and their labels (n,)."""
    missing = sorted({draw for pair in pairs for draw in pair} - set(beats.draw_ids.tolist()))
    if missing:
        raise UserError(f"{shard_path}: has no beats of draw {missing[0]}, which the split learns from; run again")
    lesson = beats.take(np.isin(beats.draw_ids, pairs))
    positives = [positive for positive, _ in pairs]
    return lesson, np.isin(lesson.draw_ids, positives)


def _write_scores(
    model: ResNet,
    network: config.Network,
    beats: BeatSet,
    split: dict,
    round_: int,
    decision: str,
    digest: str,
    predictions_path: str | Path,
    metrics_path: str | Path,
) -> None:
    outputs, roles = beat_outputs(model, beats.inputs), roles_of_draws(split, round_)
    predictions = draw_predictions(outputs, beats.rows, roles, decision, Objective.of(network))
    write_table(predictions_path, "predictions", predictions, digest)
    about = {
        "subject_id": split["subject_id"],
        "arm": split["arm"],
        "round": round_,
        "learned": _learned(split, round_),
    }
    write_json(metrics_path, about | role_metrics(predictions, "test"))
