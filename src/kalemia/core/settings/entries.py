"""The declared settings, one entry each, as the schema and the generated files need them."""

import dataclasses
import types
import typing
from collections.abc import Iterator

from kalemia.core.settings.declare import Setting

_UNIT_IN_KEY = {"h": "hours", "min": "minutes", "s": "_s", "ms": "_ms", "Hz": "_hz", "dB": "_db"}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A setting or a section of settings: its key, type and default, and what is declared of it."""

    key: str
    kind: typing.Any
    default: typing.Any
    setting: Setting | None  # None for a section
    section: str | None  # the description of a section

    @property
    def is_optional(self) -> bool:
        return types.NoneType in typing.get_args(self.kind)

    @property
    def is_list(self) -> bool:
        return typing.get_origin(self._kind_without_null) is tuple

    @property
    def item_kind(self) -> type:
        """The type of the value, or of the values in a list or mapping."""
        kind = self._kind_without_null
        arguments = typing.get_args(kind)
        if typing.get_origin(kind) is dict:
            return arguments[1]
        return arguments[0] if self.is_list else kind

    @property
    def _kind_without_null(self):
        return typing.get_args(self.kind)[0] if typing.get_origin(self.kind) is types.UnionType else self.kind

    @property
    def text(self) -> str:
        """The description with the paper's value, and with the unit if the key does not have it."""
        setting = self.setting
        notes = [setting.unit] if setting.unit and _UNIT_IN_KEY.get(setting.unit, " ") not in self.key else []
        notes += [f"paper: {setting.paper}"] if setting.paper else []
        return setting.doc + (f" ({'; '.join(notes)})" if notes else "")

    @property
    def explanations(self) -> dict[str, str]:
        """What each choice, or each key of a mapping, means."""
        choices = self.setting.choices if isinstance(self.setting.choices, dict) else {}
        return {name: doc.rstrip(".") for name, doc in (choices | self.setting.keys).items()}


def walk(section) -> Iterator[Entry]:
    """The settings and sections in a dataclass of settings, in the order of their declaration."""
    hints = typing.get_type_hints(type(section))
    for field in dataclasses.fields(section):
        metadata = field.metadata
        yield Entry(
            field.name,
            hints[field.name],
            getattr(section, field.name),
            metadata.get("setting"),
            metadata.get("section"),
        )
