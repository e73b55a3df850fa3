"""The JSON schema of a configuration, as YAML, from the declared settings."""

import yaml

from kalemia.core.config import Range, Study
from settings_entries import GENERATED, WIDTH, Entry, walk

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_RANGE = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {bound: {"type": ["number", "null"]} for bound in ("above", "from", "to", "below")},
}


class _Dumper(yaml.SafeDumper):
    """Without anchors and aliases, which are harder to read than what they repeat."""

    def ignore_aliases(self, data) -> bool:
        return True


def config_schema() -> str:
    """The text of workflow/schemas/config.schema.yaml."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of a Kalemia study",
        **_section_schema(Study()),
    }
    return f"# {GENERATED}\n" + yaml.dump(schema, Dumper=_Dumper, sort_keys=False, width=WIDTH)


def _section_schema(section) -> dict:
    properties = {entry.key: _described_schema(entry) for entry in walk(section)}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _described_schema(entry: Entry) -> dict:
    if entry.setting:
        explained = "; ".join(f"{name}: {explanation}" for name, explanation in entry.explanations.items())
        return {"description": f"{entry.text}. {explained}".removesuffix(". "), **_setting_schema(entry)}
    if not isinstance(entry.default, dict):
        return {"description": entry.section, **_section_schema(entry.default)}
    named = _section_schema(next(iter(entry.default.values())))
    return {
        "description": entry.section,
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
        "additionalProperties": named | {"type": ["object", "null"]},
    }


def _setting_schema(entry: Entry) -> dict:
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


def _item_schema(entry: Entry, is_optional: bool = False) -> dict:
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


def _without_none(limits: dict) -> dict:
    return {keyword: limit for keyword, limit in limits.items() if limit is not None}
