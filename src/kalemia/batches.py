"""The batches of subjects whose excerpts, or beats, are one job: loading the libraries takes as long as some ten do."""

from collections.abc import Sequence

SUBJECTS_OF_BATCH = 10


def batches_of(subjects: Sequence[str]) -> list[Sequence[str]]:
    """Neighbors in the cohort share a batch; its number is its place in the list."""
    return [subjects[at : at + SUBJECTS_OF_BATCH] for at in range(0, len(subjects), SUBJECTS_OF_BATCH)]
