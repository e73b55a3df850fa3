import dataclasses
import typing

import numpy as np
import pytest

from kalemia.core.config import Range, Study
from kalemia.core.config_validation import check_config
from kalemia.core.errors import UserError
from kalemia.core.settings.entries import walk
from kalemia.core.stage_versions import STAGE_VERSIONS


def _error(config):
    with pytest.raises(UserError) as caught:
        check_config(config)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_default_configuration_is_valid(config):
    check_config(config)


def test_unknown_key_is_answered_with_the_nearest_known_one(config):
    config["generic"]["epoch"] = 3
    assert _error(config) == "config: unknown key generic.epoch; did you mean epochs?"


def test_unknown_key_of_an_arm_is_refused(config):
    config["arms"]["paper"]["freeze"] = 3
    assert "unknown key arms.paper.freeze" in _error(config)


def test_error_for_a_wrong_type_names_the_key(config):
    config["beats"]["max_per_draw"] = "many"
    assert _error(config).startswith("config: beats.max_per_draw: 'many'")


def test_trailing_slash_of_results_is_removed(config):
    assert Study.from_config(config | {"results": "results/x/"}).results == "results/x"


def test_overlapping_label_ranges_are_refused(config):
    config["analyte"]["positive"] = {"above": 4.5}
    assert "out of order" in _error(config)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("ecg", "band_hz", [40, 0.5]),
        ("quality", "rr_range_ms", [2000, 300]),
        ("quality", "amplitude_ratio_range", [2, 0.5]),
        ("beats", "min_per_draw", 201),
        ("cohort", "min_recorded_minutes", 11),
        ("populations", "generic_split", {"train": 0.6, "validation": 0.3, "test": 0.2}),
        ("analyte", "negative", {"from": 5.0, "to": 3.5}),
        ("simulation", "single_episode_patients", 7),
    ],
)
def test_contradictory_settings_are_refused(config, section, key, value):
    config[section][key] = value
    assert _error(config).startswith(f"config: {section}.")


def test_generic_is_no_name_for_an_arm(config):
    config["arms"]["generic"] = config["arms"].pop("paper")
    assert _error(config).startswith("config: arms.generic: ")


def test_a_comparator_of_generic_patients_is_refused_if_the_network_is_imported(config):
    config["verdict"]["comparator"] = "mixed_model"
    check_config(config)
    config["generic"]["model"] = "models/ours"
    assert _error(config).startswith("config: verdict.comparator: mixed_model is fitted to generic patients")
    config["verdict"]["comparator"] = "mean_beat"
    check_config(config)


def test_whole_number_may_be_written_with_a_decimal_point(config):
    config["generic"]["batch_size"] = 256.0
    check_config(config)
    assert type(Study.from_config(config).generic.batch_size) is int


@pytest.mark.parametrize(
    ("section", "key", "value", "stages"),
    [
        ("analyte", "condition", "too much potassium", {"report", "public_report"}),
        ("cohort", "admission_slack_hours", 99.0, {"cohort"}),
        ("cohort", "window_minutes", 8.0, {"cohort", "populations"}),
    ],
)
def test_setting_remakes_only_the_stages_that_use_it(config, section, key, value, stages):
    before = Study.from_config(config)
    config[section][key] = value
    after = Study.from_config(config)
    assert {stage for stage in STAGE_VERSIONS if before.digest(stage) != after.digest(stage)} == stages


def test_arm_set_to_null_is_left_out(config):
    config["arms"]["paper"] = None
    check_config(config)
    assert list(Study.from_config(config).arms) == ["forward"]


def test_a_study_without_any_arm_is_refused(config):
    config["arms"] = dict.fromkeys(config["arms"])
    assert _error(config) == "config: arms: there is none, or all are null; keep at least one arm"


def _keys_of_type(kind):
    hints = typing.get_type_hints(kind)
    return {name.rstrip("_"): hints[name] for name in hints}


def _assert_same_keys(kind, schema, value, where):
    if not dataclasses.is_dataclass(kind):
        return
    keys = _keys_of_type(kind)
    assert set(keys) == set(schema["properties"]), where
    if kind is not Range:
        assert set(keys) == set(schema["required"]) == set(value), where
    for key in set(keys) & set(value):
        _assert_same_keys(keys[key], schema["properties"][key], value[key], f"{where}{key}.")


def test_types_schema_and_defaults_have_the_same_keys(config, schema):
    _assert_same_keys(Study, schema, config, "")
    arm = typing.get_args(typing.get_type_hints(Study)["arms"])[1]
    of_arm = schema["properties"]["arms"]["additionalProperties"]
    for name in ("forward", "paper"):
        _assert_same_keys(arm, of_arm, config["arms"][name], f"arms.{name}.")


def test_the_declared_defaults_are_those_of_config_yaml(config):
    assert Study.from_config(config) == Study()


@pytest.mark.parametrize(("value", "inside"), [(5.5, False), (5.5000001, True), (5.0, False), (float("nan"), False)])
def test_above_excludes_its_own_value(value, inside):
    assert bool(Range(above=5.5).contains(value)) is inside


def test_from_and_to_include_their_own_values():
    values = np.array([3.4999, 3.5, 5.0, 5.0001])
    assert Range(from_=3.5, to=5.0).contains(values).tolist() == [False, True, True, False]


def test_ranges_that_touch_at_an_excluded_bound_do_not_overlap():
    assert not Range(above=5.0).overlaps(Range(from_=3.5, to=5.0))
    assert Range(from_=5.0).overlaps(Range(from_=3.5, to=5.0))


CHANGE_NO_OUTPUT = {
    "results",
    "review.decisions",  # the beats have the decisions on their own subjects as a parameter
    "source.waveforms",
    "source.tables",
    "source.credentials_host",
    "source.max_connections",
    "source.max_attempts",
    "source.timeout_s",
    "report.public",
    "source.optional_tables",  # the names of the tables are in the inputs of the jobs
}


def test_every_setting_is_in_a_digest_or_changes_no_output():
    """A new setting must be added to the stages that use it, or to the settings above."""
    used = {name for stage in STAGE_VERSIONS.values() for name in stage.settings}
    in_digests = {name for name in _names_of_settings(Study()) if used & {name, *_sections_of(name)}}
    assert set(_names_of_settings(Study())) - in_digests == CHANGE_NO_OUTPUT


def _names_of_settings(section, prefix=""):
    for entry in walk(section):
        if entry.setting or isinstance(entry.default, dict):
            yield f"{prefix}{entry.key}"
        else:
            yield from _names_of_settings(entry.default, f"{prefix}{entry.key}.")


def _sections_of(name):
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def test_digest_changes_only_with_the_settings_that_its_stage_uses(config):
    before = Study.from_config(config)
    config["beats"]["max_per_draw"] = 100
    after = Study.from_config(config)
    changed = {stage for stage in STAGE_VERSIONS if before.digest(stage) != after.digest(stage)}
    assert changed == {"beats", "review_page"}


def test_digest_of_an_arm_does_not_depend_on_other_arms(config):
    before = Study.from_config(config)
    config["arms"]["paper"]["epochs"] = 7
    after = Study.from_config(config)
    assert before.split_digest("paper") == after.split_digest("paper")
    assert before.arm_digest("paper") != after.arm_digest("paper")
    assert before.arm_digest("forward") == after.arm_digest("forward")


def test_another_arm_does_not_change_the_input_of_the_generic_network(config):
    before = Study.from_config(config)
    config["arms"]["third"] = config["arms"]["paper"]
    after = Study.from_config(config)
    assert before.digest("populations") == after.digest("populations")
    assert before.digest("count_rounds") != after.digest("count_rounds")


def test_trained_and_cross_patient_controls_have_independent_digests(config):
    def digests(**nulls):
        config["arms"]["paper"]["negative_controls"] = nulls
        study = Study.from_config(config)
        return study.nulls_digest("paper", "first"), study.strangers_digest("paper")

    few, more_trained, more_strangers = digests(shuffled=1), digests(shuffled=2), digests(shuffled=1, stranger=3)
    assert (more_strangers[0] == few[0], more_strangers[1] == few[1]) == (True, False)
    assert (more_trained[0] == few[0], more_trained[1] == few[1]) == (False, True)


def test_more_runs_of_a_control_change_no_digest_of_a_full_chunk(config):
    def digests(**nulls):
        config["arms"]["paper"]["negative_controls"] = nulls
        study = Study.from_config(config)
        return {chunk: study.nulls_digest("paper", chunk) for chunk in study.arms["paper"].null_chunks}

    before, more = digests(shuffled=10, shifted=19), digests(shuffled=20, shifted=21)
    assert {name: more[name] == digest for name, digest in before.items()} == {
        "first": True, "shuffled-3": True, "shifted-3": True, "shifted-10": False,
    }  # fmt: skip
    assert more.keys() - before.keys() == {"shuffled-10", "shifted-20"}
    assert len(set(more.values())) == len(more)


def test_digest_of_evaluation_depends_on_the_order_and_protocols_of_arms(config):
    def digest(arms):
        return Study.from_config(config | {"arms": arms}).digest("evaluation")

    arms = config["arms"]
    other = arms | {"forward": arms["forward"] | {"protocol": "episode"}}
    longer = arms | {"forward": arms["forward"] | {"epochs": 9}}
    backwards = dict(reversed(arms.items()))
    assert digest(longer) == digest(arms)
    assert len({digest(arms), digest(other), digest(backwards)}) == 3


def test_no_digest_depends_on_where_the_data_are(config):
    config["source"] |= {"kind": "physionet", "waveforms": "/a", "tables": "/a"}
    before = Study.from_config(config)
    config["source"] |= {"kind": "physionet", "waveforms": "/b", "tables": "/b"}
    after = Study.from_config(config)
    assert [before.digest(stage) for stage in STAGE_VERSIONS] == [after.digest(stage) for stage in STAGE_VERSIONS]


def test_null_removes_a_bound_of_the_default(config):
    config["analyte"]["positive"] |= {"above": None, "below": 3.5}
    check_config(config)
    assert Study.from_config(config).analyte.positive == Range(below=3.5)
