"""The digest that each result file carries, and jobs that refuse files of another one.

Snakemake remakes a file whose settings have changed only if it has a record of how the file was made. Where it has
none, as after a power failure, or does not look, a job is the last to see that an input is of another configuration.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from safetensors import SafetensorError, safe_open

from kalemia.core.config import Fields, Study
from kalemia.core.errors import UserError
from kalemia.core.tables import read_json, table_digest


def study_of_job(config: Fields, paths: Iterable[str]) -> Study:
    """The configuration of a job; raises `UserError` if an input file is damaged or another configuration made it."""
    study = Study.from_config(config)
    refuse_other_digests(study, paths)
    return study


def refuse_other_digests(study: Study, paths: Iterable[str]) -> None:
    """Raise `UserError` if one of the study's files is damaged or was made by another configuration."""
    digest = cache(lambda name, *arguments: getattr(study, name)(*arguments))
    for path in map(Path, paths):
        method = _method(study, path)
        if method and digest_of(path) != digest(*method):
            raise UserError(
                f"{path}: was made with other settings or another version of Kalemia; delete it and run again"
            )


def expected_digest(study: Study, path: Path) -> str | None:
    """The digest that a result file of this configuration carries; None for a file that carries none."""
    method = _method(study, path)
    return getattr(study, method[0])(*method[1:]) if method else None


def _method(study: Study, path: Path) -> tuple[str, ...] | None:
    """The method of `Study` that returns the digest of a result file, and its arguments."""
    if not path.is_relative_to(study.results):
        return None
    match path.relative_to(study.results).parts:
        case ("cohort", "draws.parquet" | "subjects.parquet" | "unreadable.parquet"):
            return "digest", "cohort"
        case ("cohort", "populations.parquet" | "generic.parquet" | "personal.parquet" | "outcomes.parquet"):
            return "digest", "populations"
        case ("cohort", "people.parquet"):
            return "digest", "characteristics"
        case ("cohort", "context.parquet" | "height_weight.parquet"):
            return "digest", path.stem
        case ("cohort", name) if name.startswith("control-"):
            return "digest", "control_values"
        case ("beats", "generic.parquet"):
            return "digest", "generic_beats"
        case ("generic", "model.safetensors" | "history.parquet" | "predictions.parquet"):
            return "digest", "import_generic" if study.generic.model else "generic"
        case ("generic", "comparators.parquet"):
            return "digest", "import_generic" if study.generic.model else "comparators"
        case ("generic", "mixed_model.json"):
            return "digest", "mixed_model"
        case ("personal", "arms.parquet"):
            return "digest", "count_rounds"
        case ("personal", arm, "cross_patient.parquet"):
            return "strangers_digest", arm
        case ("personal", arm, _, "split.json"):
            return "split_digest", arm
        case ("personal", arm, _, "nulls", _):
            return "nulls_digest", arm, path.stem
        case ("personal", arm, _, "controls", _):
            return "controls_digest", arm, path.stem
        case ("personal", _, _, "baselines.parquet") | ("personal", _, _, "round-0", "predictions.parquet"):
            return "digest", "baselines"
        case ("personal", arm, _, _, "predictions.parquet" | "model.safetensors"):
            return "arm_digest", arm
        case ("mean_beats", _):
            return "digest", "report"
        case (("excerpts" | "beats" | "evaluation" | "explanation") as stage, *_) if path.suffix == ".parquet":
            return "digest", stage
    return None


def digest_of(path: Path) -> str | None:
    """The digest in a file, None if it has none; raises `UserError` if the file cannot be read."""
    if path.suffix == ".parquet":
        return table_digest(path)
    if path.suffix == ".json":
        return read_json(path).get("digest")
    try:
        with safe_open(path, framework="np") as file:
            return json.loads(file.metadata()["kalemia"])["lineage"]["digest"]
    except (OSError, SafetensorError, LookupError, TypeError, ValueError):
        raise UserError(f"{path}: cannot be read as safetensors; delete it and run again") from None
