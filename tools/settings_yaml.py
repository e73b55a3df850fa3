"""config.yaml: the default configuration with a comment at each key, from the declared settings."""

import textwrap

from kalemia.core.config import Study
from kalemia.core.settings.entries import Entry, walk
from settings_text import GENERATED, WIDTH, yaml_value

_COMMENT_COLUMN = 40
_HEAD = (
    "The default study: a few simulated patients, for trying things in a minute; the demo is studies/demo.yaml.",
    "Every setting of Kalemia is here; docs/reference/configuration.md says what each accepts.",
    "Other studies are overlays with only what differs: snakemake --cores 4 --configfile studies/mimic3.yaml",
    GENERATED,
)


def config_yaml() -> str:
    """The text of config.yaml."""
    lines = [*(f"# {line}" for line in _HEAD), ""]
    for entry in walk(Study()):
        if entry.setting:
            lines += _setting_lines(entry, "")
            continue
        lines += ["", *_comment(entry.section), f"{entry.key}:"]
        if isinstance(entry.default, dict):
            for number, (name, default) in enumerate(entry.default.items()):
                lines += [f"  {name}:", *_section_lines(default, "    ", with_comments=number == 0)]
        else:
            lines += _section_lines(entry.default, "  ")
    return "\n".join(lines) + "\n"


def _section_lines(section, indent: str, with_comments: bool = True) -> list[str]:
    lines = []
    for entry in walk(section):
        if entry.setting:
            lines += _setting_lines(entry, indent, with_comments)
        else:
            lines += _with_comment(f"{indent}{entry.key}:", entry.section, [])
            lines += _section_lines(entry.default, indent + "  ", with_comments)
    return lines


def _setting_lines(entry: Entry, indent: str, with_comments: bool = True) -> list[str]:
    line = f"{indent}{entry.key}: {yaml_value(entry.default)}"
    return _with_comment(line, entry.text, _choices(entry)) if with_comments else [line]


def _choices(entry: Entry) -> list[str]:
    choices = entry.setting.choices
    if isinstance(choices, tuple) and choices:
        return [f"{'any' if entry.is_list else 'one'} of {', '.join(map(yaml_value, choices))}"]
    return [f"{name}: {explanation}" for name, explanation in entry.explanations.items()]


def _with_comment(line: str, text: str, items: list[str]) -> list[str]:
    """A line with its comment to the right, or above if the line is long; the comment ends with a list of `items`."""
    is_long = len(line) + 2 > _COMMENT_COLUMN
    indent = line[: -len(line.lstrip())] if is_long else " " * _COMMENT_COLUMN
    comment = _comment(text, indent)
    for item in items:
        comment += _comment(item, indent, "- ")
    if is_long:
        return [*comment, line]
    return [line.ljust(_COMMENT_COLUMN) + comment[0].lstrip(), *comment[1:]]


def _comment(text: str, indent: str = "", bullet: str = "") -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start + bullet,
        subsequent_indent=start + " " * len(bullet),
        break_on_hyphens=False,
        break_long_words=False,
    )
