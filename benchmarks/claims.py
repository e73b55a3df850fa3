"""How often each claim is shown in simulated studies: false positive rates, power, and the spread of differences.

python benchmarks/claims.py [--patients 1500] [--studies 2000]. Each simulated patient has draws in time, labels in
runs, recordings with offsets of their own, and a few numbers per draw in place of the ECG. A cheap learner (ridge
regression) stands for the network; splits, shifted labels and the rule are Kalemia's own. A study is patients drawn
from a pool, so that thousands of studies take minutes.
"""

import argparse
import multiprocessing
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product

import numpy as np

from kalemia.core.config import ROLLING, Arm, Personal, Verdict
from kalemia.evaluation.claims.rule import CLAIMS, MIN_SHIFTED_RUNS, MIN_TEST_RUNS, SHOWN, arm_claims
from kalemia.personal.episodes import Draw, run_numbers
from kalemia.personal.negative_controls import NullRun, possible_shifts
from kalemia.personal.splits import split_draws
from kalemia.stats.draw_metrics import area_under_roc
from kalemia.stats.logistic_regression import fit_logistic

SIZES = (8, 12, 16, 30)
N_FEATURES, N_STRANGERS, N_DRAWS = 6, 5, 34
START = datetime(2150, 1, 1)
SETTINGS = Personal()
ARMS = {protocol: Arm(protocol=protocol) for protocol in ("rolling", "forward")}
SHARED = np.eye(N_FEATURES)[0]  # the direction in which potassium acts on everybody


@dataclass(frozen=True)
class World:
    """What is planted, per mEq/L of potassium and in SDs of noise.

    shared: the effect along `SHARED`; own: the effect along a direction of the patient's own. offset: SD of what
    differs between recordings; with_label: a new recording begins where the label changes. visible: the part of both
    effects that the comparator sees.
    """

    shared: float = 0.0
    own: float = 0.0
    offset: float = 1.0
    with_label: bool = False
    visible: float = 1.0


WORLDS = {
    "(b) shortcuts": World(offset=3.0),
    "(c) nothing": World(offset=0.0),
    "(f) recordings change with the label": World(offset=3.0, with_label=True),
    "(a) textbook": World(shared=0.8),
    "(d) own effect, strong": World(own=1.2, visible=0.3),
    "(d) own effect, weak": World(own=0.6, visible=0.3),
}


@dataclass(frozen=True)
class Patient:
    """A patient's evidence, and what other patients' networks and the last value need: weights and the test draws."""

    row: dict
    weights: np.ndarray
    test_scores: np.ndarray
    test_features: np.ndarray
    test_labels: np.ndarray
    last_values: np.ndarray


def simulate_draws(world: World, random: np.random.Generator) -> tuple[list[Draw], np.ndarray, np.ndarray, np.ndarray]:
    """The draws, potassium (n,), features (n, N_FEATURES) of the network, and those of the comparator.

    Potassium is a first-order autoregression with a memory of some 30 hours; values between the classes have no label.
    """
    hours = np.cumsum(random.gamma(4, 11 / 4, N_DRAWS))
    kept = np.exp(-np.diff(hours, prepend=hours[0]) / 30)
    deviation = random.normal(0, 0.9, N_DRAWS)
    for i in range(1, N_DRAWS):
        deviation[i] = kept[i] * deviation[i - 1] + np.sqrt(1 - kept[i] ** 2) * deviation[i]
    potassium = random.normal(5.2, 0.3) + deviation
    labels = [1 if value > 5.5 else 0 if 3.5 <= value <= 5.0 else None for value in potassium]
    begins = random.random(N_DRAWS) < 0.25
    if world.with_label:
        begins = np.array([i > 0 and labels[i] != labels[i - 1] for i in range(N_DRAWS)])
    recording = np.cumsum(begins)
    own = random.standard_normal(N_FEATURES)
    excess = (potassium - 4.5)[:, None]
    effect = excess * (world.shared * SHARED + world.own * own / np.linalg.norm(own))
    noise = random.standard_normal((N_DRAWS, N_FEATURES))
    noise += world.offset * random.standard_normal((recording[-1] + 1, N_FEATURES))[recording]
    draws = [
        Draw(i, START + timedelta(hours=float(hours[i])), labels[i], f"r{recording[i]}", 1) for i in range(N_DRAWS)
    ]
    return draws, potassium, effect + noise, world.visible * effect + noise


def fit_ridge(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights (n_features,) of a ridge regression of labels (n,)."""
    centered = features - features.mean(axis=0)
    penalty = 2.0 * np.eye(features.shape[1])
    return np.linalg.solve(centered.T @ centered + penalty, centered.T @ (labels - labels.mean()))


def simulate_patient(world: World, arm: Arm, subject: int, seed: int) -> Patient | None:
    """None if the patient would not count: the draws, or their shifted labels, cannot be split as the rule asks."""
    draws, potassium, features, seen = simulate_draws(world, np.random.default_rng([seed, subject]))
    split = split_draws(arm, draws, SETTINGS, seed, subject)
    test_runs = run_numbers([draws[draw] for draw in split.test])[-1] + 1 if split.test else 0
    if not split.test or (arm.protocol != ROLLING and test_runs < MIN_TEST_RUNS):
        return None
    shifts = possible_shifts(draws, arm, SETTINGS, seed, subject)
    if not shifts:
        return None
    label_of = {draw.draw_id: draw.label for draw in draws}

    def run(one: NullRun, values: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """AUC, the scores of the test draws, each by the network of its round, and the last weights."""
        labels, scores = one.relabel(label_of), {}
        for round_ in range(1, len(one.split.rounds) + 1):
            train = [draw for pair in one.split.rounds[:round_] for draw in pair]
            tested = one.split.predicted_in(round_)
            if tested or round_ == len(one.split.rounds):
                weights = fit_ridge(values[train], np.array([labels[draw] for draw in train], float))
                scores |= dict(zip(tested, values[tested] @ weights, strict=True))
        test_scores = np.array([scores[draw] for draw in one.split.test])
        return area_under_roc(np.array([labels[draw] for draw in one.split.test]), test_scores), test_scores, weights

    real, test = NullRun(seed, split, {}), list(split.test)
    auc, scores, weights = run(real, features)
    labels = np.array([label_of[draw] for draw in test])
    row = {
        "subject_id": subject,
        "n_positive": int((labels == 1).sum()),
        "n_negative": int((labels == 0).sum()),
        "test_runs": test_runs,
        "rolling": arm.protocol == ROLLING,
        "auc": auc,
        "auc_generic": area_under_roc(labels, features[test] @ SHARED),
        "auc_shifted": float(np.mean([run(shifts[i % len(shifts)], features)[0] for i in range(MIN_SHIFTED_RUNS)])),
        "n_shifted": MIN_SHIFTED_RUNS,
        "n_strangers": N_STRANGERS,
        "auc_comparator": run(real, seen)[0],
    }
    return Patient(row, weights, scores, features[test], labels, potassium[np.array(test) - 1])


def simulate_pool(world: World, arm: Arm, n_patients: int, seed: int) -> list[dict]:
    """The evidence of patients who can be evaluated; strangers and the weights of claim 4 are others of the pool."""
    tasks = [(world, arm, subject, seed) for subject in range(n_patients)]
    with multiprocessing.Pool() as processes:
        pool = [one for one in processes.starmap(simulate_patient, tasks, chunksize=20) if one]
    random = np.random.default_rng(seed)
    parts = [_centered(patient) for patient in pool]
    half = len(pool) // 2
    labels = [patient.test_labels for patient in pool]
    fits = [
        fit_logistic(np.concatenate(parts[place]), np.concatenate(labels[place]))
        for place in (slice(half, None), slice(half))  # each half is weighted by the other
    ]
    rows = []
    for i, patient in enumerate(pool):
        others = random.choice(np.delete(np.arange(len(pool)), i), N_STRANGERS, replace=False)
        strangers = [area_under_roc(patient.test_labels, patient.test_features @ pool[j].weights) for j in others]
        rows.append(
            patient.row
            | {
                "auc_strangers": float(np.mean(strangers)),
                "auc_last_value": area_under_roc(patient.test_labels, patient.last_values),
                "auc_with_last_value": area_under_roc(patient.test_labels, fits[i >= half].score(parts[i])),
            }
        )
    return rows


def _centered(patient: Patient) -> np.ndarray:
    """The score in SDs and the last value, both centered on the patient: (n, 2)."""
    score = patient.test_scores
    return np.column_stack(
        [(score - score.mean()) / (score.std() or 1.0), patient.last_values - patient.last_values.mean()]
    )


def shown_rates(pool: list[dict], n: int, n_studies: int, seed: int) -> dict[str, float]:
    """How often each claim is shown by studies of n patients from the pool."""
    random, settings = np.random.default_rng([seed, n]), Verdict()
    counts = dict.fromkeys(CLAIMS, 0)
    for _ in range(n_studies):
        rows = [pool[i] for i in random.integers(0, len(pool), n)]
        for name, found in arm_claims(rows, settings, "potassium").items():
            counts[name] += found["state"] == SHOWN
    return {name: count / n_studies for name, count in counts.items()}


def spread_of(pool: list[dict]) -> dict[str, tuple[float, float]]:
    """Mean and SD over the pool of the difference in each comparison, weighted as in the rule."""
    found = arm_claims(pool, replace(Verdict(), smallest_gain=0.05), "potassium")
    return {
        one["against"]: (one["difference"], one["spread"]) for claim in found.values() for one in claim["comparisons"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1500)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    for (name, world), (protocol, arm) in product(WORLDS.items(), ARMS.items()):
        began_s = time.monotonic()
        pool = simulate_pool(world, arm, options.patients, options.seed)
        aucs = {key: np.mean([row[f"auc{key}"] for row in pool]) for key in ("", "_generic", "_shifted", "_comparator")}
        print(f"\n{name}, {protocol}: {len(pool)} of {options.patients} patients count")
        print("  mean AUC " + ", ".join(f"{key.strip('_') or 'own'} {mean:.2f}" for key, mean in aucs.items()))
        for against, (mean, spread) in spread_of(pool).items():
            print(f"  less {against}: {mean:+.3f}, SD {spread:.2f}")
        print("  patients  " + "  ".join(f"{claim:>13}" for claim in CLAIMS))
        for n in SIZES:
            rates = shown_rates(pool, n, options.studies, options.seed)
            print(f"  {n:8d}  " + "  ".join(f"{rates[claim]:13.3f}" for claim in CLAIMS))
        print(f"  {time.monotonic() - began_s:.0f} s", flush=True)


if __name__ == "__main__":
    main()
