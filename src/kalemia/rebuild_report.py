"""Everything of a study that needs no ECG, made from what its predictions, splits and tables say."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from kalemia.baseline_averages import write_baseline_averages
from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table
from kalemia.evaluation.calibration import write_calibration
from kalemia.evaluation.collect import write_baselines, write_leakage, write_nulls
from kalemia.evaluation.comparison import write_comparison
from kalemia.evaluation.effective_sample_size import write_effective
from kalemia.evaluation.patient_scores import read_trials
from kalemia.evaluation.prevalence import write_prevalence
from kalemia.evaluation.round_metrics import write_rounds, write_summary
from kalemia.evaluation.verdict import write_verdict

SETTINGS = "config.yaml"  # in the results folder
# What the evaluation and the report are made from; of ECG it holds mean beats only.
KEPT = (
    "cohort/*",
    "generic/*.parquet",
    "generic/*.json",
    "personal/**/*.parquet",
    "personal/**/*.json",
    "explanation/**/*",
    "mean_beats/*.parquet",
    "times/**/*.tsv",
)


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
    results = Path(results)
    arms = results / "personal/arms.parquet"
    rows = [row for row in read_table(arms, "arms").to_pylist() if row["rounds"]]
    folders = [results / f"personal/{row['arm']}/p{row['subject_id']:06d}" for row in rows]
    has_trained = [folder for folder, row in zip(folders, rows, strict=True) if study.arms[row["arm"]].trains_nulls]
    has_strangers = {row["arm"]: None for row in rows if study.arms[row["arm"]].nulls.get("stranger")}
    return Evidence(
        predictions=[
            folder / f"round-{round_}/predictions.parquet"
            for folder, row in zip(folders, rows, strict=True)
            for round_ in range(row["rounds"] + 1)
        ],
        splits=[folder / "split.json" for folder in folders],
        baselines=[folder / "baselines.parquet" for folder in folders],
        nulls=[
            *(folder / "nulls.parquet" for folder in has_trained),
            *(results / f"personal/{arm}/strangers.parquet" for arm in has_strangers),
        ],
        arms=arms,
        generic_metrics=results / "generic/metrics.json",
        generic_predictions=results / "generic/predictions.parquet",
    )


def write_evaluation(study: Study, evidence: Evidence, folder: str | Path) -> None:
    """Write every file of evaluation/ into `folder`; raises `UserError` where a file is missing or does not fit."""
    folder, digest, arms = Path(folder), study.digest("evaluation"), list(study.arms)

    def tables(*names: str) -> list[Path]:
        return [folder / f"{name}.parquet" for name in names]

    rounds, baselines, nulls = gathered = tables("rounds", "baselines", "nulls")
    write_rounds(evidence.predictions, rounds, digest)
    write_baselines(evidence.baselines, evidence.splits, evidence.predictions, baselines, digest)
    write_baseline_averages(rounds, baselines, arms, *tables("baseline_averages"), digest)
    write_nulls(evidence.nulls, nulls, digest)
    write_leakage(evidence.splits, evidence.predictions, *tables("leakage", "distances"), digest)
    summary = folder / "summary.json"
    write_summary(rounds, evidence.generic_metrics, evidence.arms, arms, summary, study.is_simulated)
    write_verdict(*gathered, study.arms, study.seed, folder / "verdict.json")
    trials = read_trials(evidence.predictions, evidence.generic_predictions)
    resamples = tables("resampled_draws", "resampled_patients")
    compared = tables("patients", "averages", "tests")
    write_comparison(trials, arms, study.evaluation.decision, study.seed, digest, *compared, *resamples)
    write_effective(trials, evidence.splits, arms, *tables("effective"), digest)
    write_calibration(trials, arms, study.seed, digest, *tables("calibration"))
    periods = tables("periods", "prevalence", "alerts", "decision_curve")
    write_prevalence(trials, evidence.splits, arms, study.seed, digest, *periods)


def rebuild_report(results: str | Path, to: str | Path | None = None) -> Path:
    """Make evaluation, figures and pages of a finished study anew, in its results folder or in the folder `to`.

    `to` becomes a results folder without ECG. Returns the study's page. Raises `UserError` where a file is missing.
    """
    from kalemia.report.csv_tables import write_csv_tables
    from kalemia.report.figures.patient_figures import write_patient_figures
    from kalemia.report.figures.study_figures import write_study_figures
    from kalemia.report.inputs import personal_subjects
    from kalemia.report.patient_page import write_patient_page
    from kalemia.report.study_page import write_page

    results = Path(results)
    study = read_settings(results / SETTINGS)
    if to is not None and Path(to).resolve() != results.resolve():
        results = copy_without_ecg(results, Path(to))
    write_evaluation(study, evidence_of(results, study), results / "evaluation")
    write_study_figures(study, results)
    write_csv_tables(results)
    write_page(results / "report.html", study, results)
    for subject in personal_subjects(read_table(results / "cohort/populations.parquet", "populations")):
        write_patient_figures(study, results, subject)
        write_patient_page(results / "patients" / subject / "report.html", study, results, subject)
    return results / "report.html"


def read_settings(path: str | Path) -> Study:
    """The study that the report of a results folder was written for."""
    try:
        return Study.from_config(yaml.safe_load(Path(path).read_text()))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            f"{path}: cannot be read as a study's configuration; --from names the results folder of a finished study"
        ) from None


def copy_without_ecg(results: Path, to: Path) -> Path:
    """Copy what the report is made from; returns `to`."""
    for path in [results / SETTINGS, *(path for pattern in KEPT for path in results.glob(pattern))]:
        if path.is_file():
            copy = to / path.relative_to(results)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return to
