"""Split the draws of each personal patient in each arm, and count the rounds."""

from collections.abc import Iterable
from pathlib import Path

from kalemia.core.config import Arm, Personal
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.personal.episodes import Draw
from kalemia.personal.leakage import beat_spans_by_draw
from kalemia.personal.splits import Split, split_draws, write_split


def splits_of_arms(
    personal_path: str | Path, arms: dict[str, Arm], personal: Personal, seed: int
) -> dict[tuple[str, int], Split]:
    """Split the draws of a table of kind "personal": (arm, subject_id) -> split."""
    draws = draws_by_subject(read_table(personal_path, "personal").to_pylist())
    return {
        (arm, subject): split_draws(settings, draws[subject], personal, seed, subject)
        for arm, settings in arms.items()
        for subject in sorted(draws)
    }


def write_arms(
    personal_path: str | Path, arms: dict[str, Arm], personal: Personal, seed: int, digest: str, path: str | Path
) -> None:
    """Write one row for each arm and personal patient: the number of rounds, or why there are none."""
    rows = [
        {"arm": arm, "subject_id": subject, "rounds": len(split.rounds), "reason": split.reason}
        for (arm, subject), split in splits_of_arms(personal_path, arms, personal, seed).items()
    ]
    write_table(path, "arms", table_from_rows("arms", rows), digest)


def write_subject_split(
    quality_path: str | Path,
    shard_path: str | Path,
    arm_name: str,
    arm: Arm,
    personal: Personal,
    seed: int,
    digest: str,
    path: str | Path,
) -> None:
    """Split the draws of one personal patient that passed quality in one arm, and write the split with its audit.

    It reads only this patient's files, so that a change elsewhere in the cohort does not remake the patient's rounds.
    """
    usable = [row for row in read_table(quality_path, "quality").to_pylist() if row["reason"] is None]
    if not usable:
        raise UserError(f"{quality_path}: the subject has no usable draws and cannot be personalized")
    ((subject_id, draws),) = draws_by_subject(usable).items()
    spans = beat_spans_by_draw(read_table(shard_path, "beats", ["draw_id", "segment", "r_sample"]))
    split = split_draws(arm, draws, personal, seed, subject_id)
    write_split(path, split, arm_name, arm, draws, spans, subject_id, seed, digest)


def draws_by_subject(rows: Iterable[dict]) -> dict[int, list[Draw]]:
    """The draws of each subject, from rows of a table of draws."""
    draws: dict[int, list[Draw]] = {}
    for row in rows:
        draw = Draw(row["draw_id"], row["draw_time"], row["label"], row["recording"], row["hadm_id"])
        draws.setdefault(row["subject_id"], []).append(draw)
    return draws
