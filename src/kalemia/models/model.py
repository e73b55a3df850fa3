"""A trained network as one object: from any ECG to beats, a probability and a decision, as in the network's study."""

import dataclasses
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.beats.beats_of_record import window_edges
from kalemia.beats.dataset import beat_set
from kalemia.beats.find_beats import FoundBeats
from kalemia.beats.normalization import normalize_beats, sums_after
from kalemia.beats.segment_beats import extract_beats
from kalemia.core.schemas import BEAT_SAMPLES, RATE_HZ
from kalemia.core.tables import table_from_rows
from kalemia.core.wording import RESEARCH_USE
from kalemia.models.model_config import ModelConfig
from kalemia.models.model_folder import read_model_folder
from kalemia.network.losses import Objective, label_column
from kalemia.network.predictions import beat_outputs, draw_predictions
from kalemia.network.resnet import ResNet
from kalemia.sources.resampling import resample_ecg
from kalemia.stats.logistic_regression import sigmoid

_UNKNOWN = dict.fromkeys(("subject_id", "draw_time", "value", "label", "hadm_id"))


@dataclass(frozen=True)
class WindowResult:
    """What a model says about one window of ECG.

    reason: why it abstains, as in a study's inclusion flow; None if it does not. Then logit, probability, decision
    (1 positive, 0 negative) and mean_beat_mv (120,) are known. n_beats: beats that were scored. heart_rate_bpm: NaN
    without an interval. quality: mean of all beats found, 0 to 1. calibrated_probability, prediction_set: None for a
    model without calibration. beats: a table of kind "beats", `r_sample` counted from the window's first sample.
    """

    reason: str | None
    n_beats: int
    heart_rate_bpm: float
    quality: float
    logit: float | None
    probability: float | None
    calibrated_probability: float | None
    decision: int | None
    prediction_set: tuple[int, ...] | None
    mean_beat_mv: np.ndarray | None
    beats: pa.Table


class Model:
    """A network, of torch on the CPU, with everything that it needs to be applied as in its study (`load_model`)."""

    def __init__(self, config: ModelConfig, network: ResNet):
        self.config, self.network = config, network

    def __repr__(self) -> str:
        return f"Model({self.config.name}, study {self.config.origin.study})"

    def assess_window(self, ecg_mv: np.ndarray) -> WindowResult:
        """Assess a window of ECG (n,) in mV at 125 Hz, NaN where nothing was recorded.

        The probability is, to the last bit on the same machine, the one that the study's workflow predicts for a draw
        with this excerpt.
        """
        config = self.config
        ecg_mv = np.asarray(ecg_mv, np.float32)
        recorded_s = np.count_nonzero(np.isfinite(ecg_mv)) / RATE_HZ
        segment = {"name": "window", "start": 0, "stop": len(ecg_mv), "gain": 1.0, "baseline": 0}
        about = {"draw_id": 0, "recording": "window", "sample_from": 0, "segments": [segment]}
        about |= {"reason": None if recorded_s >= 60 * config.min_recorded_minutes else "gap"}
        ((beats, row),) = extract_beats([(_UNKNOWN | about, ecg_mv)], config.beat_settings, {}, config.wave)
        found = {
            "reason": row["reason"],
            "n_beats": row["n_kept"],
            "heart_rate_bpm": row.get("heart_rate_bpm", float("nan")),
            "quality": row["quality"],
        }
        if row["reason"]:
            nothing = ("logit", "probability", "calibrated_probability", "decision", "prediction_set", "mean_beat_mv")
            return WindowResult(**found, **dict.fromkeys(nothing), beats=beats)
        scored = beat_set("window", beats, config.network, config.sums)
        outputs = beat_outputs(self.network, scored.inputs)
        objective = Objective.from_config(config.network)
        (prediction,) = draw_predictions(outputs, scored.rows, {}, config.decision, objective).to_pylist()
        calibration, logit = config.calibration, prediction["logit"]
        return WindowResult(
            **found,
            **{name: prediction[name] for name in ("logit", "probability", "decision")},
            calibrated_probability=calibration and calibration.probability(logit),
            prediction_set=calibration and calibration.prediction_set(logit),
            mean_beat_mv=scored.beats_mv.mean(axis=0, dtype=np.float64),
            beats=beats,
        )

    def after(self, result: WindowResult) -> "Model":
        """The model for what comes after a window: where beats are normalized over a subject, it knows the window's."""
        if not len(result.beats):
            return self
        beats = beat_set("window", result.beats, None)
        times = beats.rows["draw_time"].to_numpy()
        sums = sums_after(beats.beats_mv, beats.draw_ids, times, self.config.sums)
        return Model(dataclasses.replace(self.config, sums=sums), self.network)

    def predict_proba(self, beats: FoundBeats | np.ndarray) -> np.ndarray:
        """The probability (n,) that each of n beats is of a positive draw.

        beats: as `find_beats` finds them, of the model's lead; the probability of a beat that is not good is NaN. Or an
        array (n, 120) in mV at 125 Hz of good beats, filtered, the marked wave at index 40. Beats that are normalized
        over a draw or a subject are taken for those of one draw. Raises `ValueError` for beats of another lead or
        shape, and for a network that also takes intervals.
        """
        if self.config.network.rr_intervals:
            raise ValueError("this network also takes the intervals between beats; use predict, which has them")
        if not isinstance(beats, FoundBeats):
            return self._beat_probabilities(np.asarray(beats, np.float32))
        if beats.lead.casefold() != self.config.lead.casefold():
            raise ValueError(f"the beats are of lead {beats.lead}; this model has learned from lead {self.config.lead}")
        probabilities = np.full(len(beats), np.nan)
        probabilities[beats.is_good] = self._beat_probabilities(beats.beats_mv[beats.is_good])
        return probabilities

    def predict(self, ecg_mv: np.ndarray, rate_hz: float) -> pa.Table:
        """Cut an ECG into windows as long as the model's, and assess each: a table with a row per window.

        ecg_mv: (samples,) of the model's lead in mV, NaN where nothing was recorded. rate_hz: samples a second, 50 to
        5,000. A remainder shorter than half a window is added to the last one. Columns: `kalemia.core.schemas`, table
        "windows". Raises `ValueError` for an array of another shape and a rate out of range.
        """
        at_125_hz = resample_ecg(ecg_mv, rate_hz)
        edges = window_edges(len(at_125_hz), self.config.window_minutes)
        rows = [window_row(start, stop, self.assess_window(at_125_hz[start:stop])) for start, stop in pairwise(edges)]
        return table_from_rows("windows", rows)

    def _beat_probabilities(self, beats_mv: np.ndarray) -> np.ndarray:
        if beats_mv.ndim != 2 or beats_mv.shape[1] != BEAT_SAMPLES:
            raise ValueError(f"beats have the shape (n, {BEAT_SAMPLES}); these have {beats_mv.shape}")
        one_draw = np.zeros(len(beats_mv))
        inputs = normalize_beats(beats_mv, one_draw, one_draw, self.config.network.normalization, self.config.sums)
        return sigmoid(label_column(beat_outputs(self.network, inputs)).astype(np.float64))


def load_model(folder: str | Path) -> Model:
    """Load the network of a model folder, which `kalemia export` writes.

    Raises `kalemia.core.errors.UserError`, whose text is one line for a person, if the folder is not whole.
    """
    return Model(*read_model_folder(folder))


def window_row(start: int, stop: int, result: WindowResult) -> dict:
    """A row of a table of kind "windows", of the window from sample `start` to `stop` at 125 Hz."""
    row = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    del row["beats"], row["mean_beat_mv"]
    return row | {"start_s": start / RATE_HZ, "stop_s": stop / RATE_HZ, "notice": RESEARCH_USE}
