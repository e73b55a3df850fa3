"""What was run: versions, digests and the configuration, as the pages print them."""

import dataclasses
import math
import platform
from importlib.metadata import PackageNotFoundError, version

import yaml

from kalemia import __version__
from kalemia.config import RECIPES, Study

PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "pyarrow", "wfdb", "sleepecg", "snakemake", "matplotlib")


def versions() -> dict[str, str]:
    """Of Kalemia, Python and the libraries that decide a result."""
    return {"kalemia": __version__, "python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def digests(study: Study) -> dict[str, str]:
    """Of the configuration that each stage, and the personal training of each arm, depends on."""
    return {stage: study.digest(stage) for stage in RECIPES} | {
        f"personal, {arm}": study.arm_digest(arm) for arm in study.arms
    }


def config_text(study: Study) -> str:
    """The whole configuration as YAML, in the order of config.yaml."""
    return yaml.safe_dump(_plain(dataclasses.asdict(study)), sort_keys=False, default_flow_style=None, width=100)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed where this page was made"


def _plain(value):
    """As YAML had it: lists for tuples, `from` for `from_`, and no bounds that were not given."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not (isinstance(item, float) and math.isinf(item))}
        return {key.rstrip("_"): _plain(item) for key, item in kept.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
