"""Every setting with a wrong type, out of range, misspelt, twice, and as an alias: one line that names the key.

The line must name the key, what it was given, and what is allowed; a file that only looks odd must be read as meant.
"""

import json
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import yaml
from campaign import Tally, is_one_line

from kalemia.core.config_files import default_config, read_study
from kalemia.core.config_validation import config_schema
from kalemia.core.errors import UserError

WRONG_TYPES = {
    "null": None,
    "text": "ten",
    "number": 1.5,
    "switch": True,
    "list": [[1]],
    "mapping": {"a": 1},
    "date": date(2026, 1, 1),
}
_JSON_TYPES = {
    "null": ("null",),
    "text": ("string",),
    "number": ("number",),
    "switch": ("boolean",),
    "list": ("array",),
    "mapping": ("object",),
    "date": (),
}
ALLOWED = (
    "is not of type",
    "is not one of",
    "minimum",
    "maximum",
    "not valid",
    "does not match",
    "did you mean",
    "known here",
    "given twice",
    "too short",
    "non-empty",
    "should be",
    "is not a number",
    "has non-unique",
    "too long",
    "needs",
    "at least",
    "required",
    "must",
    "expected",
    "contains itself",
    "not YAML",
    "more than",
    "not allowed",
    "is not replaced",
)


def run(folder: Path, seed: int, is_short: bool) -> Tally:
    tally = Tally("bad settings", "one line names the key, the value and what is allowed; no traceback")
    folder.mkdir(parents=True, exist_ok=True)
    complete, overlay = folder / "config.yaml", folder / "overlay.yaml"
    complete.write_text(yaml.safe_dump(default_config(), sort_keys=False))
    cases = list(_cases(Random(seed)))
    for case, named, text in cases[::9] if is_short else cases:
        overlay.write_text(text)
        said = _answer(complete, overlay)
        if said == "read":
            tally.count(case, f"accepted: {text.strip()[:100]}", fails=True)
        elif (
            not is_one_line(said)
            or not all(name in said for name in named)
            or not any(word in said for word in ALLOWED)
        ):
            tally.count(case, said[:300], fails=True)
        else:
            tally.count(case, "one line")
    return tally


def _answer(complete: Path, overlay: Path) -> str:
    try:
        read_study(complete, [overlay])
    except UserError as error:
        return str(error)
    except Exception as error:  # what a person would see as a traceback
        return f"Traceback {type(error).__name__}: {error}"
    return "read"


def _cases(random: Random) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """The name of a case, what its message must name, and the text of the overlay."""
    for path, schema in _settings(config_schema(), default_config(), ()):
        key, name = path[-1], ".".join(path)
        types = _types_of(schema)
        for kind, value in WRONG_TYPES.items():
            if not set(_JSON_TYPES[kind]) & types and not (kind == "switch" and "boolean" in types):
                yield f"{name} as {kind}", (name, _shown(value)), _overlay(path, value)
        for value in _out_of_range(schema):
            yield f"{name} = {value}", (name, _shown(value)), _overlay(path, value)
        wrong_key = _misspelt(key, random)
        yield f"{name} misspelt", (wrong_key,), _overlay((*path[:-1], wrong_key), 1)
        given = json.dumps(_default_of(path))
        inside = "\n".join(f"{'  ' * depth}{part}:" for depth, part in enumerate(path[:-1]))
        indent = "  " * (len(path) - 1)
        yield f"{name} twice", (key,), f"{inside}\n{indent}{key}: {given}\n{indent}{key}: {given}\n"
        yield f"{name} as its own alias", (key,), f"{inside}\n{indent}{key}: &a [*a]\n".lstrip("\n")
        yield f"{name} as an unknown alias", ("nowhere",), f"{inside}\n{indent}{key}: *nowhere\n".lstrip("\n")


def _default_of(path: tuple[str, ...]):
    value = default_config()
    for part in path:
        value = value[part]
    return value


def _settings(schema: dict, default, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict]]:
    """Every key of the default configuration with its schema; of several arms the first."""
    if path:
        yield path, schema
    free = schema.get("additionalProperties")
    for key, value in default.items() if isinstance(default, dict) else ():
        known = schema.get("properties", {}).get(key) or (free if isinstance(free, dict) else None)
        if known is not None:
            yield from _settings(known, value, (*path, key))


def _types_of(schema: dict) -> set[str]:
    types = schema.get("type", [])
    types = {types} if isinstance(types, str) else set(types)
    for choice in schema.get("enum", ()):
        types.add("null" if choice is None else "enum")
    if "number" in types:
        types.add("integer")
    return types


def _out_of_range(schema: dict) -> Iterator[object]:
    for keyword, step in (("minimum", -1), ("exclusiveMinimum", 0), ("maximum", 1), ("exclusiveMaximum", 0)):
        if keyword in schema:
            yield schema[keyword] + step
    if "number" in _types_of(schema):
        yield from (math.nan, math.inf, -math.inf)
    if "enum" in schema:
        yield "none_of_these"
    if schema.get("type") == "array" or "array" in schema.get("type", ()):
        yield {"a": 1}
        yield ["?"] * 1000
    if schema.get("minLength"):
        yield ""


def _shown(value) -> str:
    """How a message shows a value, or the first item of a list of which it may name that alone."""
    return repr(value[0] if isinstance(value, list) else value)[:20]


def _misspelt(key: str, random: Random) -> str:
    """Two letters swapped, or one added where all are the same."""
    place = random.randrange(max(1, len(key) - 1))
    swapped = key[:place] + key[place + 1 : place + 2] + key[place] + key[place + 2 :]
    return swapped if swapped != key else f"{key}x"


def _overlay(path: tuple[str, ...], value) -> str:
    for part in reversed(path):
        value = {part: value}
    return yaml.safe_dump(value)
