"""Kalemia: hyperkalemia from bedside ECG, personalized, and the proof of what that is worth. Research use only.

The public API (docs/python.md) is imported when it is first used, so that `import kalemia` loads nothing else.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalemia.beats.find_beats import find_beats
    from kalemia.finished_study import read_study
    from kalemia.models.model import load_model
    from kalemia.models.personalize import personalize

__all__ = ["__version__", "find_beats", "load_model", "personalize", "read_study"]
__version__ = "0.1.0"

_MODULES = {
    "find_beats": "kalemia.beats.find_beats",
    "load_model": "kalemia.models.model",
    "personalize": "kalemia.models.personalize",
    "read_study": "kalemia.finished_study",
}


def __getattr__(name: str):
    """A function of the public API, from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module 'kalemia' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
