"""What each arm makes of each personal patient's draws: the split, and how many rounds it allows."""

from collections.abc import Iterable
from pathlib import Path

from kalemia.config import Arm, Personal
from kalemia.splits import Draw, Split, split_draws, write_split
from kalemia.tables import read_table, table_from_rows, write_table


def splits_of_arms(
    personal_path: str | Path, arms: dict[str, Arm], personal: Personal, seed: int
) -> dict[tuple[str, int], Split]:
    """The split of every arm and personal patient, (arm, subject_id) -> split, from a table of kind "personal"."""
    draws = _draws_by_subject(read_table(personal_path, "personal").to_pylist())
    return {
        (arm, subject): split_draws(settings.protocol, draws[subject], personal, seed, subject)
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
    quality_path: str | Path, arm: str, protocol: str, personal: Personal, seed: int, digest: str, path: str | Path
) -> None:
    """Write one personal patient's split in one arm, of the draws that passed quality.

    From the patient's own file, so that a change elsewhere in the cohort leaves the patient's rounds alone.
    """
    usable = [row for row in read_table(quality_path, "quality").to_pylist() if row["reason"] is None]
    ((subject_id, draws),) = _draws_by_subject(usable).items()
    split = split_draws(protocol, draws, personal, seed, subject_id)
    write_split(path, split, arm, protocol, subject_id, seed, digest)


def _draws_by_subject(rows: Iterable[dict]) -> dict[int, list[Draw]]:
    draws: dict[int, list[Draw]] = {}
    for row in rows:
        draws.setdefault(row["subject_id"], []).append(Draw(row["draw_id"], row["draw_time"], row["label"]))
    return draws
