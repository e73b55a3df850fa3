"""The typed configuration of a study, and the digest of the settings that each stage uses."""

import dataclasses
import hashlib
import json
import types
import typing
from dataclasses import dataclass

from kalemia.core.control_analytes import CONTROL_ANALYTES, MAX_HOURS
from kalemia.core.settings.data import (
    Analyte,
    Cohort,
    Contamination,
    Context,
    Populations,
    Range,
    Shortcuts,
    Simulation,
    Source,
    Split,
)
from kalemia.core.settings.declare import section, setting
from kalemia.core.settings.ecg import Beats, Ecg, Quality, Review, Rhythm
from kalemia.core.settings.networks import (
    ROLLING,
    Arm,
    Augmentation,
    Evaluation,
    Explanation,
    Generic,
    Network,
    Personal,
)
from kalemia.core.settings.report import Report
from kalemia.core.settings.verdict import Verdict
from kalemia.core.stage_versions import STAGE_VERSIONS

__all__ = [
    "GENERIC",
    "ROLLING",
    "Analyte",
    "Arm",
    "Augmentation",
    "Beats",
    "Cohort",
    "Contamination",
    "Context",
    "Ecg",
    "Evaluation",
    "Explanation",
    "Fields",
    "Generic",
    "Network",
    "Personal",
    "Populations",
    "Quality",
    "Range",
    "Report",
    "Review",
    "Rhythm",
    "Shortcuts",
    "Simulation",
    "Source",
    "Split",
    "Study",
    "Verdict",
    "is_url",
]

Fields = dict[str, typing.Any]
GENERIC = "generic"  # used like the name of an arm, for the network before personal training


@dataclass(frozen=True)
class Study:
    """The whole configuration of a study, built once by `Study.from_config`."""

    study: str = setting("small", "name of the study, printed on every page")
    results: str = setting("results", "folder of all output; other studies write to results/<study>")
    seed: int = setting(
        2026, "random choices derive from it and from the names of subjects, arms and rounds", minimum=0
    )
    source: Source = section(Source(), "Where the data come from")
    simulation: Simulation = section(Simulation(), "The simulated cohort; used if source.kind is simulated")
    analyte: Analyte = section(Analyte(), "The laboratory value that the networks predict, and its classes")
    cohort: Cohort = section(Cohort(), "Which draws are included, and which ECG belongs to each")
    ecg: Ecg = section(Ecg(), "Filters of the ECG")
    quality: Quality = section(Quality(), "Which beats are good, and how many of them a draw needs")
    rhythm: Rhythm = section(Rhythm(), "Rhythms that exclude a draw, in addition to the codes of the cohort")
    review: Review = section(Review(), "Review of excerpts by a person (quality/review.html)")
    beats: Beats = section(Beats(), "Which beats of a draw are kept")
    context: Context = section(Context(), "What baselines may know of a draw besides its ECG")
    populations: Populations = section(Populations(), "Who gets a personalized network, and who trains the generic one")
    network: Network = section(Network(), "The residual network (docs/training.md)")
    generic: Generic = section(Generic(), "Training of the generic network")
    personal: Personal = section(Personal(), "Training of personalized networks, in every arm")
    arms: dict[str, Arm] = section(
        {
            "forward": Arm(negative_controls={"shuffled": 2, "shifted": 2}),
            "paper": Arm(protocol="paper", purge_hours=0.2, negative_controls={"shuffled": 2, "shifted": 2}),
        },
        "Arms: how a patient's draws are divided, and what is trained on them. Set an arm to null to leave it out"
        " (docs/method.md)",
    )
    verdict: Verdict = section(Verdict(), "The four claims, registered before any network is trained (docs/method.md)")
    controls: tuple[str, ...] = setting(
        (),
        "other analytes on which the deciding arm is trained too, to see whether they can be read as well;"
        f" values within {MAX_HOURS:g} hour of a draw (docs/method.md)",
        choices={name: f"LABEVENTS item {one.items[0]}, {one.unit}" for name, one in CONTROL_ANALYTES.items()},
        unique=True,
    )
    evaluation: Evaluation = section(Evaluation(), "Evaluation of predictions")
    explanation: Explanation = section(Explanation(), "Explanation of networks (docs/explanation.md)")
    report: Report = section(Report(), "Pages")

    @classmethod
    def from_config(cls, config: Fields) -> "Study":
        """Typed from a configuration that `check_config` has passed; an arm set to null is left out."""
        arms = {name: arm for name, arm in config["arms"].items() if arm is not None}
        return typed(cls, {**config, "arms": arms, "results": config["results"].rstrip("/")})

    @property
    def protocols(self) -> tuple[tuple[str, str], ...]:
        """Every arm and its protocol, in their order."""
        return tuple((name, arm.protocol) for name, arm in self.arms.items())

    @property
    def is_simulated(self) -> bool:
        return self.source.kind == "simulated"

    @property
    def cache_folder(self) -> str:
        """The folder of downloaded files; it is no output of a job, so that Snakemake keeps it when a job restarts."""
        return f"{self.results}/source/cache"

    def digest(self, stage: str) -> str:
        """Identifies the version and the settings of a stage: if it changes, the stage's output must be remade.

        Upstream changes are not part of it: they reach the stage as changed input files.
        """
        stage_version = STAGE_VERSIONS[stage]
        used = {
            name: dataclasses.asdict(part) if dataclasses.is_dataclass(part) else part
            for name, part in ((name, self.part(name)) for name in stage_version.settings)
        }
        return _digest_of([stage, stage_version.version, used])

    def arm_digest(self, arm: str) -> str:
        """As `digest`, for the personal training in one arm without its negative controls."""
        trained = dataclasses.asdict(dataclasses.replace(self.arms[arm], negative_controls={}))
        return _digest_of([self.digest("personal"), arm, trained])

    def nulls_digest(self, arm: str, chunk: str) -> str:
        """As `digest`, for one of `Arm.null_chunks`; it does not depend on the runs of other chunks."""
        repeats = self.arms[arm].null_chunks.get(chunk, {})
        runs = {kind: (of_kind.start, of_kind.stop) for kind, of_kind in repeats.items()}
        return _digest_of([self.digest("nulls"), self.arm_digest(arm), self.split_digest(arm), runs])

    @property
    def deciding_arm(self) -> str | None:
        """The arm that decides about the claims; None if there is none."""
        return self.verdict.deciding_arm(self.arms)

    @property
    def n_shifted_controls(self) -> int:
        """How many networks on shifted labels each of `controls` has: as many as the deciding arm."""
        return self.arms[self.deciding_arm].negative_controls.get("shifted", 0) if self.deciding_arm else 0

    def controls_digest(self, arm: str, control: str) -> str:
        """As `digest`, for the networks of one of `controls`."""
        runs = [control, self.n_shifted_controls]
        return _digest_of([self.digest("controls"), self.arm_digest(arm), self.split_digest(arm), runs])

    def strangers_digest(self, arm: str) -> str:
        """As `digest`, for the negative controls of one arm that use other patients' networks."""
        runs = self.arms[arm].control_runs(trained=False)
        return _digest_of([self.digest("strangers"), self.arm_digest(arm), runs])

    def split_digest(self, arm: str) -> str:
        """As `digest`, for the division of draws in one arm, without its training settings."""
        return _digest_of([self.digest("split"), arm, self.arms[arm].protocol, self.arms[arm].purge_hours])

    def part(self, name: str):
        """A setting or section by its name, for example ``cohort.lead``."""
        part = self
        for key in name.split("."):
            part = getattr(part, key)
        return part


def is_url(place: str) -> bool:
    """Whether a place is on the web and not a folder."""
    return place.startswith(("http://", "https://"))


def _digest_of(value) -> str:
    text = json.dumps(value, sort_keys=True, default=dataclasses.asdict)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def typed(kind, value):
    """`value`, as read from YAML, as an instance of the annotation `kind`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        given = {f"{key}_" if key == "from" else key: item for key, item in value.items()}
        if kind is Range:  # null removes a bound of the default configuration
            given = {key: item for key, item in given.items() if item is not None}
        return kind(**{key: typed(hints[key], item) for key, item in given.items()})
    if origin is dict:
        return {key: typed(arguments[1], item) for key, item in value.items()}
    if origin is tuple:
        return tuple(typed(arguments[0], item) for item in value)
    if origin is types.UnionType:
        return None if value is None else typed(arguments[0], value)
    return kind(value) if kind in (int, float) else value
