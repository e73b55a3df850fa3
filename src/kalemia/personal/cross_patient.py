"""Negative controls that train nothing: each patient's test draws under the last rounds of other patients."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kalemia.beats.dataset import BeatSet, read_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.paths import round_of_path
from kalemia.core.seeds import rng
from kalemia.core.tables import table_from_rows, write_table
from kalemia.network.checkpoints import load_round
from kalemia.network.inference import predict
from kalemia.network.training import set_up_torch
from kalemia.personal.finetune import freeze_for_arm
from kalemia.personal.frozen_stages import last_frozen_stage, read_inputs
from kalemia.personal.nulls import score_with_labels
from kalemia.personal.splits import read_split


def write_strangers(
    split_paths: Sequence[str | Path],
    shard_paths: Sequence[str | Path],
    features_paths: Sequence[str | Path],
    round_paths: Sequence[str | Path],
    generic_path: str | Path,
    network: config.Network,
    personal: config.Personal,
    arm: config.Arm,
    seed: int,
    digest: str,
    decision: str,
    path: str | Path,
) -> None:
    """Score each patient's test draws with the last rounds of other patients, for all controls of `OTHER_PATIENTS`.

    The four lists are of the arm's patients, in the same order. Only one patient's beats and one network are in memory
    at a time. Raises `UserError` if the files of a patient do not belong together or the arm has no such control.
    """
    repeats = {kind: n for kind, n in arm.control_runs(trained=False).items() if n}
    if not repeats:
        kinds = " or ".join(OTHER_PATIENTS)
        raise UserError(f"{path}: the arm has no such negative control; add {kinds} to it in the configuration")
    device = set_up_torch(personal.threads)
    round_of = {round_of_path(round_path)["subject_id"]: round_path for round_path in round_paths}

    def score_patient(split: dict, shard_path: str | Path, features_path: str | Path) -> list[dict]:
        label_of = {row["draw_id"]: row["label"] for row in split["draws"]}
        last_frozen = last_frozen_stage(arm, personal.n_trained_stages)
        beats, inputs = read_test_inputs(split["test"], shard_path, features_path, generic_path, network, last_frozen)
        inputs, rows = inputs.to(device), []
        for kind, n in repeats.items():
            row = {"arm": split["arm"], "subject_id": split["subject_id"], "kind": kind}
            others = OTHER_PATIENTS[kind](split["subject_id"], list(round_of), n, seed)
            for repeat, other in enumerate(others):
                model, _ = load_round(round_of[other], generic_path, network)
                head = freeze_for_arm(model, arm, personal.n_trained_stages).to(device)
                metrics = score_with_labels(predict(head, inputs).cpu().numpy(), beats, label_of, decision)
                rows.append(row | {"repeat": repeat, "seed": other} | metrics)
        return rows

    files = zip(map(read_split, split_paths), shard_paths, features_paths, strict=True)
    rows = [row for patient_files in files for row in score_patient(*patient_files)]
    rows.sort(key=lambda row: (row["subject_id"], row["kind"], row["repeat"]))
    write_table(path, "nulls", table_from_rows("nulls", rows), digest)


def sample_other_patients(subject: int, subjects: Sequence[int], n: int, seed: int) -> list[int]:
    """At most `n` other patients, at random."""
    others = sorted(set(subjects) - {subject})
    return [others[i] for i in rng(seed, "strangers", subject).permutation(len(others))[:n]]


# The negative controls of kalemia.core.negative_controls that train nothing: a function that chooses, for a subject,
# at most n of all subjects, whose networks are used.
OTHER_PATIENTS: dict[str, Callable[[int, Sequence[int], int, int], list[int]]] = {"stranger": sample_other_patients}


def read_test_inputs(
    draws: Sequence[int],
    shard_path: str | Path,
    features_path: str | Path,
    generic_path: str | Path,
    network: config.Network,
    last_frozen: int,
) -> tuple[BeatSet, Tensor]:
    """Read the beats of some draws of a patient, and for them the inputs (n, ...) that `read_inputs` reads."""
    beats = read_beats(shard_path, network)
    places = np.flatnonzero(np.isin(beats.draw_ids, draws))
    inputs = read_inputs(features_path, shard_path, generic_path, beats.inputs, last_frozen)
    return beats.take(places), inputs[torch.from_numpy(places)]
