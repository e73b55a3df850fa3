"""Runs in which the truth has been destroyed: what a personal network must not match, if it reads what it should."""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kalemia import config
from kalemia.checkpoints import load_generic
from kalemia.episodes import Draw
from kalemia.evaluation import role_metrics
from kalemia.frozen import Above, features_of, read_inputs, seam
from kalemia.personal import learn, opened, pairs_of_round
from kalemia.predictions import BeatSet, beat_tensor, draw_predictions, read_beats
from kalemia.resnet import N_STAGES, ResNet, resnet
from kalemia.seeds import rng, seed_of
from kalemia.splits import Split, draws_of, read_split, split_draws
from kalemia.tables import table_from_rows, write_table
from kalemia.training import logits_of, set_up_torch

log = logging.getLogger("kalemia")

TRAINED_KINDS = ("shuffled", "shifted", "between_beats")  # each is a training of its own; a stranger needs none
_BETWEEN = 10  # samples at the start of a beat, 320 to 240 ms before the R peak, where neither T nor P wave is


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
    """Train every null of `TRAINED_KINDS` that the arm asks for as its rounds are trained, and write its metrics.

    shuffled: the labels of the draws learned from change places. shifted: all the patient's labels move along time,
    around the end, so that they keep their runs; the draws are divided anew and tested by the moved labels.
    between_beats: the beats hold nothing but the stretch between two of them. All but the labels or the beats is as in
    the truth, and what lies below the arm's seam is computed once.
    """
    device = set_up_torch(personal.threads)
    split, beats = read_split(split_path), read_beats(shard_path)
    generic = load_generic(generic_path, network)[0].to(device)
    after = seam(arm, personal.trained_stages)
    inputs = read_inputs(features_path, shard_path, generic_path, beats.beats_mv, after).to(device)
    others = above_seam(generic, between_beats(beats.beats_mv), after) if arm.nulls.get("between_beats") else inputs
    rows = []
    for kind in TRAINED_KINDS:
        mine = others if kind == "between_beats" else inputs
        null_splits = _null_splits(kind, arm.nulls.get(kind, 0), split, arm, personal, seed)
        for repeat, (null_seed, null_split, labels) in enumerate(null_splits):
            model = _begun(generic, network, arm, seed_of(null_seed, "head"))
            with _quiet():
                logits = last_logits(model, mine, beats.draw_ids, null_split, arm, personal, null_seed)
            test = beats.take(np.isin(beats.draw_ids, null_split.test))
            about = {"arm": split["arm"], "subject_id": split["subject_id"], "kind": kind}
            rows.append(about | {"repeat": repeat, "seed": null_seed} | metrics_by(logits, test, labels, decision))
        log.info("%s: %d runs", kind, arm.nulls.get(kind, 0))
    write_table(path, "nulls", table_from_rows("nulls", rows), digest)


def shuffled_rounds(split: dict, draws: Sequence[Draw], random: np.random.Generator) -> Split:
    """The split with the labels of the draws learned from dealt out anew, and pairs formed of them in time."""
    learned = {draw for pair in split["rounds"] for draw in pair}
    in_order = [draw.draw_id for draw in draws if draw.draw_id in learned]
    positive = set(random.permutation(in_order)[: len(in_order) // 2].tolist())
    sides = [draw for draw in in_order if draw in positive], [draw for draw in in_order if draw not in positive]
    return Split(tuple(zip(*sides, strict=True)), tuple(split["test"]))


def shifted_draws(draws: Sequence[Draw], steps: int) -> list[Draw]:
    """Labeled draws in time, each with the label of the draw `steps` before it, the first with those of the last."""
    labels = [draw.label for draw in draws]
    return [replace(draw, label=labels[i - steps]) for i, draw in enumerate(draws)]


def between_beats(beats_mv: np.ndarray) -> np.ndarray:
    """Beats (n, 120) of nothing but the stretch before the P wave, mirrored to and fro, its mean taken out."""
    stretch_mv = beats_mv[:, :_BETWEEN] - beats_mv[:, :_BETWEEN].mean(axis=1, keepdims=True)
    return np.pad(stretch_mv, ((0, 0), (0, beats_mv.shape[1] - _BETWEEN)), mode="reflect")


def above_seam(generic: ResNet, beats_mv: np.ndarray, after: int) -> Tensor:
    """What lies at an arm's seam of other beats than those of the features file."""
    beats = beat_tensor(beats_mv, generic.head.weight.device)
    if after < 0:
        return beats
    stage, pooled, _ = features_of(generic, beats, min(after, N_STAGES - 1))
    return pooled if after == N_STAGES else stage


def last_logits(
    model: ResNet,
    inputs: Tensor,
    draw_ids: np.ndarray,
    split: Split,
    arm: config.Arm,
    personal: config.Personal,
    seed: int,
) -> np.ndarray:
    """The logits of the test beats, in the order of the shard, once `model` has learned from all rounds of a split."""
    above = opened(model, arm, personal.trained_stages)
    for round_ in range(1, len(split.rounds) + 1):
        pairs = [list(pair) for pair in pairs_of_round(split.rounds, round_, arm.replay)]
        learn(above, inputs, draw_ids, pairs, arm, seed_of(seed, "round", round_), "the shard")
    test = np.flatnonzero(np.isin(draw_ids, split.test))
    return _logits(above, inputs[torch.from_numpy(test)])


def _begun(generic: ResNet, network: config.Network, arm: config.Arm, seed: int) -> ResNet:
    """As `personal.first_network`, from a generic network that is in memory and stays as it is."""
    if arm.trained == "scratch":
        return resnet(network.depth, network.width, seed).to(generic.head.weight.device)
    model = copy.deepcopy(generic)
    model.reset_head(seed)
    return model


def _null_splits(
    kind: str, n: int, split: dict, arm: config.Arm, personal: config.Personal, seed: int
) -> Iterator[tuple[int, Split, dict[int, int]]]:
    """For each repeat of a null its seed, the split it learns by, and the labels that it is tested by."""
    draws, _ = draws_of(split)
    about = seed, "null", kind, split["arm"], split["subject_id"]
    truth = Split(tuple(map(tuple, split["rounds"])), tuple(split["test"]))
    shifts = _possible_shifts(draws, arm, personal, seed, split["subject_id"]) if kind == "shifted" and n else []
    for repeat in range(n):
        seed_ = seed_of(*about, repeat)
        if kind == "shifted":
            if not shifts:
                return
            moved, moved_split = shifts[int(rng(*about, "order").permutation(len(shifts))[repeat % len(shifts)])]
            yield seed_, moved_split, {draw.draw_id: draw.label for draw in moved}
        elif kind == "shuffled":
            yield seed_, shuffled_rounds(split, draws, rng(seed_, "labels")), labels_of(split)
        else:
            yield seed_, truth, labels_of(split)


def _possible_shifts(
    draws: Sequence[Draw], arm: config.Arm, personal: config.Personal, seed: int, subject_id: int
) -> list[tuple[list[Draw], Split]]:
    """The draws moved by a quarter to three quarters of their number, wherever the protocol can divide them."""
    steps = range(max(1, len(draws) // 4), len(draws) - len(draws) // 4 + 1)
    moved = [shifted_draws(draws, step) for step in steps]
    found = [(one, split_draws(arm, one, personal, seed, subject_id)) for one in moved]
    return [(one, split) for one, split in found if split.rounds]


def metrics_by(logits: np.ndarray, test: BeatSet, labels: dict[int, int], decision: str) -> dict:
    """`role_metrics` of some test beats by labels that may not be their own."""
    relabeled = test.labeled(np.array([labels[draw] for draw in test.draw_ids.tolist()], np.int8))
    roles = dict.fromkeys(test.draw_ids.tolist(), "test")
    return role_metrics(draw_predictions(logits, relabeled.rows, roles, decision), "test")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without a line for every epoch of every repeat."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def labels_of(split: dict) -> dict[int, int]:
    """The label of every labeled draw of a split file, by draw."""
    return {row["draw_id"]: row["label"] for row in split["draws"]}


def _logits(above: Above, inputs: Tensor) -> np.ndarray:
    return logits_of(above, inputs).cpu().numpy()
