"""docs/reference/configuration.md: a table of the settings in each section, from the declared settings."""

import re
import textwrap
from collections.abc import Iterator

from kalemia.core.config import Range, Study
from kalemia.core.settings.entries import Entry, walk
from settings_text import GENERATED, WIDTH, yaml_value

_INTRODUCTION = (
    "Every setting of a study, with its default (in [config.yaml](../../config.yaml)) and the values that it accepts. A"
    " study is an overlay on `config.yaml` with only what differs, for example"
    " [studies/mimic3.yaml](../../studies/mimic3.yaml). An unknown key is refused, with the nearest known one, before"
    " any work begins. *paper* is the value of Chiu et al. 2022."
)
_OF_NAMED = "The defaults are those of `{key}.{name}`. A name that is not in `config.yaml` must be given every key."
_KINDS = {bool: "`true` or `false`", int: "whole number", float: "number", str: "text"}


def configuration_page() -> str:
    """The text of the page."""
    entries = list(walk(Study()))
    lines = ["# Configuration", "", f"<!-- {GENERATED} -->", "", *textwrap.wrap(_INTRODUCTION, WIDTH)]
    lines += _table([("", entry) for entry in entries if entry.setting])
    for entry in entries:
        if entry.setting:
            continue
        section, prefix, text = entry.default, "", f"{entry.section}."
        if isinstance(section, dict):
            name, section = next(iter(section.items()))
            prefix, text = "NAME.", f"{text} {_OF_NAMED.format(key=entry.key, name=name)}"
        lines += ["", f"## `{entry.key}`", "", *textwrap.wrap(text, WIDTH)]
        lines += _table(list(_settings(section, prefix)))
    return _with_links("\n".join(lines)) + "\n"


def _with_links(text: str) -> str:
    """The text with each page of docs/ that it names as a link to it."""
    return re.sub(r"docs/([\w-]+)\.md", r"[\1](../\1.md)", text)


def _settings(section, prefix: str) -> Iterator[tuple[str, Entry]]:
    """Every setting in a section and in its subsections, after the keys that lead to it."""
    for entry in walk(section):
        if entry.setting:
            yield prefix, entry
        else:
            yield from _settings(entry.default, f"{prefix}{entry.key}.")


def _table(rows: list[tuple[str, Entry]]) -> list[str]:
    lines = ["", "| key | default | accepts | unit | description |", "|---|---|---|---|---|"]
    for prefix, entry in rows:
        setting = entry.setting
        paper = f" (paper: {setting.paper})" if setting.paper else ""
        explained = [f"`{name}`: {explanation}" for name, explanation in entry.explanations.items()]
        cells = (
            f"`{prefix}{entry.key}`",
            f"`{yaml_value(entry.default)}`",
            _accepted(entry),
            setting.unit or "",
            "<br>".join([setting.doc.replace("<", "&lt;") + paper, *explained]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _accepted(entry: Entry) -> str:
    setting, text = entry.setting, _accepted_item(entry)
    if setting.keys:
        text = f"a {text} for each of {', '.join(f'`{key}`' for key in setting.keys)}"
    if entry.is_list:
        least = f"at least {setting.min_length}" if setting.min_length else ""
        words = filter(None, ["list of", str(setting.length or least), "different" if setting.unique else ""])
        text = f"{' '.join(words)}: {text}"
    return f"{text}, or `null`" if entry.is_optional else text


def _accepted_item(entry: Entry) -> str:
    setting = entry.setting
    if entry.item_kind is Range:
        return "one or more of `above`, `from`, `to`, `below`, each a number or `null`"
    if setting.choices:
        return ", ".join(f"`{yaml_value(choice)}`" for choice in setting.choices)
    signs = {"≥": setting.minimum, ">": setting.above, "≤": setting.maximum, "<": setting.below}
    limits = " and ".join(f"{sign} {limit:g}" for sign, limit in signs.items() if limit is not None)
    return f"{_KINDS[entry.item_kind]} {limits}".rstrip()
