"""Names in paths: subjects, rounds, and batches of subjects."""

from collections.abc import Sequence
from pathlib import Path


def round_of_path(path: str | Path) -> dict[str, str | int]:
    """Arm, subject and round of a file that lies in ``{arm}/{subject}/round-{k}/``."""
    arm, subject, round_ = Path(path).parts[-4:-1]
    return {"arm": arm, "subject_id": int(subject[1:]), "round": int(round_.removeprefix("round-"))}


def subject_name(subject_id: int) -> str:
    """As files and pages name a subject: ``p010059``."""
    return f"p{subject_id:06d}"


SUBJECTS_OF_BATCH = 10


def batches_of(subjects: Sequence[str]) -> list[Sequence[str]]:
    """Neighbors in the cohort share a batch; its number is its place in the list."""
    return [subjects[at : at + SUBJECTS_OF_BATCH] for at in range(0, len(subjects), SUBJECTS_OF_BATCH)]
