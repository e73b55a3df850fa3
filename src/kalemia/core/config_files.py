"""A study's configuration as YAML: read with overlays, and written."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import yaml

from kalemia.core.config import Fields, Study
from kalemia.core.errors import UserError


def read_study(*paths: str | Path, settings: Sequence[str] = ()) -> Study:
    """The study of a complete configuration, overlays on it, and KEY=VALUE settings."""
    config: Fields = {}
    for path in paths:
        try:
            config = merge_config(config, yaml.safe_load(Path(path).read_text()) or {})
        except (OSError, yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
            raise UserError(f"{path}: cannot be read as a configuration ({error})") from None
    for setting in settings:
        key, equals, value = setting.partition("=")
        try:
            config = merge_config(config, {key: yaml.safe_load(value)})
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise UserError(f"--config {setting}: is not KEY=VALUE")
    try:
        return Study.from_config(config)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        where = ", ".join(map(str, [*paths, *settings])) or "--configfile"
        raise UserError(f"{where}: is not a complete configuration ({error}); name another file") from None


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
