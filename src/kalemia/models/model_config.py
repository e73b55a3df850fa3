"""What a model folder says about its network: config.json, typed."""

import dataclasses
import math
import re
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from kalemia.beats.normalization import NO_BEATS, BeatSums
from kalemia.beats.segment_beats import BeatSettings
from kalemia.core.config import Analyte, Beats, Ecg, Fields, Network, Quality, Rhythm, typed
from kalemia.core.config_files import default_config, plain
from kalemia.core.config_validation import check_sections, is_shown
from kalemia.core.errors import UserError
from kalemia.core.paths import subject_name
from kalemia.core.schemas import BEAT_SAMPLES, RATE_HZ
from kalemia.core.wording import RESEARCH_USE
from kalemia.ecg.fiducial import FiducialTemplate
from kalemia.models.calibration import Calibration

FORMAT = 1  # of config.json; a folder of another one is refused
_MAX_MV = 1000.0  # no beat is as high
_ARM = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Origin:
    """The study and the files that a network came from.

    source: of the study's data, in words. digest: of the settings of its training. checkpoint, parent, generic: SHA-256
    of the exported file of weights, of the one that its training started from and of the generic network; None for a
    generic network's own. version: of Kalemia.
    """

    study: str
    source: str
    is_simulated: bool
    digest: str
    checkpoint: str
    parent: str | None
    generic: str | None
    version: str


@dataclass(frozen=True)
class TestMetrics:
    """On n_test test draws, n_positive of them positive; None where a class is empty."""

    __test__ = False  # no class of tests

    n_test: int
    n_positive: int
    accuracy: float | None
    auc: float | None
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True, eq=False)
class ModelConfig:
    """Everything that a network needs to be applied as in its study, and what it learned from.

    kind: generic or personal; subject_id, arm, round and train (what was trained) are only of a personal one.
    offset_hours: from the end of a window to the draw that it is about, as in the study's setting. network: the
    architecture, with the normalization of beats. decision: the rule by which beats decide about a window. threshold:
    the probability above which a beat, or a window by its mean logit, is positive; threshold_source: how it was set.
    calibration: None where draws are too few; arm_calibrations: of a generic network, what its study says about the
    personal networks of each arm. metrics: on test draws of the study. draws: ids of all draws that influenced the
    weights; cut_off: the time of the latest, None if it is not known. sums: of the patient's beats up to there, for the
    normalization over a subject. mean_beat_mv: (120,), the mean beat of these draws. wave: the wave to mark in every
    ECG of the patient; None: each ECG determines its own.
    """

    kind: str
    subject_id: int | None
    arm: str | None
    round: int | None
    train: str | None
    analyte: Analyte
    lead: str
    window_minutes: float
    offset_hours: float
    min_recorded_minutes: float
    ecg: Ecg
    quality: Quality
    rhythm: Rhythm
    beats: Beats
    network: Network
    decision: str
    threshold: float
    threshold_source: str
    calibration: Calibration | None
    metrics: TestMetrics
    draws: tuple[int, ...]
    cut_off: datetime | None
    sums: BeatSums
    mean_beat_mv: np.ndarray
    wave: FiducialTemplate | None
    origin: Origin
    arm_calibrations: dict[str, Calibration] = field(default_factory=dict)
    rate_hz: float = RATE_HZ
    notice: str = RESEARCH_USE

    @property
    def beat_settings(self) -> BeatSettings:
        """What determines the beats."""
        return BeatSettings(self.ecg, self.quality, self.rhythm, self.beats)

    @property
    def name(self) -> str:
        """For people, for example ``p010059, forward, round 5``."""
        return "generic" if self.subject_id is None else f"{self.subject}, {self.arm}, round {self.round}"

    @property
    def subject(self) -> str | None:
        """The patient as paths have it, for example ``p010059``; None for a generic network."""
        return None if self.subject_id is None else subject_name(self.subject_id)

    def as_json(self) -> Fields:
        """For config.json; numbers keep every bit."""
        fields = plain(dataclasses.asdict(self)) | {
            "cut_off": self.cut_off.isoformat(),
            "mean_beat_mv": self.mean_beat_mv.tolist(),
        }
        if self.wave:
            fields["wave"] |= {"average_mv": self.wave.average_mv.tolist()}
        return fields

    @classmethod
    def from_json(cls, fields: Fields) -> "ModelConfig":
        """Typed; raises `KeyError`, `TypeError` or `ValueError` for what `as_json` cannot have written.

        Anybody can write a folder whose hashes agree, so settings are checked as those of a study.
        """
        _check_text(fields)
        _check_settings(fields)
        config = typed(cls, fields)
        wave = config.wave and dataclasses.replace(config.wave, average_mv=np.array(config.wave.average_mv, np.float64))
        config = dataclasses.replace(
            config,
            cut_off=datetime.fromisoformat(fields["cut_off"]),
            mean_beat_mv=np.array(fields["mean_beat_mv"], np.float64),
            wave=wave,
            sums=config.sums or NO_BEATS,
        )
        _check_values(config)
        return config


def _check_text(value) -> None:
    """Raise `ValueError` if a text in a value of JSON cannot be shown."""
    if isinstance(value, str) and not is_shown(value):
        raise ValueError(f"{value[:40]!r}... is too long, or not printable")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_text(item)


def _check_settings(fields: Fields) -> None:
    """Raise `ValueError` if settings of a study are none that a study may have."""
    of_study = default_config()
    for name in ("analyte", "ecg", "quality", "rhythm", "beats", "network"):
        of_study[name] |= fields[name]
    for name in ("lead", "window_minutes", "offset_hours", "min_recorded_minutes"):
        of_study["cohort"][name] = fields[name]
    of_study["evaluation"]["decision"] = fields["decision"]
    try:
        check_sections(of_study)
    except UserError as error:
        raise ValueError(str(error).removeprefix("config: ")) from None


def _check_values(config: ModelConfig) -> None:
    """Raise `ValueError` if what is no setting cannot be of a network of Kalemia."""
    is_generic = config.subject_id is None
    checks = {
        "kind": config.kind == ("generic" if is_generic else "personal"),
        "subject_id": is_generic or 0 <= config.subject_id < 10**10,
        "arm": is_generic or bool(_ARM.fullmatch(config.arm)),
        "round": is_generic or 0 < config.round < 10_000,
        "threshold": 0 <= config.threshold <= 1,
        "rate_hz": config.rate_hz == RATE_HZ,
        "draws": all(0 <= draw < 2**63 for draw in config.draws),
        "sums": all(map(math.isfinite, dataclasses.astuple(config.sums))),
        "mean_beat_mv": config.mean_beat_mv.shape == (BEAT_SAMPLES,) and _is_beat(config.mean_beat_mv),
        "wave": config.wave is None or _is_beat(config.wave.average_mv),
    }
    for name, holds in checks.items():
        if not holds:
            raise ValueError(f"{name} has a value that no network has")


def _is_beat(beat_mv: np.ndarray) -> bool:
    return beat_mv.ndim == 1 and beat_mv.size > 0 and bool(np.all(np.abs(beat_mv) <= _MAX_MV))
