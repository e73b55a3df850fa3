"""The JSON schema of the declared settings."""

import typing

from kalemia.core.settings.data import Range
from kalemia.core.settings.entries import Entry, walk

Schema = dict[str, typing.Any]

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_RANGE = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {bound: {"type": ["number", "null"]} for bound in ("above", "from", "to", "below")},
}


def section_schema(section) -> Schema:
    """The schema of a section, an instance of its dataclass: every key is required, and no other is known."""
    properties = {entry.key: _described_schema(entry) for entry in walk(section)}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _described_schema(entry: Entry) -> Schema:
    if entry.setting:
        explained = "; ".join(f"{name}: {explanation}" for name, explanation in entry.explanations.items())
        return {"description": f"{entry.text}. {explained}".removesuffix(". "), **_setting_schema(entry)}
    if not isinstance(entry.default, dict):
        return {"description": entry.section, **section_schema(entry.default)}
    named = section_schema(next(iter(entry.default.values())))
    return {
        "description": entry.section,
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
        "additionalProperties": named | {"type": ["object", "null"]},
    }


def _setting_schema(entry: Entry) -> Schema:
    setting = entry.setting
    if entry.item_kind is Range:
        return _RANGE
    if setting.keys:
        properties = {key: _item_schema(entry) for key in setting.keys}
        return {"type": "object", "additionalProperties": False, "properties": properties}
    if not entry.is_list:
        return _item_schema(entry, entry.is_optional)
    limits = {
        "minItems": setting.length or setting.min_length,
        "maxItems": setting.length,
        "uniqueItems": setting.unique or None,
    }
    return {
        "type": ["array", "null"] if entry.is_optional else "array",
        "items": _item_schema(entry),
        **_without_none(limits),
    }


def _item_schema(entry: Entry, is_optional: bool = False) -> Schema:
    setting, name = entry.setting, _TYPES[entry.item_kind]
    if setting.choices:
        return {"enum": [*setting.choices, None] if is_optional else [*setting.choices]}
    limits = {
        "minimum": setting.minimum,
        "exclusiveMinimum": setting.above,
        "maximum": setting.maximum,
        "exclusiveMaximum": setting.below,
        "minLength": 1 if name == "string" and not is_optional else None,
    }
    return {"type": [name, "null"] if is_optional else name, **_without_none(limits)}


def _without_none(limits: Schema) -> Schema:
    return {keyword: limit for keyword, limit in limits.items() if limit is not None}
