"""Personalize a generic network for one patient in memory, by the same training as the workflow's rounds."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import torch

from kalemia.beats.dataset import BeatSet, beat_set
from kalemia.beats.normalization import sums_after
from kalemia.beats.segment_beats import extract_beats, wave_of_draw
from kalemia.core.config import Arm, Personal, Study
from kalemia.core.errors import UserError
from kalemia.core.schemas import RATE_HZ
from kalemia.core.seeds import seed_of
from kalemia.models.model import Model
from kalemia.models.model_config import ModelConfig, TestMetrics
from kalemia.network.losses import Objective
from kalemia.network.resnet import ResNet
from kalemia.personal.finetune import freeze_for_arm, rounds_to_train_on, train_on_draws
from kalemia.personal.nulls import copy_initial_model, features_at

ARM, DEFAULT_ARM = "forward", Arm()
_FIRST = datetime(1970, 1, 1)  # excerpts have an order and no times


def personalize(
    model: Model,
    excerpts: Sequence[np.ndarray],
    labels: Sequence[int | None],
    *,
    subject_id: int = 0,
    arm: Arm = DEFAULT_ARM,
    seed: int = Study().seed,
) -> Model:
    """Train one patient's network from a generic one, on excerpts of the patient's ECG with known labels.

    model: a generic one. excerpts: the ECG before each blood draw in the order of time, (samples,) of the model's lead
    in mV at 125 Hz, NaN where nothing was recorded, as long as the model's windows (ten minutes). labels: of each, 1
    positive, 0 negative, None neither.

    The training is that of the arm `forward` with the settings `arm`, the defaults being those of the demo: the first
    positive and the first negative usable excerpt are round 1, the second of each round 2, and so on; each round trains
    the last stage and a new head from where the round before it ended (Chiu 2022). Every pair is learned from and
    nothing is held out, so judge the result on later excerpts. subject_id and seed: random choices derive from them;
    with those of a study the network is that study's, to the last bit on the same machine. The result has no
    calibration and no metrics, and its draws are places in `excerpts`.

    Raises `UserError`, in one line, for a personal model, another number of labels, and without a usable pair.

        >>> mine = kalemia.personalize(kalemia.load_model("models/generic"), excerpts, labels=[0, 1, 0, 1])
        >>> mine.predict(later_ecg_mv, rate_hz=125)
    """
    config = model.config
    _check_arguments(config, excerpts, labels)
    tables, quality = _extract(config, excerpts)
    rounds = _pairs(labels, quality)
    beats, personal = beat_set("the excerpts", tables, config.network), Personal()
    with _threads(personal.threads):
        network = _train(model.network, beats, rounds, config, arm, personal, subject_id, seed)
    learned = sorted(place for pair in rounds for place in pair)
    until = beats.take(beats.draw_ids <= learned[-1])
    wave = wave_of_draw(_as_table(excerpts), quality[learned[-1]]["fiducial_draw_id"], config.beat_settings, {})
    personalized = dataclasses.replace(
        config,
        kind="personal",
        subject_id=subject_id,
        arm=ARM,
        round=len(rounds),
        train=arm.train,
        calibration=None,
        metrics=TestMetrics(0, 0, None, None, None, None),
        draws=tuple(learned),
        cut_off=None,
        sums=sums_after(until.beats_mv, until.draw_ids, until.rows["draw_time"].to_numpy()),
        mean_beat_mv=np.mean(
            [beats.beats_mv[beats.draw_ids == i].mean(axis=0, dtype=np.float64) for i in learned], axis=0
        ),
        wave=wave if wave and wave.has_baseline else None,
    )
    return Model(personalized, network.eval())


def _check_arguments(config: ModelConfig, excerpts: Sequence[np.ndarray], labels: Sequence[int | None]) -> None:
    if config.kind != "generic":
        raise UserError(f"the model is of one patient ({config.name}); personalize a generic one")
    if not len(excerpts):
        raise UserError("there are no excerpts; give at least a positive and a negative one")
    if len(excerpts) != len(labels):
        raise UserError(f"{len(excerpts)} excerpts have {len(labels)} labels; give one for each")
    if wrong := set(labels) - {0, 1, None}:
        raise UserError(f"{wrong.pop()!r} is not a label: 1 is positive, 0 negative, None neither")
    if config.network.auxiliary_head != "none":
        raise UserError("the network also estimates values, and labels are not enough to train it; use kalemia enroll")


def _extract(config: ModelConfig, excerpts: Sequence[np.ndarray]) -> tuple[pa.Table, list[dict]]:
    """The beats of all excerpts as a table of kind "beats", and the row of each as in a table of kind "quality"."""
    rows = []
    for place, ecg_mv in enumerate(excerpts):
        recorded_s = np.count_nonzero(np.isfinite(ecg_mv)) / RATE_HZ
        segment = {"name": "excerpt", "start": 0, "stop": len(ecg_mv), "gain": 1.0, "baseline": 0}
        about = dict.fromkeys(("subject_id", "value", "label", "hadm_id"))
        about |= {"draw_id": place, "draw_time": _FIRST + timedelta(minutes=place), "recording": "excerpt"}
        about |= {"sample_from": 0, "segments": [segment]}
        reason = None if recorded_s >= 60 * config.min_recorded_minutes else "gap"
        rows.append((about | {"reason": reason}, np.asarray(ecg_mv, np.float32)))
    tables, quality = zip(*extract_beats(rows, config.beat_settings, {}), strict=True)
    return pa.concat_tables(tables).combine_chunks(), list(quality)


def _pairs(labels: Sequence[int | None], quality: list[dict]) -> list[tuple[int, int]]:
    """Rounds of a positive and a negative excerpt, in the order of time, as their places."""
    usable = {
        label: [i for i, row in enumerate(quality) if labels[i] == label and not row["reason"]] for label in (1, 0)
    }
    if not (usable[1] and usable[0]):
        lost = "; ".join(f"excerpt {i}: {row['reason']}" for i, row in enumerate(quality) if row["reason"])
        raise UserError(
            f"{len(usable[1])} positive and {len(usable[0])} negative excerpts are usable, and one of each is needed"
            + f" ({lost})" * bool(lost)
        )
    return list(zip(usable[1], usable[0], strict=False))


def _train(
    generic: ResNet,
    beats: BeatSet,
    rounds: list[tuple[int, int]],
    config: ModelConfig,
    arm: Arm,
    personal: Personal,
    subject_id: int,
    seed: int,
) -> ResNet:
    network = copy_initial_model(generic, config.network, arm, seed_of(seed, "head", subject_id, ARM))
    head = freeze_for_arm(network, arm, personal.n_trained_stages)
    inputs = features_at(generic, beats.inputs, head.last_frozen)
    objective, no_values = Objective.from_config(config.network), np.full(len(beats), np.nan)
    for k in range(1, len(rounds) + 1):
        pairs = rounds_to_train_on(rounds, k, arm.replay)
        round_seed = seed_of(seed, "personal", subject_id, ARM, k)
        train_on_draws(head, inputs, beats.draw_ids, no_values, pairs, arm, round_seed, objective, "the excerpts")
    return network


def _as_table(excerpts: Sequence[np.ndarray]) -> pa.Table:
    """What `wave_of_draw` reads of a table of excerpts."""
    signals = pa.array([np.asarray(ecg_mv, np.float32) for ecg_mv in excerpts], pa.list_(pa.float32()))
    return pa.table({"draw_id": range(len(excerpts)), "ecg_mv": signals})


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Compute with n threads, as a job of the workflow does; they affect the result."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
