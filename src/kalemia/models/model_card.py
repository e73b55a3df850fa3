"""The card of a model folder, README.md: what the network is, what it may be used for, and how well it did.

Its head in YAML has the fields that model hubs read (https://huggingface.co/docs/hub/model-cards).
"""

import yaml

from kalemia.core.wording import RESEARCH_USE, bounds, plural
from kalemia.models.calibration import LEVEL, Calibration, Coverage
from kalemia.models.card import (
    GENERIC_ETHICS,
    INTENDED,
    OUT_OF_SCOPE,
    PERSONAL_ETHICS,
    SIMULATED,
    TRAINED,
    Card,
    Part,
    Table,
)
from kalemia.models.model_config import ModelConfig
from kalemia.stats.prediction_sets import smallest_class

_METRICS = {"accuracy": "Accuracy", "auc": "AUC", "sensitivity": "Sensitivity", "specificity": "Specificity"}
_HUB_METRICS = {"accuracy": "accuracy", "auc": "roc_auc"}
_USE = """\
## How to use

```python
import kalemia

model = kalemia.load_model("this folder")
table = model.predict(ecg_mv, rate_hz=250)  # (n,) in mV of the lead below; a row per window
```
"""


def model_card(config: ModelConfig) -> str:
    """The card of a network as Markdown, with its head in YAML."""
    head = yaml.safe_dump(_head(config), sort_keys=False, width=100)
    body = Card(_title(config), _parts(config)).markdown
    title, rest = body.split("\n\n", 1)
    return f"---\n{head}---\n\n{title}\n\n**{RESEARCH_USE}**\n\n{_USE}\n{rest}"


def _head(config: ModelConfig) -> dict:
    """The fields of the hub."""
    license_ = {"license": "mit"}
    if not config.origin.is_simulated:
        license_ = {"license": "other", "license_name": "that-of-the-training-data"}
    tags = ["kalemia", "ecg", config.analyte.name, config.analyte.condition, config.kind, "research-use-only"]
    results = [
        {"type": hub, "value": round(value, 4), "name": _METRICS[name]}
        for name, hub in _HUB_METRICS.items()
        if (value := getattr(config.metrics, name)) is not None
    ]
    of_study = {
        "task": {"type": "tabular-classification", "name": f"{config.analyte.condition} from bedside ECG"},
        "dataset": {"type": config.origin.study, "name": f"test draws of the study {config.origin.study}"},
        "metrics": results,
    }
    return license_ | {
        "language": "en",
        "library_name": "kalemia",
        "pipeline_tag": "tabular-classification",
        "tags": tags,
        "metrics": [result["type"] for result in results],
        "model-index": [{"name": config.name, "results": [of_study]}],
    }


def _title(config: ModelConfig) -> str:
    who = "Generic network" if config.kind == "generic" else f"Network of patient {config.subject}"
    return f"{who}: {config.analyte.condition} from bedside ECG"


def _parts(config: ModelConfig) -> list[Part]:
    is_personal = config.kind == "personal"
    analyte = config.analyte
    intended = [INTENDED.format(analyte=analyte.name), "By researchers who read this card and the study's report."]
    return [
        Part("Model", _model(config)),
        Part("Data", [SIMULATED, *_data(config)] if config.origin.is_simulated else _data(config)),
        Part("Intended use", [*intended, "For this one person only."] if is_personal else intended),
        Part("Out of scope", ["Any other person.", *OUT_OF_SCOPE] if is_personal else list(OUT_OF_SCOPE)),
        Part("Metrics", _about_metrics(config), _metrics_table(config)),
        Part("Calibration", _calibration(config)),
        Part("Ethical notes", list(PERSONAL_ETHICS if is_personal else GENERIC_ETHICS)),
        Part("Where it comes from", _origin(config)),
    ]


def _model(config: ModelConfig) -> list[str]:
    network = config.network
    of_arm = [f"Arm {config.arm}, round {config.round}: {TRAINED[config.train]}."] if config.train else []
    return [
        f"ResNet-{network.depth} in one dimension with pre-activation, {plural(network.width, 'channel')} at first.",
        *of_arm,
        f"Input: a beat of {len(config.mean_beat_mv)} samples at {config.rate_hz:g} Hz around the marked wave of lead"
        f" {config.lead}, filtered from {config.ecg.band_hz[0]:g} to {config.ecg.band_hz[1]:g} Hz; normalization:"
        f" {network.normalization}. Output: the probability that it is of a positive draw.",
        *_offset(config),
        f"A window has {plural(config.window_minutes, 'minute')}. Its beats decide by the rule {config.decision}; a"
        f" beat is positive above a probability of {config.threshold:g}, {config.threshold_source}.",
        "It abstains, with a reason, where quality, rhythm or the number of beats allow no answer.",
    ]


def _offset(config: ModelConfig) -> list[str]:
    hours = config.offset_hours
    if not hours:
        return []
    return [
        f"It is about a draw {plural(abs(hours), 'hour')} {'after' if hours > 0 else 'before'} the end of the window."
    ]


def _data(config: ModelConfig) -> list[str]:
    analyte, learned = config.analyte, plural(len(config.draws), "draw")
    return [
        f"Study {config.origin.study}; source: {config.origin.source}.",
        f"Positive: {analyte.name} {bounds(analyte.positive)} {analyte.unit}; negative: {bounds(analyte.negative)}.",
        f"It learned from {learned}; config.json lists them. The latest is of {config.cut_off:%Y-%m-%d %H:%M}.",
    ]


def _about_metrics(config: ModelConfig) -> list[str]:
    if config.kind == "personal":
        return [
            "Test draws of the patient, which were never used for training. They are few, and neighbors are alike: the"
            " study's report has intervals over all patients."
        ]
    return ["Test draws of the study; their patients had no influence on the weights."]


def _metrics_table(config: ModelConfig) -> Table:
    of = config.metrics
    n = {"sensitivity": of.n_positive, "specificity": of.n_test - of.n_positive}
    rows = [[name, str(n.get(key, of.n_test)), _number(getattr(of, key))] for key, name in _METRICS.items()]
    return Table("metrics", "On test draws", ["Metric", "Draws", "Value"], rows)


def _calibration(config: ModelConfig) -> list[str]:
    of = config.calibration
    if of is None:
        return [
            f"None: it needs {smallest_class(LEVEL)} draws of each class that the network was not trained on when it"
            " predicted them, and the study has fewer. Take the probability for a score."
        ]
    return [
        f"Calibrated on {_calibration_draws(of)}: {of.n_positive} positive and {of.n_negative} negative ones of"
        f" {plural(of.n_patients, 'patient')}, by Platt's method. Where positive draws are rarer than there, the"
        " probability is too high.",
        f"Prediction sets hold each label in at least {of.bounds.level:.0%} of the draws that have it (split conformal"
        " prediction for each class), if a new draw is like those. A set of both labels says nothing; an empty one,"
        " that the ECG is like neither.",
        *[_coverage_sentence(whose, coverage) for whose, coverage in _coverages(of)],
    ]


def _calibration_draws(of: Calibration) -> str:
    return {
        "patient": "training draws of the patient, each as predicted before the network learned from it",
        "other patients": "training draws of the arm's other patients, each as predicted before the network learned"
        " from it",
        "population": "training draws of the arm's patients in the study of the generic network, each as predicted"
        " before the network learned from it",
        "validation": "the validation draws, on which the epoch was chosen",
    }[of.source]


def _coverages(of: Calibration) -> list[tuple[str, Coverage]]:
    both = (("the study", of.coverage), ("this patient", of.own_coverage))
    return [(whose, coverage) for whose, coverage in both if coverage]


def _coverage_sentence(whose: str, of: Coverage) -> str:
    interval = "" if of.low is None else f" (95% interval {of.low:.0%} to {of.high:.0%})"
    patients = f" of {plural(of.n_patients, 'patient')}" if of.n_patients > 1 else ""
    return (
        f"Empirical coverage on {plural(of.n, 'test draw')}{patients} of {whose}, none of which its sets rest on:"
        f" {of.share:.0%}{interval}; {of.single:.0%} of the sets hold one label."
    )


def _origin(config: ModelConfig) -> list[str]:
    of = config.origin
    parents = [
        f"SHA-256 of the weights that {what}: {hash_}."
        for what, hash_ in (("its training started from", of.parent), ("the generic network has", of.generic))
        if hash_
    ]
    return [
        f"Kalemia {of.version}; digest of the settings of its training: {of.digest}.",
        f"SHA-256 of the study's own file of weights: {of.checkpoint}.",
        *parents,
        "config.json has all settings, and the SHA-256 of every file of this folder.",
    ]


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
