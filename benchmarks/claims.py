"""How often each claim is shown in simulated studies: false positive rates, power, and the spread of differences.

    python benchmarks/claims.py [--pool 1800] [--studies 2000] [--processes 1]

Each simulated patient has draws in time, labels in runs, recordings with offsets of their own, and a few numbers per
draw in place of the ECG. A cheap learner (ridge regression) stands for the network and for the comparator; splits,
shifted labels, the evidence for the claim *adds* and the rule are Kalemia's own. Patients are dealt into studies of
`DEALT`, in which they are each other's strangers; a study of another size is drawn from all of them, so that thousands
take minutes. Writes `RATES`, which docs/method.md shows, and `SPREADS`, from which `kalemia plan` computes.
"""

import argparse
import csv
import multiprocessing
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from kalemia.core.config import ROLLING, Arm, Personal, Verdict
from kalemia.evaluation.claims.last_value import KnownDraws, concordances
from kalemia.evaluation.claims.plan import SPREADS
from kalemia.evaluation.claims.rule import CLAIMS, MIN_SHIFTED_RUNS, SHOWN, arm_claims
from kalemia.personal.episodes import Draw
from kalemia.personal.negative_controls import NullRun, possible_shifts
from kalemia.personal.splits import Split, count_runs, split_draws
from kalemia.stats.draw_metrics import area_under_roc

RATES = Path(__file__).with_suffix(".csv")
SIZES = (8, 12, 16, 30)
DEALT = 12
N_FEATURES, N_DRAWS = 6, 34
DRAWS = (20, 34, 50)  # a patient, for `SPREADS`
START = datetime(2150, 1, 1)
SETTINGS = Personal()
ARMS = {protocol: Arm(protocol=protocol) for protocol in (ROLLING, "forward")}
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


NOTHING_PLANTED = {
    "offsets of recordings (b)": World(offset=3.0),
    "nothing (c)": World(offset=0.0),
    "recordings change with the label (f)": World(offset=3.0, with_label=True),
}
TEXTBOOK = {"textbook (a)": World(shared=0.8)}
OWN = {f"own effect {size:g} (d)": World(own=size, visible=0.3) for size in (0.0, 0.6, 1.2, 2.0, 3.0)}


@dataclass(frozen=True)
class Patient:
    """A patient's evidence, and what it takes to make that of a study of it.

    weights: of the last network; features and labels of the test draws; known: the draws of the evaluation period.
    """

    row: dict
    weights: np.ndarray
    test_features: np.ndarray
    test_labels: np.ndarray
    known: KnownDraws


def simulate_draws(
    world: World, n: int, random: np.random.Generator
) -> tuple[list[Draw], np.ndarray, np.ndarray, np.ndarray]:
    """The draws, potassium (n,), features (n, N_FEATURES) of the network, and those of the comparator.

    Potassium is a first-order autoregression with a memory of some 30 hours; values between the classes have no label.
    Half of the variance of noise is common to the network and the comparator.
    """
    hours = np.cumsum(random.gamma(4, 11 / 4, n))
    kept = np.exp(-np.diff(hours, prepend=hours[0]) / 30)
    deviation = random.normal(0, 0.9, n)
    for i in range(1, n):
        deviation[i] = kept[i] * deviation[i - 1] + np.sqrt(1 - kept[i] ** 2) * deviation[i]
    potassium = random.normal(5.2, 0.3) + deviation
    labels = [1 if value > 5.5 else 0 if 3.5 <= value <= 5.0 else None for value in potassium]
    begins = random.random(n) < 0.25
    if world.with_label:
        begins = np.array([i > 0 and labels[i] != labels[i - 1] for i in range(n)])
    recording = np.cumsum(begins)
    own = random.standard_normal(N_FEATURES)
    excess = (potassium - 4.5)[:, None]
    effect = excess * (world.shared * SHARED + world.own * own / np.linalg.norm(own))
    common, *noise = np.sqrt(0.5) * random.standard_normal((3, n, N_FEATURES))
    common += world.offset * random.standard_normal((recording[-1] + 1, N_FEATURES))[recording]
    draws = [Draw(i, START + timedelta(hours=float(hours[i])), labels[i], f"r{recording[i]}", 1) for i in range(n)]
    return draws, potassium, effect + common + noise[0], world.visible * effect + common + noise[1]


def fit_ridge(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights (n_features,) of a ridge regression of labels (n,)."""
    centered = features - features.mean(axis=0)
    penalty = 2.0 * np.eye(features.shape[1])
    return np.linalg.solve(centered.T @ centered + penalty, centered.T @ (labels - labels.mean()))


def simulate_patient(world: World, arm: Arm, n_draws: int, seed: int, subject: int) -> Patient | None:
    """None if the patient cannot be evaluated: the draws, or their shifted labels, cannot be split."""
    draws, potassium, features, seen = simulate_draws(world, n_draws, np.random.default_rng([seed, subject]))
    split = split_draws(arm, draws, SETTINGS, seed, subject)
    shifts = possible_shifts(draws, arm, SETTINGS, seed, subject) if split.test else []
    if not shifts:
        return None
    label_of = {draw.draw_id: draw.label for draw in draws}
    test, labels = list(split.test), np.array([label_of[draw] for draw in split.test])
    shifted = [shifts[i % len(shifts)] for i in range(MIN_SHIFTED_RUNS)]
    scores, weights = predict(split, label_of, features)
    known = np.array(sorted(scores.keys() - {0}))  # nothing is known at the first draw
    row = {
        "subject_id": subject,
        "n_positive": int((labels == 1).sum()),
        "n_negative": int((labels == 0).sum()),
        "test_runs": count_runs([draws[draw] for draw in test]),
        "rolling": arm.protocol == ROLLING,
        "auc": auc_of(split, label_of, scores),
        "auc_generic": area_under_roc(labels, features[test] @ SHARED),
        "auc_shifted": float(np.mean([null_auc(run, label_of, features) for run in shifted])),
        "n_shifted": MIN_SHIFTED_RUNS,
        "auc_comparator": auc_of(split, label_of, predict(split, label_of, seen)[0]),
    }
    values = np.round(potassium, 1)
    period = KnownDraws(values[known], values[known - 1], np.array([scores[draw] for draw in known.tolist()]))
    return Patient(row, weights, features[test], labels, period)


def predict(split: Split, label_of: dict[int, int], features: np.ndarray) -> tuple[dict[int, float], np.ndarray]:
    """The score of every draw of the evaluation period, each by the network of its round, and the last weights."""
    last, scores = len(split.rounds), {}
    period = split.predicted_by or dict.fromkeys(range(min(split.test), len(features)), last)
    for round_ in sorted({*period.values(), last}):
        train = [draw for pair in split.rounds[:round_] for draw in pair]
        weights = fit_ridge(features[train], np.array([label_of[draw] for draw in train], float))
        predicted = [draw for draw, by in period.items() if by == round_]
        scores |= dict(zip(predicted, (features[predicted] @ weights).tolist(), strict=True))
    return scores, weights


def auc_of(split: Split, label_of: dict[int, int], scores: dict[int, float]) -> float:
    labels, of_test = (np.array([of[draw] for draw in split.test]) for of in (label_of, scores))
    return area_under_roc(labels, of_test)


def null_auc(run: NullRun, label_of: dict[int, int], features: np.ndarray) -> float:
    labels = run.relabel(label_of)
    return auc_of(run.split, labels, predict(run.split, labels, features)[0])


def simulate_pool(
    world: World, arm: Arm, n_draws: int, n_patients: int, seed: int, processes: int
) -> tuple[list[dict], float]:
    """The evidence of patients, dealt into studies; who is left over is left out. The share that can be evaluated."""
    simulate = partial(simulate_patient, world, arm, n_draws, seed)
    with multiprocessing.Pool(processes) as pool:
        patients = [one for one in pool.imap(simulate, range(n_patients), chunksize=20) if one]
    firsts = range(0, len(patients) - DEALT + 1, DEALT)
    rows = [row for first in firsts for row in evidence_of(patients[first : first + DEALT])]
    return rows, len(patients) / n_patients


def evidence_of(study: list[Patient]) -> list[dict]:
    """The evidence of the patients of one study."""
    alone, together = concordances([patient.known for patient in study])
    rows = []
    for place, patient in enumerate(study):
        others = [other.weights for other in study if other is not patient]
        strangers = [area_under_roc(patient.test_labels, patient.test_features @ weights) for weights in others]
        of_study = {
            "auc_strangers": float(np.mean(strangers)),
            "n_strangers": len(strangers),
            "concordance_last_value": float(alone[place]),
            "concordance_with_last_value": float(together[place]),
        }
        rows.append(patient.row | of_study)
    return rows


def rates_of(rows: list[dict], n: int, n_studies: int, seed: int) -> dict[str, dict[str, float]]:
    """How often studies of n patients show each claim: alone, and in the order of the rule."""
    random, settings = np.random.default_rng([seed, n]), Verdict()
    counts = {name: np.zeros(2) for name in CLAIMS}
    for _ in range(n_studies):
        found = arm_claims([rows[i] for i in random.integers(0, len(rows), n)], settings, "potassium")
        for name, claim in found.items():
            alone = all(one["state"] == SHOWN for one in claim["comparisons"])
            counts[name] += alone, claim["state"] == SHOWN
    return {
        name: dict(zip(("alone", "in_order"), (count / n_studies).tolist(), strict=True))
        for name, count in counts.items()
    }


def differences(rows: list[dict]) -> dict[str, tuple[float, float, str]]:
    """By comparison, the mean and SD over the pool of the difference, weighted as in the rule, and the claim."""
    found = arm_claims(rows, Verdict(), "potassium")
    return {
        one["against"]: (one["difference"], one["spread"], name)
        for name, claim in found.items()
        for one in claim["comparisons"]
    }


def rate_rows(planted: str, protocol: str, rows: list[dict], n_studies: int, seed: int) -> list[dict]:
    gains: dict[str, float] = {}
    for difference, _, claim in differences(rows).values():
        gains[claim] = min(difference, gains.get(claim, np.inf))
    keys = {"planted": planted, "protocol": protocol, "pool": len(rows), "studies": n_studies}
    return [
        keys | {"patients": n, "claim": claim, "gain": f"{gains[claim]:.3f}"} | {k: f"{v:.4f}" for k, v in rate.items()}
        for n in SIZES
        for claim, rate in rates_of(rows, n, n_studies, seed).items()
    ]


def spread_rows(n_draws: int, rows: list[dict], evaluable: float) -> list[dict]:
    keys = {"draws": n_draws, "evaluable": f"{evaluable:.3f}"}
    return [
        keys | {"against": against, "gain": f"{gain:.4f}", "spread": f"{spread:.4f}"}
        for against, (gain, spread, _) in differences(rows).items()
    ]


def write_csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=int, default=1800, help="simulated patients where nothing is planted")
    parser.add_argument("--studies", type=int, default=2000, help="where nothing is planted; elsewhere a quarter")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--processes", type=int, default=None, help="default: one a core")
    options = parser.parse_args()
    began_s, rates, spreads = time.monotonic(), [], []
    planted = [(name, world, protocol, options.pool) for name, world in NOTHING_PLANTED.items() for protocol in ARMS]
    planted += [(name, world, ROLLING, options.pool // 3) for name, world in (TEXTBOOK | OWN).items()]
    for name, world, protocol, n_patients in planted:
        rows, evaluable = simulate_pool(world, ARMS[protocol], N_DRAWS, n_patients, options.seed, options.processes)
        n_studies = options.studies if name in NOTHING_PLANTED else options.studies // 4
        rates += rate_rows(name, protocol, rows, n_studies, options.seed)
        if name in OWN:
            spreads += spread_rows(N_DRAWS, rows, evaluable)
        print(f"{name}, {protocol}: {len(rows)} of {n_patients}; {time.monotonic() - began_s:.0f} s", flush=True)
    for n_draws, world in product(DRAWS, OWN.values()):
        if n_draws == N_DRAWS:
            continue
        n_patients = options.pool // 8
        rows, evaluable = simulate_pool(world, ARMS[ROLLING], n_draws, n_patients, options.seed, options.processes)
        spreads += spread_rows(n_draws, rows, evaluable)
        print(f"{n_draws} draws: {len(rows)} of {n_patients}; {time.monotonic() - began_s:.0f} s", flush=True)
    write_csv(RATES, rates)
    write_csv(SPREADS, sorted(spreads, key=lambda row: (row["draws"], row["against"], float(row["gain"]))))


if __name__ == "__main__":
    main()
