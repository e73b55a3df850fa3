"""The files of evaluation/, made from what predictions, splits and tables say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.paths import ResultPaths, SubjectRounds, subject_name
from kalemia.core.tables import read_table
from kalemia.evaluation.calibration import write_calibration
from kalemia.evaluation.collect import write_baseline_averages, write_baselines, write_leakage, write_nulls
from kalemia.evaluation.comparison import write_comparison
from kalemia.evaluation.effective_sample_size import write_effective
from kalemia.evaluation.patient_scores import read_trials
from kalemia.evaluation.prevalence import write_prevalence
from kalemia.evaluation.round_metrics import write_rounds, write_summary
from kalemia.evaluation.verdict import write_verdict


@dataclass(frozen=True)
class Evidence:
    """The files that the evaluation is made from; each list in the order of arms and, within one, of patients."""

    predictions: Sequence[str | Path]
    splits: Sequence[str | Path]
    baselines: Sequence[str | Path]
    nulls: Sequence[str | Path]
    arms: str | Path
    generic_metrics: str | Path
    generic_predictions: str | Path


def evidence_of(results: str | Path, study: Study) -> Evidence:
    """The files of a finished study in its results folder; raises `UserError` as `tables.read_table`."""
    path = ResultPaths(results)
    arms = path("personal/arms.parquet")
    rows = read_table(arms, "arms").to_pylist()
    rounds = [
        SubjectRounds(row["arm"], subject_name(row["subject_id"]), row["rounds"]) for row in rows if row["rounds"]
    ]
    return Evidence(
        predictions=path.round_predictions(rounds),
        splits=path.arm_files(rounds, "split.json"),
        baselines=path.arm_files(rounds, "baselines.parquet"),
        nulls=path.nulls(rounds, study.arms),
        arms=arms,
        generic_metrics=path("generic/metrics.json"),
        generic_predictions=path("generic/predictions.parquet"),
    )


def write_evaluation(study: Study, evidence: Evidence, folder: str | Path) -> None:
    """Write every file of evaluation/ into `folder`; raises `UserError` where a file is missing or does not fit."""
    folder, digest, arms = Path(folder), study.digest("evaluation"), list(study.arms)

    def tables(*names: str) -> list[Path]:
        return [folder / f"{name}.parquet" for name in names]

    rounds, baselines, nulls = gathered = tables("rounds", "baseline_metrics", "nulls")
    write_rounds(evidence.predictions, rounds, digest)
    write_baselines(evidence.baselines, evidence.splits, evidence.predictions, baselines, digest)
    write_baseline_averages(rounds, baselines, arms, *tables("baseline_averages"), digest)
    write_nulls(evidence.nulls, nulls, digest)
    write_leakage(evidence.splits, evidence.predictions, *tables("leakage", "training_distances"), digest)
    summary = folder / "summary.json"
    write_summary(rounds, evidence.generic_metrics, evidence.arms, arms, summary, study.is_simulated)
    write_verdict(*gathered, study.arms, study.seed, folder / "verdict.json")
    trials = read_trials(evidence.predictions, evidence.generic_predictions)
    resamples = tables("resampled_draws", "resampled_patients")
    compared = tables("patient_metrics", "averages", "comparisons")
    write_comparison(trials, arms, study.evaluation.decision, study.seed, digest, *compared, *resamples)
    write_effective(trials, evidence.splits, arms, *tables("effective_sample_size"), digest)
    write_calibration(trials, arms, study.seed, digest, *tables("calibration"))
    periods = tables("evaluation_periods", "prevalence", "alerts", "decision_curve")
    write_prevalence(trials, evidence.splits, arms, study.seed, digest, *periods)
