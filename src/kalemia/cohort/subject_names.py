"""How people call the subjects of a study, where their own tables call them otherwise than Kalemia's files do.

Every job of the workflow imports this module; what reads and writes tables is slow to import, and so imported inside.
"""

from pathlib import Path

import pyarrow as pa

from kalemia.core.paths import subject_name


class SubjectNames(dict[str, str]):
    """Subject as in paths -> as people call it; whoever is not in it is called as in paths.

    >>> SubjectNames({"p1420083265": "HN-0042"})["p010059"]
    'p010059'
    """

    def __missing__(self, subject: str) -> str:
        return subject

    def to_write(self, number: int) -> str:
        """What stands for a subject in tables that people write: the name, or where there is none the number."""
        return self.get(subject_name(number), str(number))

    @classmethod
    def of_table(cls, table: pa.Table) -> "SubjectNames":
        """The names in the table ``cohort/subject_names.parquet``."""
        subjects = map(subject_name, table["subject_id"].to_pylist())
        return cls(zip(subjects, table["name"].to_pylist(), strict=True))


def write_subject_names(path: str | Path, names: dict[int, str], digest: str) -> None:
    """Write the names by the subjects' numbers, in their order."""
    from kalemia.core.tables import table_from_rows, write_table

    rows = [{"subject_id": number, "name": name} for number, name in sorted(names.items())]
    write_table(path, "subject_names", table_from_rows("subject_names", rows), digest)


def read_subject_names(path: str | Path) -> SubjectNames:
    """The names in ``cohort/subject_names.parquet``; raises `UserError` as `tables.read_table`."""
    from kalemia.core.tables import read_table

    return SubjectNames.of_table(read_table(path, "subject_names"))
