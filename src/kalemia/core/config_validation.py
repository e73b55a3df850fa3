"""Check a configuration: known keys, the schema, and what depends on several settings."""

import difflib
import itertools
import unicodedata

from kalemia.core.config import GENERIC, Fields, Study
from kalemia.core.errors import UserError
from kalemia.core.settings.networks import NEIGHBORS_APART
from kalemia.core.settings.schema import Schema, section_schema

_MAX_SHOWN = 200  # characters of a wrong key or value
_MAX_TEXT = 1000  # characters
_MAX_NUMBER = 2**63
_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}  # categories of Unicode: control characters, halves of letters, ends of lines


def config_schema() -> Schema:
    """The JSON schema of a configuration."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of a Kalemia study",
        **section_schema(Study()),
    }


def check_config(config: Fields) -> None:
    """Raise a `UserError` of one line for the first mistake in a configuration.

    The message for an unknown key names the nearest known ones.
    """
    check_sections(config)
    study = Study.from_config(config)
    _check_paths(study)
    _check_combinations(study)


def check_sections(config: Fields) -> None:
    """As `check_config`, but for what depends on settings of several sections."""
    schema = config_schema()
    _check_unknown_keys(config, schema, "")
    _check_size(config, "config:")
    from jsonschema import Draft202012Validator

    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda error: list(map(str, error.path)))
    if errors:
        where = ".".join(map(str, errors[0].absolute_path)) or "the configuration"
        value = repr(errors[0].instance)
        raise UserError(f"config: {where}: {errors[0].message.replace(value, _in_short(value))}")
    study = Study.from_config(config)
    analyte, split = study.analyte, study.populations.generic_split
    for name in ("positive", "negative", "plausible"):
        if getattr(analyte, name).is_empty():
            raise UserError(f"config: analyte.{name}: its bounds are out of order, so no value is between them")
    if analyte.positive.overlaps(analyte.negative):
        raise UserError(
            "config: analyte.positive and analyte.negative are out of order: they overlap,"
            " and a value in both would have two labels"
        )
    if study.ecg.band_hz[0] >= study.ecg.band_hz[1]:
        raise UserError("config: ecg.band_hz: the lower edge must be below the upper edge")
    if study.ecg.transition_hz > 2 * study.ecg.band_hz[0]:
        raise UserError("config: ecg.transition_hz: wider than twice the lower edge of ecg.band_hz, so 0 Hz would pass")
    if study.quality.rr_range_ms[0] >= study.quality.rr_range_ms[1]:
        raise UserError("config: quality.rr_range_ms: the shortest interval must be below the longest")
    if study.quality.amplitude_ratio_range[0] >= study.quality.amplitude_ratio_range[1]:
        raise UserError("config: quality.amplitude_ratio_range: the smallest ratio must be below the largest")
    if study.beats.min_per_draw > study.beats.max_per_draw:
        raise UserError("config: beats.min_per_draw: more than beats.max_per_draw, so every draw would be excluded")
    if study.cohort.min_recorded_minutes > study.cohort.window_minutes:
        raise UserError("config: cohort.min_recorded_minutes: more than cohort.window_minutes")
    if study.cohort.pairing_hours is not None and study.cohort.offset_hours:
        raise UserError(
            "config: cohort.offset_hours: must be 0 if cohort.pairing_hours pairs draws with the nearest ECG"
        )
    if abs(split.train + split.validation + split.test - 1) > 1e-9:
        raise UserError("config: populations.generic_split: the three fractions must add up to 1")
    thresholds = study.network.ordinal_thresholds
    if any(low >= high for low, high in itertools.pairwise(thresholds)):
        raise UserError("config: network.ordinal_thresholds: must be in ascending order")
    if study.simulation.single_episode_patients > study.simulation.personal_patients:
        raise UserError("config: simulation.single_episode_patients: more than simulation.personal_patients")


def _check_combinations(study: Study) -> None:
    """Check what no section by itself can see: settings of several sections, and a reserved name."""
    if not study.arms:
        raise UserError("config: arms: there is none, or all are null; keep at least one arm")
    if GENERIC in study.arms:
        raise UserError(f"config: arms.{GENERIC}: is the name of the generic network; rename the arm")
    if study.generic.model and study.populations.personal_min_draws is None:
        raise UserError(
            "config: generic.model: with an imported network and no personal patient there is nothing to train"
        )
    for name, arm in study.arms.items():
        if arm.train == "from_scratch" and arm.batch_norm == "frozen":
            raise UserError(f"config: arms.{name}.batch_norm: must be adapt if train is from_scratch")
        if arm.purge_hours * 60 < study.cohort.window_minutes:
            raise UserError(
                f"config: arms.{name}.purge_hours: less than cohort.window_minutes, so a training draw and a test draw"
                " could share beats"
            )
    deciding = study.verdict.arm
    if deciding is not None and deciding not in study.arms:
        raise UserError(f"config: verdict.arm: there is no arm {deciding}; the arms are {', '.join(study.arms)}")
    if deciding is not None and study.arms[deciding].protocol not in NEIGHBORS_APART:
        protocol = study.arms[deciding].protocol
        raise UserError(
            f"config: verdict.arm: the protocol of {deciding} ({protocol}) puts neighboring draws on both sides, so a"
            " gain would prove nothing; name another arm"
        )
    if study.generic.model and study.verdict.comparator == "mixed_model":
        raise UserError(
            "config: verdict.comparator: mixed_model is fitted to generic patients, and there are none if generic.model"
            " imports the network; name another comparator"
        )
    _check_controls(study)
    least_positive = max(study.analyte.positive.above, study.analyte.positive.from_)
    if study.source.kind == "simulated" and study.simulation.max_potassium < least_positive + 0.5:
        raise UserError("config: simulation.max_potassium: must exceed the bound of analyte.positive by at least 0.5")


def _check_controls(study: Study) -> None:
    """Check that networks of the other analytes can be trained and judged."""
    if not study.controls:
        return
    if study.analyte.name in study.controls:
        raise UserError(f"config: controls: {study.analyte.name} is the study's own analyte; name others")
    if not study.n_shifted_controls:
        raise UserError(
            "config: controls: no arm decides, or the deciding arm has no shifted runs to compare with; set its"
            " negative_controls.shifted to 19"
        )
    if study.network.auxiliary_head != "none":
        raise UserError("config: controls: network.auxiliary_head must be none, because it knows one analyte only")


def _check_size(value, where: str) -> None:
    """Refuse .nan and .inf, which every comparison with a bound would let pass, and numbers and texts without end."""
    if isinstance(value, (int, float)) and not abs(value) < _MAX_NUMBER:
        shown = value if isinstance(value, float) else f"a number of {value.bit_length()} bits"
        raise UserError(f"{where} {shown} is not a number that can be used")
    if isinstance(value, str) and not is_shown(value):
        raise UserError(
            f"{where} {_in_short(repr(value))} is longer than {_MAX_TEXT} characters, or has a control character"
        )
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        _check_size(item, f"{where.removesuffix(':')}.{key}:" if where != "config:" else f"config: {key}:")


def is_shown(text: str) -> bool:
    """Whether a text fits into one line of a message: no control characters, and not too long."""
    return len(text) <= _MAX_TEXT and not {unicodedata.category(letter) for letter in text} & _CONTROLS


def _check_paths(study: Study) -> None:
    """Refuse paths that would be taken literally, and a results folder whose files Snakemake could not name."""
    source = study.source
    paths = {
        "results": study.results,
        "source.waveforms": source.waveforms,
        "source.tables": source.tables,
        "review.decisions": study.review.decisions,
        "generic.model": study.generic.model,
    }
    for key, path in paths.items():
        if path and (path.startswith("~") or "$" in path):
            raise UserError(f"config: {key}: {path}: ~ and $ are not replaced in paths; write the whole path")
        if path and not path.isprintable():
            raise UserError(f"config: {key}: {path!r}: has a line break or another invisible character")
    if set(study.results) & set("{}"):
        raise UserError(f"config: results: {study.results}: Snakemake reads braces as wildcards; choose another name")
    if not study.results.strip("/. "):
        raise UserError(
            f"config: results: {study.results or '/'}: is not a folder of its own; name one, such as results/mine"
        )


def _check_unknown_keys(value, schema: Schema, where: str) -> None:
    if not isinstance(value, dict):
        return
    known, free = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key, item in value.items():
        if key in known:
            _check_unknown_keys(item, known[key], f"{where}{key}.")
        elif isinstance(free, dict):
            _check_unknown_keys(item, free, f"{where}{key}.")
        elif key == "__use_yte__":  # with which Snakemake runs Python that a configuration file contains
            raise UserError(f"config: {where}{key}: a study that runs code is refused; write values, and no such key")
        elif free is False:
            near = difflib.get_close_matches(str(key), known, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known here: {', '.join(known)}"
            raise UserError(f"config: unknown key {where}{_in_short(str(key))}; {hint}")


def _in_short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
