"""The null that trains nothing: every patient's test draws under the last rounds of other patients."""

from collections.abc import Sequence
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
    """Score every patient's test draws with the last rounds of others, `arm.nulls["stranger"]` of them if there are.

    The four lists are of the arm's patients, in the same order. Beats of one patient, and one network, are in memory at
    a time, however many patients there are. Raises `UserError` where the files of a patient do not belong together,
    and if the arm asks for none.
    """
    if not arm.nulls.get("stranger"):
        raise UserError(f"{path}: the arm has no null of this kind; add `stranger` to its nulls in the configuration")
    device = set_up_torch(personal.threads)
    round_of = {round_of_path(round_path)["subject_id"]: round_path for round_path in round_paths}

    def rows_of(split: dict, shard_path: str | Path, features_path: str | Path) -> list[dict]:
        """A row for each stranger to one patient."""
        about = {"arm": split["arm"], "subject_id": split["subject_id"], "kind": "stranger"}
        label_of = {row["draw_id"]: row["label"] for row in split["draws"]}
        after = last_frozen_stage(arm, personal.trained_stages)
        beats, inputs = read_test_inputs(split["test"], shard_path, features_path, generic_path, network, after)
        inputs, rows = inputs.to(device), []
        for repeat, owner in enumerate(
            sample_other_patients(split["subject_id"], list(round_of), arm.nulls["stranger"], seed)
        ):
            model, _ = load_round(round_of[owner], generic_path, network)
            above = freeze_for_arm(model, arm, personal.trained_stages).to(device)
            metrics = score_with_labels(predict(above, inputs).cpu().numpy(), beats, label_of, decision)
            rows.append(about | {"repeat": repeat, "seed": owner} | metrics)
        return rows

    files = zip(map(read_split, split_paths), shard_paths, features_paths, strict=True)
    rows = [row for of_patient in files for row in rows_of(*of_patient)]
    rows.sort(key=lambda row: (row["subject_id"], row["repeat"]))
    write_table(path, "nulls", table_from_rows("nulls", rows), digest)


def read_test_inputs(
    draws: Sequence[int],
    shard_path: str | Path,
    features_path: str | Path,
    generic_path: str | Path,
    network: config.Network,
    after: int,
) -> tuple[BeatSet, Tensor]:
    """The beats of some draws of a patient, and what lies of them after stage `after` (n, ...), as `read_inputs`."""
    beats = read_beats(shard_path, network)
    places = np.flatnonzero(np.isin(beats.draw_ids, draws))
    inputs = read_inputs(features_path, shard_path, generic_path, beats.inputs, after)
    return beats.take(places), inputs[torch.from_numpy(places)]


def sample_other_patients(subject: int, subjects: Sequence[int], n: int, seed: int) -> list[int]:
    """At most `n` other patients, at random."""
    others = sorted(set(subjects) - {subject})
    return [others[i] for i in rng(seed, "strangers", subject).permutation(len(others))[:n]]
