"""How a setting is declared: a dataclass field with its default, what is accepted, and a description.

After a change run `make generate`, which writes config.yaml, its schema and docs/reference/configuration.md.
"""

import dataclasses
import typing
from dataclasses import dataclass

Choices = tuple | dict[typing.Any, str]


@dataclass(frozen=True)
class Setting:
    """What is known about a setting beyond its type and default.

    choices: the accepted values, as a tuple, or as a dictionary with an explanation of each. minimum and maximum are
    accepted themselves, above and below are not. For a list, choices and bounds are those of its items. keys: the keys
    that a mapping may have, each with an explanation. paper: the value in Chiu et al. 2022, where it is known.
    """

    doc: str
    unit: str | None = None
    paper: str | None = None
    choices: Choices = ()
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None
    length: int | None = None
    min_length: int | None = None
    unique: bool = False
    keys: dict[str, str] = dataclasses.field(default_factory=dict)


def setting(default, doc: str, **known) -> typing.Any:
    """A field for one setting; `known` are other fields of `Setting`."""
    return _field(default, {"setting": Setting(doc, **known)})


def section(default, doc: str) -> typing.Any:
    """A field for a group of settings; `default` is an instance of its dataclass, or one by name."""
    return _field(default, {"section": doc})


def _field(default, metadata: dict):
    if isinstance(default, dict):
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
