"""Fine-tune the generic network for one patient, in rounds that each add a pair of training draws (Chiu 2022)."""

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
from kalemia.core.wording import plural
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
    earlier_path: str | Path | None = None,
) -> None:
    """Train round `round_` (from 1) of the split, store the trained weights, and score all draws.

    The first round starts from `initial_model`, every other from the round before it (`previous_path`). With
    `arm.replay` the draws of earlier rounds are used again. The draws of a round are alternately positive and
    negative, whatever the labels in the shard; all their beats are used, so the class with more beats has more weight.
    There is no validation: the weights after the last epoch are stored. The outputs of frozen stages come from the
    features file. `earlier_path` is as for `write_round_predictions`. Raises `UserError` if split, shard, features and
    weights do not belong together.
    """
    device = set_up_torch(personal.threads)
    split, beats = read_split(split_path), read_beats(shard_path, network)
    if round_ > len(split["rounds"]):
        raise UserError(
            f"{split_path}: has {plural(len(split['rounds']), 'round')} ({split['reason']}), so there is no round"
            f" {round_}"
        )
    if previous_path is None:
        model = initial_model(generic_path, network, arm, seed_of(seed, "head", split["subject_id"], split["arm"]))
    else:
        model, previous = load_round(previous_path, generic_path, network)
        _check_parent_round(previous_path, previous, split, round_ - 1, digest)
    head = freeze_for_arm(model, arm, personal.n_trained_stages).to(device)
    inputs = read_inputs(features_path, shard_path, generic_path, beats.inputs, head.last_frozen).to(device)
    rounds = rounds_to_train_on(split["rounds"], round_, arm.replay)
    log.info("round %d: training on %s", round_, _list_draws(rounds))
    round_seed = seed_of(seed, "personal", split["subject_id"], split["arm"], round_)
    objective = Objective.from_config(network)
    train_on_draws(
        head, inputs, beats.draw_ids, beats.rows["value"].to_numpy(), rounds, arm, round_seed, objective, shard_path
    )
    training_draws = training_draws_until(split, round_)
    lineage = Lineage(
        kind="personal",
        architecture=network,
        digest=digest,
        draws=tuple(training_draws),
        cut_off=pc.max(
            beats.rows.filter(pc.is_in(beats.rows["draw_id"], pa.array(training_draws)))["draw_time"]
        ).as_py(),
        parent=file_hash(previous_path or generic_path),
        generic=file_hash(generic_path),
        subject_id=split["subject_id"],
        arm=split["arm"],
        round=round_,
    )
    save_checkpoint(model_path, trained_tensors(model), lineage)
    outputs = predict(head, inputs).cpu().numpy()
    write_round_predictions(
        outputs, beats.rows, split, round_, network, decision, digest, predictions_path, metrics_path, earlier_path
    )


def initial_model(generic_path: str | Path, network: config.Network, arm: config.Arm, seed: int) -> ResNet:
    """The model that a patient's first round starts from: the generic network with a new head, or all weights new."""
    if arm.train == "from_scratch":
        return build_resnet(network, seed)
    model, _ = load_generic(generic_path, network)
    model.reset_head(seed)
    return model


def freeze_for_arm(model: ResNet, arm: config.Arm, n_trained_stages: int) -> TrainableHead:
    """Freeze all stages that the arm does not train, and return the rest of the network."""
    last_frozen = last_frozen_stage(arm, n_trained_stages)
    model.freeze_through(last_frozen)
    if arm.batch_norm == "frozen":
        model.freeze_batch_norm()
    return TrainableHead(model, last_frozen)


def rounds_to_train_on(rounds: list, round_: int, replay: bool) -> list:
    """The rounds whose draws round `round_` (from 1) trains on: only itself, or with `replay` all earlier ones too."""
    return rounds[0 if replay else round_ - 1 : round_]


def train_on_draws(
    head: TrainableHead,
    inputs: Tensor,
    draw_ids: np.ndarray,
    analyte: np.ndarray,
    rounds: list,
    arm: config.Arm,
    seed: int,
    objective: Objective,
    where: str | Path,
) -> None:
    """Train `head` in place on the beats of the draws of some rounds, which are alternately positive and negative.

    inputs: of `head`, for all beats of the patient (n, ...). draw_ids: int64 (n,). analyte: the value of each beat's
    draw (n,), for networks with an auxiliary head. Raises `UserError` if one of the draws has no beats; `where` says
    where they come from.
    """
    training_draws = [draw for pairs in rounds for draw in pairs]
    missing = sorted(set(training_draws) - set(draw_ids.tolist()))
    if missing:
        raise UserError(f"{where}: has no beats of draw {missing[0]}, a training draw of the split; run again")
    places = np.flatnonzero(np.isin(draw_ids, training_draws))
    labels = np.isin(draw_ids[places], [draw for pairs in rounds for draw in pairs[::2]])
    targets = objective.targets(labels, analyte[places]).to(inputs.device)
    options = TrainOptions(objective, precision=arm.precision)
    train(head, inputs[torch.from_numpy(places)], targets, arm, seed, options=options)


def _check_parent_round(path: str | Path, previous: Lineage, split: dict, round_: int, digest: str) -> None:
    """Check that a parent is the round before, of the same patient, arm, configuration and training draws."""
    actual = previous.subject_id, previous.arm, previous.round
    expected = split["subject_id"], split["arm"], round_
    if actual != expected:
        raise UserError(
            f"{path}: holds round {actual[2]} of subject {actual[0]} in arm {actual[1]!r}, not round {expected[2]} of"
            f" subject {expected[0]} in arm {expected[1]!r}; delete it and run again"
        )
    if previous.digest != digest:
        raise UserError(f"{path}: was made with another configuration; run snakemake again so that it is remade")
    if previous.draws != tuple(training_draws_until(split, round_)):
        raise UserError(
            f"{path}: was trained on other draws than those of the split until round {round_}; delete it and run again"
        )


def _list_draws(rounds: list) -> str:
    """For a log, for example ``draws 8000351 (positive) and 8000339 (negative)``."""
    positive, negative = (", ".join(str(draw) for pairs in rounds for draw in pairs[i::2]) for i in (0, 1))
    return f"draws {positive} (positive) and {negative} (negative)"
