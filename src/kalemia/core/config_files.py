"""A study's configuration as YAML: read with overlays and checked, and written."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import yaml

from kalemia.core.config import Fields, Study
from kalemia.core.config_validation import check_config
from kalemia.core.errors import UserError


def read_study(complete: Path, overlays: Sequence[str | Path] = (), settings: Sequence[str] = ()) -> Study:
    """The checked study of a complete configuration, overlays on it, and KEY=VALUE settings, as Snakemake reads them.

    Where the file of the complete configuration is missing, because only the package is installed, the declared
    defaults replace it.
    """
    config = _read_yaml(complete) if complete.exists() else default_config()
    for path in overlays:
        config = merge_config(config, _read_yaml(path))
    for setting in settings:
        config = merge_config(config, _parse_setting(setting))
    check_config(config)
    return Study.from_config(config)


def default_config() -> Fields:
    """The declared defaults, which are those of config.yaml."""
    return plain(dataclasses.asdict(Study()))


def _read_yaml(path: str | Path) -> Fields:
    try:
        config = yaml.safe_load(Path(path).read_text("utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{line}: is not YAML ({error.problem})") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a configuration ({str(error).splitlines()[0]})") from None
    if config is not None and not isinstance(config, dict):
        raise UserError(f"{path}: is not a configuration, which has lines of the form key: value")
    return config or {}


def _parse_setting(setting: str) -> Fields:
    key, equals, value = setting.partition("=")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        equals = ""
    if not equals:
        raise UserError(f"--config {setting}: is not KEY=VALUE")
    return {key: parsed}


def merge_config(config: Fields, overlay: Fields) -> Fields:
    """A configuration with the values of an overlay, merged section by section as Snakemake does."""
    merged = dict(config)
    for key, value in overlay.items():
        known = merged.get(key)
        merged[key] = merge_config(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def config_text(study: Study) -> str:
    """The whole configuration as YAML, in the order of config.yaml."""
    return yaml.safe_dump(plain(dataclasses.asdict(study)), sort_keys=False, default_flow_style=None, width=100)


def plain(value):
    """A value as YAML has it: lists for tuples, `from` for `from_`, and no bounds that are not set."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not (isinstance(item, float) and math.isinf(item))}
        return {key.rstrip("_"): plain(item) for key, item in kept.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
