"""The typed configuration of a study, and the digest of the part that each stage uses."""

import dataclasses
import hashlib
import json
import types
import typing
from dataclasses import dataclass, field

from kalemia.core.negative_controls import NEGATIVE_CONTROLS
from kalemia.core.stage_versions import STAGE_VERSIONS

Fields = dict[str, typing.Any]
GENERIC = "generic"  # beside the names of arms: the network before personal training


@dataclass(frozen=True)
class Source:
    kind: str
    waveforms: str | None
    tables: str | None
    max_connections: int
    max_attempts: int
    timeout_s: float
    optional_tables: tuple[str, ...] | None


@dataclass(frozen=True)
class Shortcuts:
    electrodes: bool
    gain: bool
    drift: bool


@dataclass(frozen=True)
class Simulation:
    generic_patients: int
    personal_patients: int
    single_episode_patients: int
    draws_per_generic_patient: int
    draws_per_personal_patient: int
    hours_between_draws: float
    potassium_effect: float
    unresponsive_fraction: float
    noise: float
    shortcuts: Shortcuts


@dataclass(frozen=True)
class Range:
    """Bounds on a value: `above` and `below` exclude their own value, `from` and `to` include it."""

    above: float = float("-inf")
    from_: float = float("-inf")
    to: float = float("inf")
    below: float = float("inf")

    def contains(self, values):
        """Elementwise, for a number or an array."""
        return (values > self.above) & (values >= self.from_) & (values <= self.to) & (values < self.below)

    def is_empty(self) -> bool:
        return self.from_ > self.to or self.above >= self.below or self.from_ >= self.below or self.above >= self.to

    def overlaps(self, other: "Range") -> bool:
        both = Range(
            max(self.above, other.above),
            max(self.from_, other.from_),
            min(self.to, other.to),
            min(self.below, other.below),
        )
        return not both.is_empty()


@dataclass(frozen=True)
class Contamination:
    jump: float
    previous_hours: float
    undone_hours: float
    exclude: bool


@dataclass(frozen=True)
class Analyte:
    name: str
    condition: str
    unit: str
    items: tuple[int, ...]
    positive: Range
    negative: Range
    plausible: Range
    contamination: Contamination


@dataclass(frozen=True)
class Cohort:
    lead: str
    window_minutes: float
    max_missing_minutes: float
    min_recorded_minutes: float
    prefer_recording: str
    admission_slack_hours: float
    exclude_codes: bool
    draws_per_generic_patient: int


@dataclass(frozen=True)
class Ecg:
    band_hz: tuple[float, ...]
    transition_hz: float
    stopband_db: float
    notch_hz: float | None


@dataclass(frozen=True)
class Quality:
    rr_range_ms: tuple[float, ...]
    flat_ms: float
    clipped_ms: float
    amplitude_ratio_range: tuple[float, ...]
    min_correlation: float
    max_qrs_difference: float
    min_good_fraction: float


@dataclass(frozen=True)
class Rhythm:
    max_cosen: float
    max_ectopic_fraction: float
    max_pacing_spike_ratio: float


@dataclass(frozen=True)
class Review:
    decisions: str | None
    n_excerpts: int


@dataclass(frozen=True)
class Beats:
    max_per_draw: int
    min_per_draw: int
    mask_next_beat: bool


@dataclass(frozen=True)
class Split:
    train: float
    validation: float
    test: float


@dataclass(frozen=True)
class Context:
    result_delay_hours: float
    treatment_window_hours: float


@dataclass(frozen=True)
class Populations:
    personal_min_draws: int
    generic_sampling: str
    generic_patients: int | None
    generic_split: Split


@dataclass(frozen=True)
class Network:
    """What has a default here goes beyond the paper, and the default leaves it out."""

    depth: int
    width: int
    normalization: str = "none"
    rr_intervals: bool = False
    auxiliary_head: str = "none"
    ordinal_thresholds: tuple[float, ...] = (3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0)


@dataclass(frozen=True)
class Augmentation:
    amplitude: float = 0.0
    baseline: float = 0.0
    shift: int = 0
    noise: float = 0.0


@dataclass(frozen=True)
class Generic:
    """What has a default here goes beyond the paper, and the default leaves it out."""

    epochs: int
    batch_size: int
    learning_rate: float
    lr_patience: int
    lr_decay_factor: float
    threads: int
    precision: str = "auto"
    compile: bool = False
    early_stopping_patience: int | None = None
    sampler: str = "per_beat"
    label_smoothing: float = 0.0
    augmentation: Augmentation = Augmentation()


@dataclass(frozen=True)
class Personal:
    max_rounds: int
    pairs_per_round: int
    test_fraction: float
    min_test_draws: int
    n_trained_stages: int
    threads: int


@dataclass(frozen=True)
class Arm:
    """A protocol with a way of training; `negative_controls` says how many runs each negative control has."""

    protocol: str
    purge_hours: float
    train: str
    batch_norm: str
    replay: bool
    epochs: int
    batch_size: int
    learning_rate: float
    negative_controls: dict[str, int] = field(default_factory=dict)

    @property
    def trains_nulls(self) -> bool:
        """Whether a negative control of the arm trains networks."""
        return any(self.control_runs(trained=True).values())

    @property
    def uses_other_patients(self) -> bool:
        """Whether a negative control of the arm uses the networks of other patients."""
        return any(self.control_runs(trained=False).values())

    def control_runs(self, trained: bool) -> dict[str, int]:
        """The number of runs of each negative control that trains networks, or of each that does not."""
        return {kind: n for kind, n in self.negative_controls.items() if NEGATIVE_CONTROLS[kind].trains == trained}


@dataclass(frozen=True)
class Evaluation:
    decision: str


@dataclass(frozen=True)
class Explanation:
    gradcam_stages: tuple[int, ...]
    beats_per_draw: int
    perplexity: float


@dataclass(frozen=True)
class Study:
    """Everything a study's configuration says; built once by `Study.from_config`."""

    study: str
    results: str
    seed: int
    source: Source
    simulation: Simulation
    analyte: Analyte
    cohort: Cohort
    ecg: Ecg
    quality: Quality
    rhythm: Rhythm
    review: Review
    beats: Beats
    context: Context
    populations: Populations
    network: Network
    generic: Generic
    personal: Personal
    arms: dict[str, Arm]
    evaluation: Evaluation
    explanation: Explanation

    @classmethod
    def from_config(cls, config: Fields) -> "Study":
        """Typed from a configuration that `check_config` has passed; an arm set to null is left out."""
        arms = {name: arm for name, arm in config["arms"].items() if arm is not None}
        return _typed(cls, {**config, "arms": arms, "results": config["results"].rstrip("/")})

    @property
    def protocols(self) -> tuple[tuple[str, str], ...]:
        """Every arm and its protocol, in the order that says on which arm the verdict on the study rests."""
        return tuple((name, arm.protocol) for name, arm in self.arms.items())

    @property
    def is_simulated(self) -> bool:
        return self.source.kind == "simulated"

    @property
    def cache_folder(self) -> str:
        """Where what was fetched is kept; Snakemake knows nothing of it, so that it survives a job's restart."""
        return f"{self.results}/source/cache"

    def digest(self, stage: str) -> str:
        """Of what the stage's own code and settings put into its output: changes when it must be remade.

        Upstream changes are not in it: they reach the stage as changed input files.
        """
        stage_version = STAGE_VERSIONS[stage]
        used = {
            name: dataclasses.asdict(part) if dataclasses.is_dataclass(part) else part
            for name, part in ((name, self._part(name)) for name in stage_version.settings)
        }
        return _digest_of([stage, stage_version.version, used])

    def arm_digest(self, arm: str) -> str:
        """As `digest`, of the personal training in one arm; its nulls are not in it."""
        trained = dataclasses.asdict(dataclasses.replace(self.arms[arm], negative_controls={}))
        return _digest_of([self.digest("personal"), arm, trained])

    def nulls_digest(self, arm: str) -> str:
        """As `digest`, of the negative controls of one arm that train networks."""
        runs = self.arms[arm].control_runs(trained=True)
        return _digest_of([self.digest("nulls"), self.arm_digest(arm), self.split_digest(arm), runs])

    def strangers_digest(self, arm: str) -> str:
        """As `digest`, of the negative controls of one arm that use other patients' networks."""
        runs = self.arms[arm].control_runs(trained=False)
        return _digest_of([self.digest("strangers"), self.arm_digest(arm), runs])

    def split_digest(self, arm: str) -> str:
        """As `digest`, of the division of draws in one arm; training settings are not in it."""
        return _digest_of([self.digest("split"), arm, self.arms[arm].protocol, self.arms[arm].purge_hours])

    def _part(self, name: str):
        part = self
        for key in name.split("."):
            part = getattr(part, key)
        return part


def overlaid(config: Fields, overlay: Fields) -> Fields:
    """A configuration with what an overlay names put in its place, section by section, as Snakemake does it."""
    merged = dict(config)
    for key, value in overlay.items():
        known = merged.get(key)
        merged[key] = overlaid(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def is_url(place: str) -> bool:
    """Whether a place is on the web and not a folder."""
    return place.startswith(("http://", "https://"))


def _digest_of(value) -> str:
    text = json.dumps(value, sort_keys=True, default=dataclasses.asdict)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _typed(kind, value):
    """`value`, as read from YAML, as an instance of the annotation `kind`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        given = {f"{key}_" if key == "from" else key: item for key, item in value.items()}
        if kind is Range:  # null lifts a bound of the default configuration
            given = {key: item for key, item in given.items() if item is not None}
        return kind(**{key: _typed(hints[key], item) for key, item in given.items()})
    if origin is dict:
        return {key: _typed(arguments[1], item) for key, item in value.items()}
    if origin is tuple:
        return tuple(_typed(arguments[0], item) for item in value)
    if origin is types.UnionType:
        return None if value is None else _typed(arguments[0], value)
    return kind(value) if kind in (int, float) else value
