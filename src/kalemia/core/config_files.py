"""A study's configuration as YAML: read with overlays and checked, and written."""

import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from kalemia.core.config import Arm, Fields, Study
from kalemia.core.config_validation import check_config
from kalemia.core.errors import UserError, as_user_error

SETTINGS_FILE = "config.yaml"  # in a results folder, written with the report: the whole configuration
_MAX_BYTES = 4 << 20  # of a file
_MAX_NODES = 100_000  # of a file with its aliases written out; config.yaml has some 400
_GIVEN_ONCE = re.compile(r"(--configfile|--config|-C)s?(=.*)?")


def read_study(complete: Path, overlays: Sequence[str | Path] = (), settings: Sequence[str] = ()) -> Study:
    """The checked study of `read_config`."""
    return Study.from_config(read_config(complete, overlays, settings))


def read_config(complete: Path, overlays: Sequence[str | Path] = (), settings: Sequence[str] = ()) -> Fields:
    """The checked configuration of a complete one, overlays on it, and KEY=VALUE settings.

    Snakemake's own reading takes the last of two equal keys, and numbers inside {...} of a setting as text; this one
    refuses the first and reads the second. Where the file of the complete configuration is missing, because only the
    package is installed or another folder is worked in, the declared defaults replace it. Raises `UserError`.
    """
    config = _read_yaml(complete) if complete.exists() else default_config()
    for path in overlays:
        config = merge_config(config, _read_yaml(path))
    for setting in settings:
        config = merge_config(config, _parse_setting(setting))
    check_config(config)
    return config


def read_settings(results: str | Path) -> Study:
    """The study of a results folder; raises `UserError` if the folder is not that of a finished study."""
    path = Path(results) / SETTINGS_FILE
    try:
        if not path.exists():
            raise UserError("it does not exist")
        config = _completed(_read_yaml(path))
        check_config(config)
    except UserError as error:
        reason = str(error).removeprefix("config: ").removeprefix(f"{path}: ")
        raise UserError(
            f"{path}: cannot be read as a configuration ({reason}); name the results folder of a finished study"
        ) from None
    return Study.from_config(config)


def _completed(config: Fields) -> Fields:
    """A whole configuration with the defaults of those settings that an older version did not have."""
    known = default_config()
    arm = plain(dataclasses.asdict(Arm()))
    arms = config.get("arms")
    if isinstance(arms, dict):
        known["arms"] = {name: arm | given if isinstance(given, dict) else given for name, given in arms.items()}
    for key, value in config.items():
        if key != "arms":
            known[key] = known[key] | value if isinstance(known.get(key), dict) and isinstance(value, dict) else value
    return known


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise `UserError` if --configfile or --config is given twice to Snakemake, which ignores all but the last."""
    options = [match[1].replace("-C", "--config") for match in map(_GIVEN_ONCE.fullmatch, arguments) if match]
    for option in sorted(set(options)):
        if options.count(option) > 1:
            raise UserError(
                f"{option} is given twice, and only the last would count; give all values after one {option}"
            )


def default_config() -> Fields:
    """The declared defaults, which are those of config.yaml."""
    return plain(dataclasses.asdict(Study()))


def _read_yaml(path: str | Path) -> Fields:
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise UserError(f"{path}: is too long to be a configuration")
        config = _load_strictly(content.decode("utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{line}: is not YAML ({error.problem})") from None
    except (FileNotFoundError, IsADirectoryError) as error:
        what = "is a folder" if isinstance(error, IsADirectoryError) else "does not exist"
        raise UserError(f"{path}: {what}; name the file of a configuration") from None
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:  # such as a date with a month 13
        raise as_user_error(error) or UserError(
            f"{path}: cannot be read as a configuration ({str(error).splitlines()[0]})"
        ) from None
    if config is not None and not isinstance(config, dict):
        raise UserError(f"{path}: is not a configuration, which has lines of the form key: value")
    return config or {}


def _load_strictly(text: str):
    """The value of a YAML text; raises `yaml.MarkedYAMLError` also for equal keys, and for aliases without end."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_node("the file", node, {}, set())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check_node(name: str, node: yaml.Node, sizes: dict[int, int], above: set[int]) -> int:
    """The number of values of a node with its aliases written out; `sizes` are those of nodes already checked.

    name: the key under which the node is, for the message.
    """
    if id(node) in above:
        raise yaml.MarkedYAMLError(problem=f"{name}: an alias contains itself", problem_mark=node.start_mark)
    if id(node) not in sizes:
        children = []
        if isinstance(node, yaml.MappingNode):
            keys = []
            for key, _ in node.value:
                if key.value in keys:
                    problem = f"the key {key.value} is given twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                keys.append(key.value)
            children = [(key.value, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            children = [(name, value) for value in node.value]
        sizes[id(node)] = 1 + sum(_check_node(*child, sizes, above | {id(node)}) for child in children)
    if sizes[id(node)] > _MAX_NODES:
        raise yaml.MarkedYAMLError(problem=f"more than {_MAX_NODES:,} values", problem_mark=node.start_mark)
    return sizes[id(node)]


def _parse_setting(setting: str) -> Fields:
    key, equals, value = setting.partition("=")
    try:
        parsed = _load_strictly(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        equals = ""
    if not equals:
        raise UserError(f"--config {setting}: is not KEY=VALUE")
    return {key: parsed}


def merge_config(config: Fields, overlay: Fields) -> Fields:
    """A configuration with the values of an overlay, merged section by section as Snakemake does."""
    merged = dict(config)
    for key, value in overlay.items():
        known = merged.get(key)
        merged[key] = merge_config(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def config_text(study: Study) -> str:
    """The whole configuration as YAML, in the order of config.yaml."""
    return yaml.safe_dump(plain(dataclasses.asdict(study)), sort_keys=False, default_flow_style=None, width=100)


def plain(value):
    """A value as YAML has it: lists for tuples, `from` for `from_`, and no bounds that are not set."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not (isinstance(item, float) and math.isinf(item))}
        return {key.rstrip("_"): plain(item) for key, item in kept.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
