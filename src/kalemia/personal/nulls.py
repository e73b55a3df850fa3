"""Runs in which the truth has been destroyed: what a personal network must not match, if it reads what it should."""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kalemia.beats.dataset import RR_COLUMNS, BeatSet, read_beats
from kalemia.beats.normalization import normalize_beats
from kalemia.core import config
from kalemia.core.negative_controls import TRAINED
from kalemia.core.seeds import rng, seed_of
from kalemia.core.tables import table_from_rows, write_table
from kalemia.network.checkpoints import load_generic
from kalemia.network.inference import predict
from kalemia.network.losses import Objective
from kalemia.network.predictions import beat_tensor, draw_predictions
from kalemia.network.resnet import N_STAGES, ResNet, build_resnet
from kalemia.network.training import set_up_torch
from kalemia.personal.episodes import Draw
from kalemia.personal.finetune import freeze_for_arm, rounds_to_train_on, train_on_draws
from kalemia.personal.frozen_stages import NOTHING_FROZEN, TrainableHead, last_frozen_stage, read_inputs, stage_features
from kalemia.personal.splits import Split, parse_draws, read_split, split_draws
from kalemia.stats.draw_metrics import role_metrics

log = logging.getLogger("kalemia")

_BETWEEN = 10  # samples at the start of a beat, 320 to 240 ms before R: neither T nor P, below some 95 beats a minute


@dataclass(frozen=True)
class NullRun:
    """One run: the split it learns by, and from which draw a draw takes its label and value, if not its own."""

    seed: int
    split: Split
    label_source: dict[int, int]

    def relabel(self, of_draw: dict) -> dict:
        """What the draws have (label, value) after the move."""
        return {draw: of_draw[self.label_source.get(draw, draw)] for draw in of_draw}


def write_nulls(
    split_path: str | Path,
    shard_path: str | Path,
    features_path: str | Path,
    generic_path: str | Path,
    network: config.Network,
    personal: config.Personal,
    arm: config.Arm,
    seed: int,
    digest: str,
    decision: str,
    path: str | Path,
) -> None:
    """Train every null of `TRAINED` that the arm asks for as its rounds are trained, and write its metrics.

    shuffled: the labels of the draws learned from change places. shifted: all the patient's labels move along time,
    around the end, so that they keep their runs; the draws are divided anew and tested by the moved labels.
    Shifts are taken in a random order, and in another one when there are fewer than repeats: with one order the same
    shifts of all patients who have equally many would meet again, and such runs would be copies but for their seed.
    between_beats: the beats hold nothing but the stretch between two of them. All else is as in the truth, and what
    lies below the arm's seam is computed once.
    """
    device = set_up_torch(personal.threads)
    split, beats = read_split(split_path), read_beats(shard_path, network)
    generic = load_generic(generic_path, network)[0].to(device)
    after = last_frozen_stage(arm, personal.trained_stages)
    inputs = read_inputs(features_path, shard_path, generic_path, beats.inputs, after).to(device)
    label_of = {row["draw_id"]: row["label"] for row in split["draws"]}
    rows = []
    for kind in TRAINED:
        n = arm.nulls.get(kind, 0)
        if kind == "between_beats" and n:
            inputs = features_at(generic, tp_segment_inputs(beats, network), after)
        for repeat, null in enumerate(null_runs(kind, n, split, arm, personal, seed)):
            above = train_null(null, generic, inputs, beats, network, arm, personal)
            test = np.flatnonzero(np.isin(beats.draw_ids, null.split.test))
            outputs = predict(above, inputs[torch.from_numpy(test)]).cpu().numpy()
            about = {"arm": split["arm"], "subject_id": split["subject_id"], "kind": kind}
            metrics = score_with_labels(outputs, beats.take(test), null.relabel(label_of), decision)
            rows.append(about | {"repeat": repeat, "seed": null.seed} | metrics)
        log.info("%s: %d runs", kind, n)
    write_table(path, "nulls", table_from_rows("nulls", rows), digest)


def train_null(
    null: NullRun,
    generic: ResNet,
    inputs: Tensor,
    beats: BeatSet,
    network: config.Network,
    arm: config.Arm,
    personal: config.Personal,
) -> TrainableHead:
    """A network after all rounds of a null; `inputs` (n, ...) are what lies at the arm's seam, of all `beats`."""
    above = freeze_for_arm(
        _initial_model(generic, network, arm, seed_of(null.seed, "head")), arm, personal.trained_stages
    )
    with _no_epoch_logs():
        _train_all_rounds(above, inputs, beats, null, arm, Objective.from_config(network))
    return above


def null_runs(
    kind: str, n: int, split: dict, arm: config.Arm, personal: config.Personal, seed: int
) -> Iterator[NullRun]:
    """The repeats of a null: `n`, or none where the protocol is impossible for every shift of the labels."""
    draws, _ = parse_draws(split)
    about = seed, "null", kind, split["arm"], split["subject_id"]
    truth = Split(tuple(map(tuple, split["rounds"])), tuple(split["test"]))
    shifts = possible_shifts(draws, arm, personal, seed, split["subject_id"]) if kind == "shifted" and n else []
    order = _in_cycles(rng(*about, "order"), len(shifts))
    for repeat in range(n):
        null_seed = seed_of(*about, repeat)
        if kind == "between_beats":
            yield NullRun(null_seed, truth, {})
        elif kind == "shuffled":
            yield shuffle_labels(truth, draws, arm.protocol, null_seed)
        elif shifts:
            yield replace(shifts[next(order)], seed=null_seed)


def _in_cycles(random: np.random.Generator, n: int) -> Iterator[int]:
    """0 to n - 1 in a random order, then in another, and so on."""
    while True:
        yield from random.permutation(n)


def shuffle_labels(truth: Split, draws: Sequence[Draw], protocol: str, seed: int) -> NullRun:
    """The draws learned from change places in the rounds, and each takes the label of the one whose place it has.

    Under `forward` the places of a class are then filled in the order of time, as `draws` are; under the other
    protocols, which pair at random, they stay as dealt.
    """
    dealt = rng(seed, "labels").permutation(truth.training_draws).tolist()
    source = dict(zip(dealt, truth.training_draws, strict=True))
    if protocol == "forward":
        when = {draw.draw_id: place for place, draw in enumerate(draws)}
        dealt[::2], dealt[1::2] = sorted(dealt[::2], key=when.get), sorted(dealt[1::2], key=when.get)
    places = iter(dealt)
    rounds = tuple(tuple(next(places) for _ in pairs) for pairs in truth.rounds)
    return NullRun(seed, Split(rounds, truth.test), source)


def shift_labels(draws: Sequence[Draw], steps: int) -> dict[int, int]:
    """For draws in time the draw `steps` before each, whose label (or none) it takes; the last precede the first."""
    return {draw.draw_id: draws[i - steps].draw_id for i, draw in enumerate(draws)}


def possible_shifts(
    draws: Sequence[Draw], arm: config.Arm, personal: config.Personal, seed: int, subject_id: int
) -> list[NullRun]:
    """The draws moved by a quarter to three quarters of their number, wherever the protocol can divide them."""
    label = {draw.draw_id: draw.label for draw in draws}
    found = []
    for steps in range(max(1, len(draws) // 4), len(draws) - len(draws) // 4 + 1):
        source = shift_labels(draws, steps)
        moved = [replace(draw, label=label[source[draw.draw_id]]) for draw in draws]
        found.append(NullRun(seed, split_draws(arm, moved, personal, seed, subject_id), source))
    return [null for null in found if null.split.rounds]


def tp_segment(beats_mv: np.ndarray) -> np.ndarray:
    """Beats (n, 120) of nothing but the stretch before the P wave, mirrored to and fro, its mean taken out."""
    stretch_mv = beats_mv[:, :_BETWEEN] - beats_mv[:, :_BETWEEN].mean(axis=1, keepdims=True)
    return np.pad(stretch_mv, ((0, 0), (0, beats_mv.shape[1] - _BETWEEN)), mode="reflect")


def tp_segment_inputs(beats: BeatSet, network: config.Network) -> np.ndarray:
    """What the network takes (n, ...) where `between_beats` stands for the beats; intervals are all one second."""
    times = beats.rows["draw_time"].to_numpy()
    samples = normalize_beats(tp_segment(beats.beats_mv), beats.draw_ids, times, network.normalization)
    if not network.rr_intervals:
        return samples
    return np.concatenate([samples, np.ones((len(beats), len(RR_COLUMNS)), np.float32)], axis=1)


def features_at(generic: ResNet, inputs: np.ndarray, after: int) -> Tensor:
    """What lies at an arm's seam of other inputs than those of the features file."""
    tensor = beat_tensor(inputs, generic.head.weight.device)
    if after == NOTHING_FROZEN:
        return tensor
    stage, pooled, _ = stage_features(generic, tensor, min(after, N_STAGES - 1))
    return pooled if after == N_STAGES else stage


def score_with_labels(outputs: np.ndarray, test: BeatSet, label_of: dict[int, int], decision: str) -> dict:
    """`role_metrics` of what a network says of some test beats, by labels that may not be their own."""
    relabeled = test.with_labels(np.array([label_of[draw] for draw in test.draw_ids.tolist()], np.int8))
    roles = dict.fromkeys(test.draw_ids.tolist(), "test")
    return role_metrics(draw_predictions(outputs, relabeled.rows, roles, decision), "test")


def _initial_model(generic: ResNet, network: config.Network, arm: config.Arm, seed: int) -> ResNet:
    """As `finetune.initial_model`, from a generic network that is in memory and stays as it is."""
    if arm.trained == "scratch":
        return build_resnet(network, seed).to(generic.head.weight.device)
    model = copy.deepcopy(generic)
    model.reset_head(seed)
    return model


def _train_all_rounds(
    above: TrainableHead, inputs: Tensor, beats: BeatSet, null: NullRun, arm: config.Arm, objective: Objective
) -> None:
    """All rounds of a null, one after the other."""
    value_of = dict(zip(beats.draw_ids.tolist(), beats.rows["potassium"].to_pylist(), strict=True))
    moved = null.relabel(value_of)
    analyte = np.array([moved[draw] for draw in beats.draw_ids.tolist()])
    for round_ in range(1, len(null.split.rounds) + 1):
        lesson = list(rounds_to_train_on(null.split.rounds, round_, arm.replay))
        seed = seed_of(null.seed, "round", round_)
        train_on_draws(above, inputs, beats.draw_ids, analyte, lesson, arm, seed, objective, "the shard")


@contextmanager
def _no_epoch_logs() -> Iterator[None]:
    """Without a line for every epoch of every repeat."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
