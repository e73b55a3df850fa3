"""What a model folder says about its network: config.json, typed."""

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from kalemia.beats.normalization import NO_BEATS, BeatSums
from kalemia.beats.segment_beats import BeatSettings
from kalemia.core.config import Analyte, Beats, Ecg, Fields, Network, Quality, Rhythm, typed
from kalemia.core.config_files import plain
from kalemia.core.paths import subject_name
from kalemia.core.schemas import RATE_HZ
from kalemia.core.wording import RESEARCH_USE
from kalemia.ecg.fiducial import FiducialTemplate
from kalemia.models.calibration import Calibration

FORMAT = 1  # of config.json; a folder of another one is refused


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
        """Typed; raises `KeyError`, `TypeError` or `ValueError` for what `as_json` did not write."""
        config = typed(cls, fields)
        wave = config.wave and dataclasses.replace(config.wave, average_mv=np.array(config.wave.average_mv, np.float64))
        return dataclasses.replace(
            config,
            cut_off=datetime.fromisoformat(fields["cut_off"]),
            mean_beat_mv=np.array(fields["mean_beat_mv"], np.float64),
            wave=wave,
            sums=config.sums or NO_BEATS,
        )
