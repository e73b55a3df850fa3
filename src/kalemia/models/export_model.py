"""Export a network of a finished study as a model folder that stands alone."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.beats.dataset import read_beats
from kalemia.beats.normalization import NO_BEATS, BeatSums, sums_after
from kalemia.beats.review_decisions import read_review_decisions
from kalemia.beats.segment_beats import BeatSettings, wave_of_draw
from kalemia.core.config import Study
from kalemia.core.config_files import read_settings
from kalemia.core.errors import UserError
from kalemia.core.paths import ResultPaths, round_of_path, subject_name
from kalemia.core.runs.digests import refuse_other_digests
from kalemia.core.schemas import BEAT_SAMPLES
from kalemia.core.tables import file_hash, read_json, read_row_groups, read_table
from kalemia.ecg.fiducial import FiducialTemplate
from kalemia.models.calibration import Calibration, calibrate_arm, calibrate_generic, calibrate_personal
from kalemia.models.model_card import model_card
from kalemia.models.model_config import ModelConfig, Origin, TestMetrics
from kalemia.models.model_folder import read_model_config, write_model_folder
from kalemia.models.other_formats import WRITERS, check_format
from kalemia.network.checkpoints import Lineage, load_generic, load_round
from kalemia.network.resnet import ResNet
from kalemia.sources.registry import describe_source

THRESHOLD, THRESHOLD_SOURCE = 0.5, "fixed before any training: the sign of a logit, as in the study"


def export_model(network_folder: str | Path, to: str | Path, formats: Sequence[str] = ()) -> ModelConfig:
    """Export a network of a study as the model folder `to`.

    network_folder: ``RESULTS/generic`` or ``RESULTS/personal/ARM/PATIENT/round-K``. The settings are those that the
    results folder itself holds. formats: of `OTHER_FORMATS`, in addition to the weights. Returns what the model folder
    says about the network. Raises `UserError` if a file is missing or damaged, or was made with other settings, and as
    `check_format` and `write_model_folder`.
    """
    exported = _find_network(Path(network_folder))
    for name in formats:
        check_format(name)
    paths = ResultPaths(exported.results)
    study = dataclasses.replace(read_settings(exported.results), results=str(exported.results))
    if exported.round is None:
        config, network, lineage = _generic_model(study, paths)
    else:
        config, network, lineage = _personal_model(study, paths, exported)
    others = {name: partial(WRITERS[name], network.eval()) for name in formats}
    write_model_folder(to, config, network.state_dict(), lineage, model_card(config), others)
    return config


@dataclass(frozen=True)
class _Exported:
    """The results folder, and of a personal network its arm, subject and round."""

    results: Path
    arm: str | None = None
    subject_id: int | None = None
    round: int | None = None


def _find_network(folder: Path) -> _Exported:
    """What the path of a network's folder says."""
    parts = folder.parts
    if (len(parts) >= 5 and parts[-4] == "personal") or (len(parts) == 4 and parts[0] == "personal"):
        try:
            about = round_of_path(folder / "model.safetensors")
        except ValueError:
            about = None
        if about and about["round"] > 0:
            return _Exported(folder.parents[3], **about)
        if about:
            raise UserError(f"{folder}: round 0 is the generic network; export {folder.parents[3]}/generic")
    elif parts and parts[-1] == "generic":
        return _Exported(folder.parent)
    raise UserError(f"{folder}: is neither RESULTS/generic nor RESULTS/personal/ARM/PATIENT/round-K of a study")


def _generic_model(study: Study, paths: ResultPaths) -> tuple[ModelConfig, ResNet, Lineage]:
    if study.generic.model:
        raise UserError(f"{paths('generic')}: the network is that of the model folder {study.generic.model}; use that")
    generic, beats = paths("generic/model.safetensors"), paths("beats/generic.parquet")
    refuse_other_digests(study, [generic, beats])
    network, lineage = load_generic(generic, study.network)
    mean_beat_mv = _mean_beat(read_row_groups(beats, "beats", ["draw_id", "beat"]), lineage.draws)
    calibrations = {arm: calibrate_arm(study, paths, arm) for arm in study.arms}
    of_arms = {arm: calibration for arm, calibration in calibrations.items() if calibration}
    metrics = _test_metrics(read_json(paths("generic/metrics.json"))["test"])
    config = _config(study, paths, lineage, generic, calibrate_generic(study, paths), metrics, mean_beat_mv)
    return dataclasses.replace(config, arm_calibrations=of_arms), network, lineage


def _personal_model(study: Study, paths: ResultPaths, exported: _Exported) -> tuple[ModelConfig, ResNet, Lineage]:
    subject, generic = subject_name(exported.subject_id), paths("generic/model.safetensors")
    weights = paths.round_file(exported.arm, subject, exported.round, "model.safetensors")
    if exported.arm not in study.arms:
        raise UserError(f"{weights}: the configuration of {study.results} has no arm {exported.arm!r}")
    if not Path(weights).is_file():
        raise UserError(f"{weights}: does not exist; name a patient and a round that the study has trained")
    shard, excerpts, quality = paths.shard(subject), paths.excerpts(subject), paths.quality(subject)
    refuse_other_digests(study, [generic, weights, shard, excerpts, quality])
    network, lineage = load_round(weights, generic, study.network)
    beats = read_beats(shard)
    until = pc.less_equal(beats.rows["draw_time"], pa.scalar(lineage.cut_off, beats.rows["draw_time"].type))
    earlier = beats.take(until.to_numpy())
    sums = sums_after(earlier.beats_mv, earlier.draw_ids, earlier.rows["draw_time"].to_numpy())
    mean_beat_mv = _mean_beat([read_table(shard, "beats", ["draw_id", "beat"])], lineage.draws)
    wave = _first_wave(study, lineage, read_table(excerpts, "excerpts"), read_table(quality, "quality"))
    population = study.generic.model and read_model_config(study.generic.model).arm_calibrations.get(exported.arm)
    of_round = exported.arm, exported.subject_id, exported.round
    calibration = calibrate_personal(study, paths, *of_round, population)
    metrics = _test_metrics(read_json(paths.round_file(exported.arm, subject, exported.round, "metrics.json")))
    return _config(study, paths, lineage, weights, calibration, metrics, mean_beat_mv, sums, wave), network, lineage


def _config(
    study: Study,
    paths: ResultPaths,
    lineage: Lineage,
    checkpoint: str,
    calibration: Calibration | None,
    metrics: TestMetrics,
    mean_beat_mv: np.ndarray,
    sums: BeatSums = NO_BEATS,
    wave: FiducialTemplate | None = None,
) -> ModelConfig:
    return ModelConfig(
        kind=lineage.kind,
        subject_id=lineage.subject_id,
        arm=lineage.arm,
        round=lineage.round,
        train=study.arms[lineage.arm].train if lineage.arm else None,
        analyte=study.analyte,
        lead=study.cohort.lead,
        window_minutes=study.cohort.window_minutes,
        offset_hours=study.cohort.offset_hours,
        min_recorded_minutes=study.cohort.min_recorded_minutes,
        ecg=study.ecg,
        quality=study.quality,
        rhythm=study.rhythm,
        beats=study.beats,
        network=study.network,
        decision=study.evaluation.decision,
        threshold=THRESHOLD,
        threshold_source=THRESHOLD_SOURCE,
        calibration=calibration,
        metrics=metrics,
        draws=lineage.draws,
        cut_off=lineage.cut_off,
        sums=sums,
        mean_beat_mv=mean_beat_mv,
        wave=wave,
        origin=Origin(
            study=study.study,
            source=describe_source(study).description,
            is_simulated=study.is_simulated or read_json(paths("generic/metrics.json")).get("simulated", False),
            digest=lineage.digest,
            checkpoint=file_hash(checkpoint),
            parent=lineage.parent,
            generic=lineage.generic,
            version=lineage.version,
        ),
    )


def _test_metrics(metrics: dict) -> TestMetrics:
    return TestMetrics(**{field.name: metrics[field.name] for field in dataclasses.fields(TestMetrics)})


def _mean_beat(tables: Iterable[pa.Table], draws: tuple[int, ...]) -> np.ndarray:
    """The mean (120,) in mV over some draws of the mean beat of each."""
    of_draw: dict[int, np.ndarray] = {}
    for table in tables:
        ids = table["draw_id"].to_numpy()
        beats_mv = table["beat"].combine_chunks().flatten().to_numpy().reshape(-1, BEAT_SAMPLES)
        for draw in np.intersect1d(ids, draws).tolist():
            of_draw[draw] = beats_mv[ids == draw].mean(axis=0, dtype=np.float64)
    return np.mean([of_draw[draw] for draw in sorted(of_draw)], axis=0)


def _first_wave(study: Study, lineage: Lineage, excerpts: pa.Table, quality: pa.Table) -> FiducialTemplate | None:
    """The wave that the study marks in the patient's draws from the cut-off on; None if none was fixed until then."""
    learned = quality.filter(pc.is_in(quality["draw_id"], pa.array(lineage.draws, pa.int64()))).sort_by("draw_time")
    last = learned.slice(len(learned) - 1).to_pylist()[0]
    decisions = read_review_decisions(study.review.decisions, study.cohort.window_minutes)
    settings = BeatSettings.from_study(study)
    wave = wave_of_draw(excerpts, last["fiducial_draw_id"], settings, decisions.get(lineage.subject_id, {}))
    return wave if wave and wave.has_baseline else None
