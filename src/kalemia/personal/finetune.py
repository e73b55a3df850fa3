"""One patient's networks: from the generic one, round by round one more pair of draws learned from (Chiu 2022)."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from kalemia.beats.dataset import read_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.seeds import seed_of
from kalemia.core.tables import file_hash
from kalemia.network.checkpoints import Lineage, load_generic, load_round, save_checkpoint, trained_tensors
from kalemia.network.inference import predict
from kalemia.network.losses import Objective
from kalemia.network.resnet import ResNet, build_resnet
from kalemia.network.training import TrainOptions, set_up_torch, train
from kalemia.personal.frozen_stages import TrainableHead, last_frozen_stage, read_inputs
from kalemia.personal.round_scores import training_draws_until, write_round_predictions
from kalemia.personal.splits import read_split

log = logging.getLogger("kalemia")


def train_round(
    round_: int,
    split_path: str | Path,
    shard_path: str | Path,
    features_path: str | Path,
    generic_path: str | Path,
    previous_path: str | Path | None,
    network: config.Network,
    arm: config.Arm,
    personal: config.Personal,
    seed: int,
    digest: str,
    decision: str,
    model_path: str | Path,
    predictions_path: str | Path,
    metrics_path: str | Path,
) -> None:
    """Learn from the draws of the split's round `round_` (from 1), store what was trained, and score all draws.

    The first round starts as `initial_model`, each other from the round before (`previous_path`). With `arm.replay`
    the draws of earlier rounds are learned from again. A round's draws are in turn positive and negative,
    whatever the shard says; all their beats are used, so the class with more beats weighs more. There is no
    validation: the last epoch counts. What lies below the arm's seam comes from the features file. Raises `UserError`
    where split, shard, features and weights do not belong together.
    """
    device = set_up_torch(personal.threads)
    split, beats = read_split(split_path), read_beats(shard_path, network)
    if round_ > len(split["rounds"]):
        raise UserError(
            f"{split_path}: has {len(split['rounds'])} rounds ({split['reason']}), so round {round_} cannot be"
        )
    if previous_path is None:
        model = initial_model(generic_path, network, arm, seed_of(seed, "head", split["subject_id"], split["arm"]))
    else:
        model, previous = load_round(previous_path, generic_path, network)
        _check_parent_round(previous_path, previous, split, round_ - 1, digest)
    above = freeze_for_arm(model, arm, personal.n_trained_stages).to(device)
    inputs = read_inputs(features_path, shard_path, generic_path, beats.inputs, above.after).to(device)
    lesson = rounds_to_train_on(split["rounds"], round_, arm.replay)
    log.info("learning from %s in round %d", lesson, round_)
    of_round = seed_of(seed, "personal", split["subject_id"], split["arm"], round_)
    objective = Objective.from_config(network)
    train_on_draws(
        above, inputs, beats.draw_ids, beats.rows["potassium"].to_numpy(), lesson, arm, of_round, objective, shard_path
    )
    learned = training_draws_until(split, round_)
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
    outputs = predict(above, inputs).cpu().numpy()
    write_round_predictions(
        outputs, beats.rows, split, round_, network, decision, digest, predictions_path, metrics_path
    )


def initial_model(generic_path: str | Path, network: config.Network, arm: config.Arm, seed: int) -> ResNet:
    """What a patient's first round starts from: the generic network with a fresh head, or fresh weights altogether."""
    if arm.train == "from_scratch":
        return build_resnet(network, seed)
    model, _ = load_generic(generic_path, network)
    model.reset_head(seed)
    return model


def freeze_for_arm(model: ResNet, arm: config.Arm, n_trained_stages: int) -> TrainableHead:
    """The network with all but what the arm trains frozen, as what lies above the seam."""
    after = last_frozen_stage(arm, n_trained_stages)
    model.freeze_through(after)
    if arm.batch_norm == "frozen":
        model.freeze_batch_norm()
    return TrainableHead(model, after)


def rounds_to_train_on(rounds: list, round_: int, replay: bool) -> list:
    """The draws that a round (from 1) learns from, those of earlier rounds too where they are replayed."""
    return rounds[0 if replay else round_ - 1 : round_]


def train_on_draws(
    above: TrainableHead,
    inputs: Tensor,
    draw_ids: np.ndarray,
    analyte: np.ndarray,
    rounds: list,
    arm: config.Arm,
    seed: int,
    objective: Objective,
    where: str | Path,
) -> None:
    """Train `above` in place on the beats of some rounds' draws, in turn positive and negative.

    inputs: what it takes of all the patient's beats (n, ...). draw_ids: int64 (n,). analyte: the value that goes with
    each beat's label (n,), for networks with a head for it. Raises `UserError`, naming `where` the beats come from,
    if one of the draws has none.
    """
    learned = [draw for pairs in rounds for draw in pairs]
    missing = sorted(set(learned) - set(draw_ids.tolist()))
    if missing:
        raise UserError(f"{where}: has no beats of draw {missing[0]}, which the split learns from; run again")
    places = np.flatnonzero(np.isin(draw_ids, learned))
    labels = np.isin(draw_ids[places], [draw for pairs in rounds for draw in pairs[::2]])
    targets = objective.targets(labels, analyte[places]).to(inputs.device)
    train(above, inputs[torch.from_numpy(places)], targets, arm, seed, options=TrainOptions(objective))


def _check_parent_round(path: str | Path, previous: Lineage, split: dict, round_: int, digest: str) -> None:
    """A round may only start from the round before, of the same patient, arm, configuration and draws learned from."""
    found = previous.subject_id, previous.arm, previous.round
    asked = split["subject_id"], split["arm"], round_
    if found != asked:
        raise UserError(
            f"{path}: holds round {found[2]} of subject {found[0]} in arm {found[1]!r}, not round {asked[2]} of"
            f" subject {asked[0]} in arm {asked[1]!r}; delete it and run again"
        )
    if previous.digest != digest:
        raise UserError(f"{path}: was made with another configuration; run snakemake again so that it is remade")
    if previous.draws != tuple(training_draws_until(split, round_)):
        raise UserError(
            f"{path}: learned from other draws than the split's up to round {round_}; delete it and run again"
        )
