"""The null that trains nothing: every patient's test draws under the last rounds of other patients."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kalemia import config
from kalemia.checkpoints import load_generic, load_round
from kalemia.evaluation import round_of_path
from kalemia.frozen import seam
from kalemia.nulls import above_seam, metrics_by
from kalemia.personal import opened
from kalemia.predictions import read_beats
from kalemia.seeds import rng
from kalemia.splits import read_split
from kalemia.tables import table_from_rows, write_table
from kalemia.training import outputs_of, set_up_torch


def write_strangers(
    split_paths: Sequence[str | Path],
    shard_paths: Sequence[str | Path],
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

    The three lists are of the arm's patients, in the same order.
    """
    device = set_up_torch(personal.threads)
    splits = {split["subject_id"]: split for split in map(read_split, split_paths)}
    generic = load_generic(generic_path, network)[0].to(device)
    after = seam(arm, personal.trained_stages)
    tests, inputs = {}, {}
    for (subject, split), shard in zip(splits.items(), shard_paths, strict=True):
        beats = read_beats(shard, network)
        tests[subject] = beats.take(np.isin(beats.draw_ids, split["test"]))
        inputs[subject] = above_seam(generic, tests[subject].inputs, after)
    chosen = {subject: strangers(subject, list(splits), arm.nulls["stranger"], seed) for subject in splits}
    rows = []
    for round_path in round_paths:
        owner = round_of_path(round_path)["subject_id"]
        above = opened(load_round(round_path, generic_path, network)[0].to(device), arm, personal.trained_stages)
        for subject, others in chosen.items():
            if owner in others:
                outputs = outputs_of(above, inputs[subject]).cpu().numpy()
                label_of = {row["draw_id"]: row["label"] for row in splits[subject]["draws"]}
                metrics = metrics_by(outputs, tests[subject], label_of, decision)
                about = {"arm": splits[subject]["arm"], "subject_id": subject, "kind": "stranger", "seed": owner}
                rows.append(about | {"repeat": others.index(owner)} | metrics)
    rows.sort(key=lambda row: (row["subject_id"], row["repeat"]))
    write_table(path, "nulls", table_from_rows("nulls", rows), digest)


def strangers(subject: int, subjects: Sequence[int], n: int, seed: int) -> list[int]:
    """At most `n` other patients, at random."""
    others = sorted(set(subjects) - {subject})
    return [others[i] for i in rng(seed, "strangers", subject).permutation(len(others))[:n]]
