"""Refuse results that another configuration made and that Snakemake has no record of, as when results were moved.

Snakemake remakes a file whose digest has changed only if it has a record of how the file was made. Records are in
`.snakemake`, which does not move with the results: without them everything would count as up to date.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.stage_versions import STAGE_VERSIONS

# one table per stage, of stages that are made once per study
_STUDY_TABLES = {
    "cohort": "cohort/draws.parquet",
    "populations": "cohort/populations.parquet",
    "generic": "generic/predictions.parquet",
    "evaluation": "evaluation/rounds.parquet",
}
SETTINGS_FILE = "config.yaml"  # written with the report


def refuse_foreign_results(study: Study, results: str, has_record: Callable[[str], bool]) -> None:
    """Raise `UserError` if a result was made by another configuration and Snakemake has no record of it.

    Reads a handful of files, however many patients there are. `results` is the folder as rules name it, and
    `has_record` says whether Snakemake has a record of a path.
    """
    for path in _foreign_results(study, Path(results)):
        if not has_record(str(path)):
            raise UserError(
                f"{path}: was made with other settings or another version of Kalemia, and .snakemake has no record of"
                f" it, so it would not be remade: delete {results} to start over, set `results` to a new folder, or"
                " restore the settings that made it"
            )


def key_tables(study: Study, results: Path) -> Iterator[tuple[Path, str]]:
    """(path, digest that it should carry) of one table per stage, or of one patient's table."""
    for stage, name in _STUDY_TABLES.items():
        yield results / name, study.digest(stage)
    for stage, folder in (("excerpts", "excerpts"), ("beats", "beats"), ("report", "mean_beats")):
        if table := _any_subject(results / folder, ".parquet"):
            yield table, study.digest(stage)
    if patient := _any_subject(results / "explanation"):
        yield patient / "gradcam.parquet", study.digest("explanation")
    for arm in study.arms:
        if patient := _any_subject(results / "personal" / arm):
            yield patient / "round-0/predictions.parquet", study.digest("baselines")
            yield patient / "round-1/predictions.parquet", study.arm_digest(arm)


def _foreign_results(study: Study, results: Path) -> Iterator[Path]:
    if not results.is_dir():
        return
    for path, digest in key_tables(study, results):
        if path.is_file() and _digest_of_table(path) not in (digest, None):
            yield path
    settings = results / SETTINGS_FILE
    if settings.is_file() and _digests_of_settings(settings) not in (_digests(study), None):
        yield settings


def _any_subject(folder: Path, suffix: str = "") -> Path | None:
    """The first subject that the file system names in a folder; the rest of a large folder is not read."""
    try:
        with os.scandir(folder) as entries:
            paths = (Path(entry.path) for entry in entries if entry.name.startswith("p"))
            return next((path for path in paths if path.suffix == suffix), None)
    except OSError:
        return None


def _digest_of_table(path: Path) -> str | None:
    """The digest in a table's metadata; None if the file cannot be read, which the job that reads it will report."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    return metadata.get(b"kalemia.digest", b"").decode()


def _digests_of_settings(path: Path) -> dict[str, str] | None:
    """The digests that a configuration would have today; None if it is of a version with other settings."""
    try:
        return _digests(Study.from_config(yaml.safe_load(path.read_text("utf-8"))))
    except (OSError, yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        return None


def _digests(study: Study) -> dict[str, str]:
    """The digest of each stage and arm; paths of results and recordings are in none of them."""
    arms = {f"arm {name}": study.arm_digest(name) for name in study.arms}
    nulls = {
        f"nulls {name} {chunk}": study.nulls_digest(name, chunk)
        for name, arm in study.arms.items()
        for chunk in arm.null_chunks
    }
    return {stage: study.digest(stage) for stage in STAGE_VERSIONS} | arms | nulls
