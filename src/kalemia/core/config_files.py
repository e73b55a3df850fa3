"""A study's configuration as a YAML file."""

import dataclasses
import math

import yaml

from kalemia.core.config import Study


def config_text(study: Study) -> str:
    """The whole configuration as YAML, in the order of config.yaml."""
    return yaml.safe_dump(_plain(dataclasses.asdict(study)), sort_keys=False, default_flow_style=None, width=100)


def _plain(value):
    """As YAML had it: lists for tuples, `from` for `from_`, and no bounds that were not given."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not (isinstance(item, float) and math.isinf(item))}
        return {key.rstrip("_"): _plain(item) for key, item in kept.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
