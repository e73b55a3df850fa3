import dataclasses

import pytest

from kalemia.core.config import Analyte, Arm, Source, Study
from kalemia.core.config_validation import check_config
from kalemia.core.errors import UserError
from kalemia.core.negative_controls import NEGATIVE_CONTROLS
from kalemia.core.settings.declare import setting
from kalemia.core.settings.entries import walk
from kalemia.sources.mimic_codes import OPTIONAL_TABLES
from kalemia.sources.registry import SOURCES
from settings_yaml import config_yaml


def _settings(section, prefix=""):
    for entry in walk(section):
        if entry.setting:
            yield f"{prefix}{entry.key}", entry
        else:
            parts = entry.default if isinstance(entry.default, dict) else {"": entry.default}
            for part in parts.values():
                yield from _settings(part, f"{prefix}{entry.key}.")


def _declared(kind, key):
    return next(field.metadata["setting"] for field in dataclasses.fields(kind) if field.name == key)


def test_every_setting_has_a_description_in_one_sentence():
    settings = dict(_settings(Study()))
    assert len(settings) > 100
    for name, entry in settings.items():
        assert entry.setting.doc.strip(), name
        assert not entry.setting.doc.endswith("."), name


def test_choices_are_those_of_the_registries():
    assert set(_declared(Source, "kind").choices) == set(SOURCES)
    assert set(_declared(Source, "optional_tables").choices) == set(OPTIONAL_TABLES)
    assert set(_declared(Arm, "negative_controls").keys) == set(NEGATIVE_CONTROLS)


def test_a_declared_setting_is_in_config_yaml_with_its_description():
    assert "  n_excerpts: 40                        # excerpts on the page: " in config_yaml()


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("beats.max_per_draw", 0),
        ("ecg.band_hz", [0.5, 40, 60]),
        ("ecg.band_hz", [0, 40]),
        ("ecg.notch_hz", 55),
        ("analyte.items", []),
        ("analyte.name", ""),
        ("analyte.positive", {}),
        ("source.optional_tables", ["CHARTEVENTS", "CHARTEVENTS"]),
        ("explanation.gradcam_stages", [5]),
        ("generic.lr_decay_factor", 1.0),
        ("generic.early_stopping_patience", 0),
        ("arms.forward.train", "blocks"),
        ("arms.forward.negative_controls.shuffled", -1),
        ("arms.forward.replay", None),
    ],
)
def test_the_schema_refuses_what_is_declared_as_not_accepted(config, keys, value):
    *sections, key = keys.split(".")
    part = config
    for section in sections:
        part = part[section]
    part[key] = value
    with pytest.raises(UserError, match=f"^config: {keys}"):
        check_config(config)


@pytest.mark.parametrize(
    ("section", "former", "answer"),
    [
        ("arms.forward", "trained", "did you mean train?"),
        ("beats", "per_draw", "did you mean min_per_draw or max_per_draw?"),
        ("arms.forward", "nulls", "known here: protocol, purge_hours, "),
        ("populations", "split", "did you mean generic_split?"),
    ],
)
def test_a_former_key_is_answered_with_known_ones(config, section, former, answer):
    part = config
    for key in section.split("."):
        part = part[key]
    part[former] = 1
    with pytest.raises(UserError) as caught:
        check_config(config)
    assert str(caught.value).startswith(f"config: unknown key {section}.{former}; {answer}")


def test_a_mapping_as_default_is_not_shared():
    @dataclasses.dataclass
    class Section:
        one: dict = setting({"a": 1}, "a mapping")

    Section().one["a"] = 2
    assert Section().one == {"a": 1}


def test_an_analyte_is_the_default_one_if_nothing_is_given():
    assert Analyte().items == (50971,)
