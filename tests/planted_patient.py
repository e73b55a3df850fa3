"""A simulated patient with a network of his own, trained in memory, and 48 hours of ECG with a planted course."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from kalemia.beats.normalization import NO_BEATS
from kalemia.beats.segment_beats import BeatSettings, assess_with_marks, choose_candidates, choose_spread_beats
from kalemia.core.config import Arm, Generic, Network, Study
from kalemia.core.seeds import rng, seed_of
from kalemia.ecg.fiducial import FiducialTemplate
from kalemia.models.model_config import ModelConfig
from kalemia.models.model_folder import write_model_folder
from kalemia.network.checkpoints import Lineage
from kalemia.network.resnet import ResNet, build_resnet
from kalemia.network.training import train
from kalemia.personal.finetune import freeze_for_arm
from kalemia.personal.frozen_stages import stage_features
from kalemia.simulate.physiology import SIGNS, Heart, random_heart
from model_folders import CUT_OFF, model_config
from simulated_course import course_mv

THRESHOLD = 5.5  # mEq/L, above which a draw is positive
HOURS, FLAT_HOURS = 48, 24
_COURSE = (  # hour, mEq/L; straight lines between
    (0, 4.3),
    (FLAT_HOURS, 4.3),
    (26, 7.0),
    (30, 7.0),
    (34, 4.3),
    (38, 4.3),
    (39.5, 6.4),
    (42, 6.4),
    (45, 4.3),
    (HOURS, 4.3),
)
_NEGATIVE, _POSITIVE = (3.5, 5.0), (5.6, 6.6)  # mEq/L, of the draws that networks learn from
_OTHERS, _ROUNDS = 40, 5
_GENERIC = Generic(epochs=8, batch_size=256, learning_rate=5e-4)


def potassium_at(hour: float) -> float:
    """The course: a flat day, a rise to 7 mEq/L within two hours, a fall, and a second, lower rise."""
    return float(np.interp(hour, *zip(*_COURSE, strict=True)))


def crossing_hours() -> list[float]:
    """When potassium passes the threshold upward."""
    return [
        float(np.interp(THRESHOLD, (low, high), (start, stop)))
        for (start, low), (stop, high) in pairwise(_COURSE)
        if low <= THRESHOLD < high
    ]


def patient_ecg_mv(seed: int) -> Iterator[np.ndarray]:
    """The ECG of the patient over the planted course, in pieces."""
    return course_mv(_heart(seed, 0), potassium_at, HOURS, seed_of(seed, "course"))


def train_patient_model(folder: Path, study: Study, seed: int) -> ModelConfig:
    """Write the model folder of the patient's last round; the draws are none of the course."""
    settings, network = BeatSettings.from_study(study), study.network
    others = [draw for person in range(1, _OTHERS + 1) for draw in _pair(settings, seed, person)]
    beats, labels = zip(*others, strict=True)
    generic = _trained_generic(network, np.concatenate(beats), _of_beats(beats, labels), seed)
    template, own = None, []
    for round_ in range(_ROUNDS):
        for label in (1, 0):
            beats_mv, wave = _draw(settings, seed, 0, f"round {round_}", label, template)
            template = template or wave
            own.append((beats_mv, label))
    _personalize(generic, own, seed)
    changes = {"network": network, "beats": study.beats, "wave": template, "sums": NO_BEATS}
    config = model_config(**changes, mean_beat_mv=np.mean([beats_mv.mean(axis=0) for beats_mv, _ in own], axis=0))
    lineage = Lineage("personal", network, "a-digest", config.draws, CUT_OFF, subject_id=10059, arm="forward", round=2)
    write_model_folder(folder, config, generic.state_dict(), lineage, "# A card\n")
    return config


def _trained_generic(network: Network, beats_mv: np.ndarray, labels: np.ndarray, seed: int) -> ResNet:
    """A network trained on the beats of others."""
    generic = build_resnet(network, seed)
    inputs, targets = torch.tensor(beats_mv), torch.tensor(labels, dtype=torch.float32)
    train(generic, inputs, targets, _GENERIC, seed)
    return generic


def _personalize(model: ResNet, draws: list[tuple[np.ndarray, int]], seed: int) -> None:
    """Train the last stage and a new head in place, a pair of draws a round and those before again."""
    arm = Arm(replay=True)
    model.reset_head(seed)
    head = freeze_for_arm(model, arm, 1)
    for round_ in range(_ROUNDS):
        beats, labels = zip(*draws[: 2 * round_ + 2], strict=True)
        inputs, _, _ = stage_features(model, torch.tensor(np.concatenate(beats)), head.last_frozen)
        targets = torch.tensor(_of_beats(beats, labels), dtype=torch.float32)
        train(head, inputs.clone(), targets, arm, seed_of(seed, "round", round_))


def _pair(settings: BeatSettings, seed: int, person: int) -> Iterator[tuple[np.ndarray, int]]:
    """The beats of a positive and of a negative draw of a person, if they can be used."""
    for label in (1, 0):
        beats_mv, _ = _draw(settings, seed, person, "draw", label, None)
        if len(beats_mv):
            yield beats_mv, label


def _draw(
    settings: BeatSettings, seed: int, person: int, name: str, label: int, template: FiducialTemplate | None
) -> tuple[np.ndarray, FiducialTemplate | None]:
    """The kept beats (n, 120) of a draw's ten minutes, and the wave that is marked in them."""
    low, high = _POSITIVE if label else _NEGATIVE
    potassium = rng(seed, "potassium", person, name, label).uniform(low, high)
    pieces = course_mv(_heart(seed, person), lambda _: potassium, 1 / 6, seed_of(seed, "draw", person, name, label))
    ecg_mv = np.concatenate(list(pieces)).astype(np.float32)
    assessment, reason = assess_with_marks(ecg_mv, settings, None, template)
    if reason:
        return np.zeros((0, 120), np.float32), None
    good, _ = choose_candidates(assessment, None)
    position, quality = assessment.r_peaks[good] / len(ecg_mv), assessment.beat_labels.quality[good]
    kept = good[choose_spread_beats(quality, position, settings.beats.max_per_draw)]
    return assessment.beats_mv[kept], assessment.fiducials.own


def _heart(seed: int, person: int) -> Heart:
    """A heart; the patient's shows all signs as strongly as they are published."""
    heart = random_heart(rng(seed, "heart", person), 1.0, False)
    return heart if person else replace(heart, profile=np.ones(len(SIGNS)))


def _of_beats(beats: tuple[np.ndarray, ...], labels: tuple[int, ...]) -> np.ndarray:
    return np.repeat(labels, [len(beats_mv) for beats_mv in beats])
