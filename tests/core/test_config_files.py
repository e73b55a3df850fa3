import itertools
import json
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from kalemia.core.config import Study
from kalemia.core.config_files import (
    _parse_setting,
    _read_yaml,
    check_arguments,
    config_text,
    default_config,
    merge_config,
    read_study,
)
from kalemia.core.config_validation import check_config
from kalemia.core.errors import UserError
from kalemia.personal.baselines import BASELINES, COMPARATOR

CONFIG = ROOT / "config.yaml"
SETTINGS_FILES = [
    CONFIG,
    *(path for folder in ("config", "studies", "tests") for path in (ROOT / folder).rglob("*.yaml")),
]


@pytest.fixture
def overlay(tmp_path):
    return tmp_path / "overlay.yaml"


def _error(*overlays, settings=()):
    with pytest.raises(UserError) as caught:
        read_study(CONFIG, overlays, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("beats: {per_draw: 3}", "config: unknown key beats.per_draw; did you mean min_per_draw or max_per_draw?"),
        ("recipes: 3", "config: unknown key recipes; "),
        ("__use_yte__: true", "config: __use_yte__: a study that runs code is refused; write values, and no such key"),
        ("cohort: {window_minutes: ten}", "config: cohort.window_minutes: 'ten' is not of type 'number'"),
        ("cohort: 3", "config: cohort: 3 is not of type 'object'"),
        ("results: ''", "config: results: '' "),
        ("results:", "config: results: None is not of type 'string'"),
        ("arms: {third: {protocol: paper}}", "config: arms.third: 'purge_hours' is a required property"),
        ("arms: {forward: null, paper: null}", "config: arms: there is none, or all are null; keep at least one arm"),
        (
            "seed: 1\narms: {paper: null\nseed: 2",
            "overlay.yaml, line 3: is not YAML (expected ',' or '}', but got ':')",
        ),
        ("seed: 1\n\tx: 2", "overlay.yaml, line 2: is not YAML (found character '\\t' that cannot start any token)"),
        ("- seed", "overlay.yaml: is not a configuration, which has lines of the form key: value"),
        (
            "cohort: {lead: V}\nseed: 1\ncohort: {window_minutes: 5}",
            "overlay.yaml, line 3: is not YAML (the key cohort is given twice)",
        ),
        ("a: &a [*a]", "overlay.yaml, line 1: is not YAML (a: an alias contains itself)"),
        ("seed: 1\n---\nseed: 2", "overlay.yaml, line 2: is not YAML (but found another document)"),
        ("quality: {min_correlation: .nan}", "config: quality.min_correlation: nan is not a number that can be used"),
        ("analyte: {plausible: {to: .inf}}", "config: analyte.plausible.to: inf is not a number that can be used"),
        ("ecg: {band_hz: [0.5, .nan]}", "config: ecg.band_hz.1: nan is not a number that can be used"),
        ("results: ~/study", "config: results: ~/study: ~ and $ are not replaced in paths; write the whole path"),
        ("source: {tables: $HOME/tables}", "config: source.tables: $HOME/tables: ~ and $ are not replaced in paths"),
        ("results: a{b}", "config: results: a{b}: Snakemake reads braces as wildcards"),
        ("results: /", "config: results: /: is not a folder of its own; name one"),
        ("results: ../..", "config: results: ../..: is not a folder of its own; name one"),
        ("seed: 0x" + "f" * 5000, "config: seed: a number of 20000 bits is not a number that can be used"),
        ("seed: " + "9" * 5000, "overlay.yaml: cannot be read as a configuration (Exceeds the limit"),
        ("seed: 9999-13-01", "overlay.yaml: cannot be read as a configuration (month must be in 1..12"),
        (
            'study: "a\\nkalemia: all is well"',
            "config: study: 'a\\nkalemia: all is well' is longer than 1000 characters",
        ),
        ("study: " + "a" * 2000, "config: study: "),
        ("seed: \x07", "overlay.yaml: cannot be read as a configuration (unacceptable character #x0007: "),
    ],
)
def test_a_mistake_is_reported_in_one_line(overlay, text, message):
    overlay.write_text(text)
    assert _error(overlay).removeprefix(f"{overlay.parent}/").startswith(message)


def test_a_setting_of_the_command_line_is_checked():
    assert _error(settings=["seeds=3"]) == "config: unknown key seeds; did you mean seed?"
    assert _error(settings=["seed=-3"]).startswith("config: seed: -3 is less than")


def test_a_missing_file_a_folder_and_a_binary_file_are_named(overlay):
    assert _error(overlay).endswith("overlay.yaml: does not exist; name the file of a configuration")
    assert _error(overlay.parent).endswith("is a folder; name the file of a configuration")
    overlay.write_bytes(b"\xff")
    assert "overlay.yaml: cannot be read as a configuration" in _error(overlay)
    with overlay.open("r+b") as file:
        file.truncate(6 << 30)
    assert _error(overlay).endswith("overlay.yaml: is too long to be a configuration")


def test_overlays_and_settings_override_in_order(overlay):
    overlay.write_text("seed: 5\ncohort: {lead: V}\n")
    study = read_study(CONFIG, [overlay], ["seed=6"])
    assert (study.seed, study.cohort.lead, study.beats) == (6, "V", Study().beats)


def test_an_empty_overlay_changes_nothing(overlay):
    overlay.write_text("# only a comment\n")
    assert read_study(CONFIG, [overlay]) == Study()


def test_without_config_yaml_the_declared_defaults_are_read(default_config):
    assert read_study(Path("none.yaml")) == Study()
    assert default_config == yaml.safe_load((ROOT / "config.yaml").read_text())


def test_the_configuration_of_results_can_be_read_again(overlay):
    overlay.write_text(config_text(Study()))
    assert read_study(overlay) == Study()
    assert default_config() == yaml.safe_load(overlay.read_text())


@pytest.mark.parametrize("path", SETTINGS_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_yaml_file_of_the_project_passes_the_strict_reading(path):
    assert isinstance(_read_yaml(path), dict)


def test_aliases_are_read_but_not_without_end(overlay):
    overlay.write_text("a: &arm {protocol: paper}\nb: *arm\n")
    assert _read_yaml(overlay) == {"a": {"protocol": "paper"}, "b": {"protocol": "paper"}}
    overlay.write_text(
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in itertools.pairwise("abcdefghi"))
    )
    assert _error(overlay).endswith("is not YAML (more than 100,000 values)")


@pytest.mark.parametrize("number", [2, -1, 0.5, True, None])
def test_a_number_inside_braces_on_the_command_line_stays_a_number(number):
    assert _parse_setting(f"personal={{max_rounds: {json.dumps(number)}}}") == {"personal": {"max_rounds": number}}


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--configfile", "a", "b", "--config", "c=1"], None),
        (["--configfile", "a", "--configfile", "b"], "--configfile"),
        (["--configfiles=a", "--configfile", "b"], "--configfile"),
        (["--config", "a=1", "--config", "b=1"], "--config"),
        (["-C", "a=1", "--config", "b=1"], "--config"),
    ],
)
def test_an_option_of_which_snakemake_takes_only_the_last_is_refused_if_given_twice(arguments, option):
    if option is None:
        check_arguments(arguments)
    else:
        with pytest.raises(UserError, match=f"^{option} is given twice"):
            check_arguments(arguments)


@pytest.mark.parametrize("study", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_is_a_valid_configuration_whose_deciding_arm_and_comparator_exist(study):
    config = merge_config(*(yaml.safe_load(path.read_text()) for path in (ROOT / "config.yaml", study)))
    check_config(config)
    checked = Study.from_config(config)
    assert checked.verdict.deciding_arm(checked.arms) in checked.arms
    assert BASELINES[checked.verdict.comparator].role == COMPARATOR


def test_a_message_names_the_key_of_an_endless_alias_and_shortens_what_is_long(overlay):
    overlay.write_text("cohort:\n  lead: &a [*a]\n")
    assert _error(overlay) == f"{overlay}, line 2: is not YAML (lead: an alias contains itself)"
    overlay.write_text(f"network: {{ordinal_thresholds: {['?'] * 1000}}}\n{'x' * 5000}: 1\n")
    assert len(_error(overlay)) < 1000
    overlay.write_text(f"seed: {'x' * 5000}\n")
    assert len(_error(overlay)) < 300
