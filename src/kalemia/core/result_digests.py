"""Refuse results that another configuration made and that Snakemake does not remake.

Snakemake remakes a file whose digest has changed only if it has a record of how the file was made. Records are in
`.snakemake`, which does not move with the results: without them everything would count as up to date.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from kalemia.core.config import Study
from kalemia.core.config_files import SETTINGS_FILE
from kalemia.core.errors import UserError
from kalemia.core.runs.digests import digest_of, expected_digest
from kalemia.core.stage_versions import STAGE_VERSIONS

# one table per stage, of stages that are made once per study
_STUDY_TABLES = (
    "cohort/draws.parquet",
    "cohort/populations.parquet",
    "generic/predictions.parquet",
    "evaluation/rounds.parquet",
)


def refuse_foreign_results(study: Study, results: str, has_record: Callable[[str], bool]) -> None:
    """Raise `UserError` if a result was made by another configuration and Snakemake has no record of it.

    Reads a handful of files, however many patients there are. `results` is the folder as rules name it, and
    `has_record` says whether Snakemake has a record of a path.
    """
    for path in _foreign_results(study, Path(results)):
        if not has_record(str(path)):
            raise UserError(
                f"{path}: was made with other settings or another version of Kalemia, or is damaged, and .snakemake has"
                f" no record of it, so it would not be remade: delete {results} to start over, set `results` to a new"
                " folder, or restore the settings that made it"
            )


def key_tables(study: Study, results: Path) -> Iterator[Path]:
    """One table per stage, or of one patient's."""
    yield from (results / name for name in _STUDY_TABLES)
    for folder in ("excerpts", "beats", "mean_beats"):
        if table := _any_subject(results / folder, ".parquet"):
            yield table
    if patient := _any_subject(results / "explanation"):
        yield patient / "gradcam.parquet"
    for arm in study.arms:
        if patient := _any_subject(results / "personal" / arm):
            yield from (patient / f"round-{k}/predictions.parquet" for k in (0, 1))


def _foreign_results(study: Study, results: Path) -> Iterator[Path]:
    if not results.is_dir():
        return
    here = dataclasses.replace(study, results=str(results))
    for path in key_tables(study, results):
        if path.is_file() and not _has_digest(path, expected_digest(here, path)):
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


def _has_digest(path: Path, digest: str | None) -> bool:
    try:
        return digest_of(path) == digest
    except UserError:  # damaged, or of an older version
        return False


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
    controls = {f"control {name}": study.controls_digest(study.deciding_arm, name) for name in study.controls}
    return {stage: study.digest(stage) for stage in STAGE_VERSIONS} | arms | nulls | controls
