"""AUC of networks trained in bfloat16 and in float32 on the same simulated patients, seed by seed.

    python benchmarks/precision.py

Each seed has its own people, whose T waves follow potassium: some train the generic network, others test it, and a few
patients are personalized in rounds. Everything is trained once in each precision, from the same weights and in the same
order; predictions are float32. Printed are the mean AUCs, and the mean difference with its 95% interval over seeds
(Student's t). On processors without bfloat16 units the arithmetic is the same, but slower.
"""

import argparse
import copy
import logging
import statistics
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import t as student_t

from kalemia.core import config
from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.core.seeds import rng, seed_of
from kalemia.network.inference import predict
from kalemia.network.losses import Objective
from kalemia.network.resnet import ResNet, build_resnet
from kalemia.network.training import TrainOptions, set_up_torch, train
from kalemia.personal.finetune import freeze_for_arm, train_on_draws
from kalemia.personal.frozen_stages import stage_features
from kalemia.simulate.heartbeats import beats_of_draw
from kalemia.simulate.noise_and_shortcuts import noise_mv
from kalemia.simulate.physiology import WAVES, random_heart
from kalemia.stats.discrimination import counts_by_score, roc_and_pr_auc

PRECISIONS = ("float32", "bfloat16")
GENERIC = config.Generic(epochs=8, batch_size=256, learning_rate=5e-4)
ARM = config.Arm()
PERSONAL = config.Personal()
SECONDS, TRAINING_DRAWS, TEST_DRAWS = 40, 6, 8


def simulated_beats(n_draws: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Beats (n, 120) of a new person, and the draw of each, from 0: draws 0, 2, ... are positive, the others not."""
    heart, beats_mv, draw_ids = random_heart(random, 1.0, fibrillates=False), [], []
    for draw in range(n_draws):
        potassium = random.uniform(3.6, 4.6) if draw % 2 else random.uniform(5.6, 6.8)
        beats, n_samples = beats_of_draw(heart, potassium, 1.0, heart.ectopy, SECONDS, random), int(SECONDS * RATE_HZ)
        ecg_mv = beats.ecg_mv(n_samples, np.ones((1, len(WAVES))))[0]
        ecg_mv += noise_mv(n_samples, 1.0, 1.0, heart.breaths_hz, random)
        starts = (np.rint(beats.rhythm.r_s * RATE_HZ) - R_INDEX).astype(int)
        starts = starts[(starts >= 0) & (starts + BEAT_SAMPLES <= n_samples)]
        beats_mv.append(ecg_mv[starts[:, None] + np.arange(BEAT_SAMPLES)])
        draw_ids.append(np.full(len(starts), draw))
    return np.concatenate(beats_mv).astype(np.float32), np.concatenate(draw_ids)


def beats_of_people(n_people: int, seed: int, what: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Beats of many people with a positive and a negative draw each, and the labels."""
    people = [simulated_beats(2, rng(seed, what, person)) for person in range(n_people)]
    beats_mv, draw_ids = (np.concatenate(parts) for parts in zip(*people, strict=True))
    return torch.from_numpy(beats_mv), torch.from_numpy(draw_ids % 2 == 0).float()


def auc(labels: np.ndarray, logits: torch.Tensor) -> float:
    return float(roc_and_pr_auc(*counts_by_score(labels, logits.numpy()))[0])


def generic_network(precision: str, seed: int, network: config.Network, people: int) -> ResNet:
    """The network of one seed after its training in a precision."""
    model = build_resnet(network, seed)
    validation = beats_of_people(people // 4, seed, "validation")
    train(model, *beats_of_people(people, seed, "train"), GENERIC, seed, validation, TrainOptions(precision=precision))
    return model


def personal_auc(generic: ResNet, precision: str, seed: int, patient: int) -> float:
    """AUC of the beats of a patient's test draws after rounds of one pair each."""
    beats_mv, draw_ids = simulated_beats(TRAINING_DRAWS + TEST_DRAWS, rng(seed, "patient", patient))
    model = copy.deepcopy(generic)
    model.reset_head(seed_of(seed, "head", patient))
    head, arm = freeze_for_arm(model, ARM, PERSONAL.n_trained_stages), replace(ARM, precision=precision)
    inputs = stage_features(generic, torch.from_numpy(beats_mv), head.last_frozen)[0].clone()
    values = np.zeros(len(draw_ids), np.float32)
    for first in range(0, TRAINING_DRAWS, 2):
        round_seed = seed_of(seed, "round", patient, first)
        pair = [(first, first + 1)]
        train_on_draws(head, inputs, draw_ids, values, pair, arm, round_seed, Objective(), "the benchmark")
    test = draw_ids >= TRAINING_DRAWS
    return auc(draw_ids[test] % 2 == 0, predict(head, inputs[torch.from_numpy(test)]))


def compare(what: str, aucs: dict[str, list[float]]) -> None:
    """Print the mean AUCs, and the mean of the paired differences with its interval."""
    differences = [one - other for one, other in zip(aucs["bfloat16"], aucs["float32"], strict=True)]
    mean, n = statistics.mean(differences), len(differences)
    half = float(student_t.ppf(0.975, n - 1)) * statistics.stdev(differences) / n**0.5
    means = ", ".join(f"{precision} {statistics.mean(aucs[precision]):.4f}" for precision in PRECISIONS)
    print(f"{what}: {means}; difference {mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f}), {n} seeds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--people", type=int, default=60, help="who train the generic network")
    parser.add_argument("--patients", type=int, default=6, help="who are personalized")
    parser.add_argument("--depth", type=int, default=config.Network().depth)
    parser.add_argument("--width", type=int, default=config.Network().width)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    set_up_torch(options.threads)
    network = config.Network(options.depth, options.width)
    print(f"{options.depth} layers of width {options.width}, torch {torch.__version__}")
    aucs = {what: {precision: [] for precision in PRECISIONS} for what in ("generic", "personal")}
    for seed in range(options.seeds):
        test_beats_mv, test_labels = beats_of_people(options.people // 2, seed, "test")
        for precision in PRECISIONS:
            model = generic_network(precision, seed, network, options.people)
            aucs["generic"][precision].append(auc(test_labels.numpy(), predict(model, test_beats_mv)))
            patients = [personal_auc(model, precision, seed, patient) for patient in range(options.patients)]
            aucs["personal"][precision].append(statistics.mean(patients))
    for what, by_precision in aucs.items():
        compare(what, by_precision)


if __name__ == "__main__":
    main()
