"""Train a patient's networks on another analyte, on its own and on shifted labels, and score them."""

import logging
from pathlib import Path

from kalemia.core import config
from kalemia.core.seeds import seed_of
from kalemia.core.tables import read_subject_rows, table_from_rows, write_table
from kalemia.personal.controls import OWN_RUN, SHIFTED_RUN
from kalemia.personal.controls.labels import label_by_control
from kalemia.personal.negative_controls import NullRun, null_runs
from kalemia.personal.nulls import RunTrainer
from kalemia.personal.splits import count_test_runs, parse_draws, parse_split, read_split, relabel_split

log = logging.getLogger("kalemia")


def write_control_runs(
    control: str,
    values_path: str | Path,
    split_path: str | Path,
    shard_path: str | Path,
    features_path: str | Path,
    generic_path: str | Path,
    network: config.Network,
    personal: config.Personal,
    arm: config.Arm,
    n_shifted: int,
    seed: int,
    digest: str,
    decision: str,
    path: str | Path,
) -> None:
    """Train a network on one of `CONTROL_ANALYTES`, and `n_shifted` on its shifted labels, and write their metrics.

    The draws, the protocol and the training are those of the arm's rounds and of its runs on shifted labels. If the
    analyte's labels allow no round, one row says why. Raises `UserError` as the readers of the input files.
    """
    split = read_split(split_path)
    values = read_subject_rows(values_path, "control_values", split["subject_id"])
    value_of = dict(zip(values["draw_id"].to_pylist(), values["value"].to_pylist(), strict=True))
    labels = label_by_control(parse_draws(split)[0], value_of)
    keys = {"arm": split["arm"], "subject_id": split["subject_id"], "control": control}
    if len(set(labels.values())) < 2:
        rows = [keys | _no_run(f"its draws do not have both classes of {control}")]
    else:
        of_control = relabel_split(split, labels, arm, personal, seed)
        rows = [keys | _no_run(of_control["reason"])]
        if of_control["rounds"]:
            trainer = RunTrainer.read(shard_path, features_path, generic_path, network, personal, arm, decision)
            own_seed = seed_of(seed, "control", control)
            rows = [keys | row for row in _score_runs(of_control, trainer, n_shifted, own_seed)]
    log.info("%s: %d runs", control, sum(row["reason"] is None for row in rows))
    write_table(path, "control_runs", table_from_rows("control_runs", rows), digest)


def _no_run(reason: str) -> dict:
    return {"kind": OWN_RUN, "repeat": 0, "reason": reason}


def _score_runs(split: dict, trainer: RunTrainer, n_shifted: int, seed: int) -> list[dict]:
    own = NullRun(seed_of(seed, OWN_RUN, split["arm"], split["subject_id"]), parse_split(split), {})
    shifted = null_runs(SHIFTED_RUN, n_shifted, split, trainer.arm, trainer.personal, seed)
    label_of = {row["draw_id"]: row["label"] for row in split["draws"]}
    runs = [(OWN_RUN, 0, own), *((SHIFTED_RUN, repeat, run) for repeat, run in enumerate(shifted))]
    about = {"test_runs": count_test_runs(split), "reason": None}
    return [
        {"kind": kind, "repeat": repeat, "seed": run.seed} | about | trainer.score(run, label_of)
        for kind, repeat, run in runs
    ]
