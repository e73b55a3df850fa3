"""Train the runs of one patient's negative controls, and score them."""

import copy
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kalemia.beats.dataset import BeatSet, read_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.seeds import seed_of
from kalemia.core.tables import table_from_rows, write_table
from kalemia.network.checkpoints import load_generic
from kalemia.network.inference import predict
from kalemia.network.losses import Objective
from kalemia.network.predictions import beat_tensor, draw_predictions
from kalemia.network.resnet import N_STAGES, ResNet, build_resnet
from kalemia.network.training import set_up_torch
from kalemia.personal.finetune import freeze_for_arm, rounds_to_train_on, train_on_draws
from kalemia.personal.frozen_stages import NOTHING_FROZEN, TrainableHead, last_frozen_stage, read_inputs, stage_features
from kalemia.personal.negative_controls import RUNS, NullRun, null_runs
from kalemia.personal.splits import read_split
from kalemia.stats.draw_metrics import role_metrics

log = logging.getLogger("kalemia")


def write_nulls(
    split_path: str | Path,
    shard_path: str | Path,
    features_path: str | Path,
    generic_path: str | Path,
    network: config.Network,
    personal: config.Personal,
    arm: config.Arm,
    repeats: dict[str, range],
    seed: int,
    digest: str,
    decision: str,
    path: str | Path,
) -> None:
    """Train runs of an arm's negative controls as its rounds are trained, and write their metrics.

    `repeats` are those of one of `Arm.null_chunks`. What the frozen stages return is computed once for all runs. Raises
    `UserError` if there are no runs, and as the readers of the input files.
    """
    if not repeats:
        raise UserError(f"{path}: the arm has no such runs of negative controls; its negative_controls say how many")
    split = read_split(split_path)
    trainer = RunTrainer.read(shard_path, features_path, generic_path, network, personal, arm, decision)
    label_of = {row["draw_id"]: row["label"] for row in split["draws"]}
    rows = []
    for kind, of_kind in repeats.items():
        runs = null_runs(kind, of_kind.stop, split, arm, personal, seed)[of_kind.start :]
        of_runs, make_inputs = trainer, RUNS[kind].inputs
        if runs and make_inputs:
            of_runs = trainer.with_inputs(make_inputs(trainer.beats, network))
        for repeat, run in zip(of_kind, runs, strict=False):  # no runs if the patient does not allow any
            row = {"arm": split["arm"], "subject_id": split["subject_id"], "kind": kind}
            rows.append(row | {"repeat": repeat, "seed": run.seed} | of_runs.score(run, label_of))
        log.info("negative control %s: %d runs", kind, len(runs))
    write_table(path, "nulls", table_from_rows("nulls", rows), digest)


@dataclass(frozen=True)
class RunTrainer:
    """What all runs of a patient in an arm start from.

    inputs: those of a `TrainableHead` of the arm, for all beats (n, ...).
    """

    generic: ResNet
    beats: BeatSet
    inputs: Tensor
    network: config.Network
    personal: config.Personal
    arm: config.Arm
    decision: str

    @classmethod
    def read(
        cls,
        shard_path: str | Path,
        features_path: str | Path,
        generic_path: str | Path,
        network: config.Network,
        personal: config.Personal,
        arm: config.Arm,
        decision: str,
    ) -> "RunTrainer":
        """Read the files of a patient, to the device that trains; raises `UserError` as their readers."""
        device = set_up_torch(personal.threads)
        beats = read_beats(shard_path, network)
        generic = load_generic(generic_path, network)[0].to(device)
        last_frozen = last_frozen_stage(arm, personal.n_trained_stages)
        inputs = read_inputs(features_path, shard_path, generic_path, beats.inputs, last_frozen).to(device)
        return cls(generic, beats, inputs, network, personal, arm, decision)

    def with_inputs(self, inputs: np.ndarray) -> "RunTrainer":
        """The same with other inputs of the whole network (n, ...)."""
        last_frozen = last_frozen_stage(self.arm, self.personal.n_trained_stages)
        return replace(self, inputs=features_at(self.generic, inputs, last_frozen))

    def score(self, run: NullRun, label_of: dict[int, int | None]) -> dict:
        """Train the rounds of a run; `role_metrics` of its test draws, by the labels that it moves from `label_of`."""
        rounds = train_null(run, self.generic, self.inputs, self.beats, self.network, self.arm, self.personal)
        test, outputs = _predict_test(rounds, self.inputs, self.beats, run)
        return score_with_labels(outputs, self.beats.take(test), run.relabel(label_of), self.decision)


def train_null(
    run: NullRun,
    generic: ResNet,
    inputs: Tensor,
    beats: BeatSet,
    network: config.Network,
    arm: config.Arm,
    personal: config.Personal,
) -> Iterator[tuple[int, TrainableHead]]:
    """Train the rounds of a run; each number, from 1, with the network after it, which the next round trains further.

    `inputs` (n, ...) are those of a `TrainableHead` of the arm, for all `beats`.
    """
    model = copy_initial_model(generic, network, arm, seed_of(run.seed, "head"))
    head, objective = freeze_for_arm(model, arm, personal.n_trained_stages), Objective.from_config(network)
    values = run.relabel(dict(zip(beats.draw_ids.tolist(), beats.rows["value"].to_pylist(), strict=True)))
    analyte = np.array([values[draw] for draw in beats.draw_ids.tolist()])
    for round_ in range(1, len(run.split.rounds) + 1):
        rounds = list(rounds_to_train_on(run.split.rounds, round_, arm.replay))
        seed = seed_of(run.seed, "round", round_)
        with _no_epoch_logs():
            train_on_draws(head, inputs, beats.draw_ids, analyte, rounds, arm, seed, objective, "the shard")
        yield round_, head


def _predict_test(
    rounds: Iterable[tuple[int, TrainableHead]], inputs: Tensor, beats: BeatSet, run: NullRun
) -> tuple[np.ndarray, np.ndarray]:
    """The beats of the test draws (n,), and the outputs for each of the network that predicts its draw (n, ...)."""
    places, outputs = [], []
    for round_, head in rounds:
        mine = np.flatnonzero(np.isin(beats.draw_ids, run.split.predicted_in(round_)))
        if len(mine):
            places.append(mine)
            outputs.append(predict(head, inputs[torch.from_numpy(mine)]).cpu().numpy())
    order = np.argsort(np.concatenate(places))
    return np.concatenate(places)[order], np.concatenate(outputs)[order]


def features_at(generic: ResNet, inputs: np.ndarray, last_frozen: int) -> Tensor:
    """Compute the inputs of a `TrainableHead` from other network inputs (n, ...) than those of the features file."""
    tensor = beat_tensor(inputs, generic.head.weight.device)
    if last_frozen == NOTHING_FROZEN:
        return tensor
    stage, pooled, _ = stage_features(generic, tensor, min(last_frozen, N_STAGES - 1))
    return pooled if last_frozen == N_STAGES else stage


def score_with_labels(outputs: np.ndarray, test: BeatSet, label_of: dict[int, int], decision: str) -> dict:
    """`role_metrics` of a network's outputs for test beats, with labels that may not be those of the draws."""
    relabeled = test.with_labels(np.array([label_of[draw] for draw in test.draw_ids.tolist()], np.int8))
    roles = dict.fromkeys(test.draw_ids.tolist(), "test")
    return role_metrics(draw_predictions(outputs, relabeled.rows, roles, decision), "test")


def copy_initial_model(generic: ResNet, network: config.Network, arm: config.Arm, seed: int) -> ResNet:
    """As `finetune.initial_model`, from a generic network in memory, which is not changed."""
    if arm.train == "from_scratch":
        return build_resnet(network, seed).to(generic.head.weight.device)
    model = copy.deepcopy(generic)
    model.reset_head(seed)
    return model


@contextmanager
def _no_epoch_logs() -> Iterator[None]:
    """Suppress the log line of each epoch."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
