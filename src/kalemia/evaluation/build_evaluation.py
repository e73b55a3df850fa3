"""Write the files of evaluation/ from the predictions, splits and tables of a study."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.paths import ResultPaths, SubjectRounds, subject_name
from kalemia.core.tables import read_table
from kalemia.evaluation.baseline_averages import write_baseline_averages
from kalemia.evaluation.between_patients.claims import write_between_patients
from kalemia.evaluation.calibration import write_calibration
from kalemia.evaluation.claims.evidence import write_evidence
from kalemia.evaluation.claims.rule import write_claims
from kalemia.evaluation.collect import write_baselines, write_leakage, write_nulls
from kalemia.evaluation.comparison import write_comparison
from kalemia.evaluation.effective_sample_size import read_episodes, write_effective_sample_size
from kalemia.evaluation.patient_scores import read_patient_scores
from kalemia.evaluation.prevalence import write_prevalence
from kalemia.evaluation.round_metrics import write_rounds, write_summary
from kalemia.evaluation.selection_bias import write_evaluable, write_losses
from kalemia.evaluation.specificity.control_evidence import write_control_evidence
from kalemia.evaluation.specificity.treated_draws import write_treated


@dataclass(frozen=True)
class EvaluationInputs:
    """The files that the evaluation is made from; each list in the order of arms and, within one, of patients."""

    predictions: Sequence[str | Path]
    splits: Sequence[str | Path]
    baselines: Sequence[str | Path]
    nulls: Sequence[str | Path]
    arms: str | Path
    generic_metrics: str | Path
    generic_predictions: str | Path
    controls: Sequence[str | Path]
    control_values: Sequence[str | Path]
    context: str | Path
    comparators: str | Path
    outcomes: str | Path
    people: str | Path


def find_evaluation_inputs(results: str | Path, study: Study) -> EvaluationInputs:
    """The files of a finished study in its results folder; raises `UserError` as `tables.read_table`."""
    path = ResultPaths(results)
    arms = path("personal/arms.parquet")
    rows = read_table(arms, "arms").to_pylist()
    rounds = [
        SubjectRounds(row["arm"], subject_name(row["subject_id"]), row["rounds"]) for row in rows if row["rounds"]
    ]
    return EvaluationInputs(
        predictions=path.round_predictions(rounds),
        splits=path.arm_files(rounds, "split.json"),
        baselines=path.arm_files(rounds, "baselines.parquet"),
        nulls=path.nulls(rounds, study.arms),
        arms=arms,
        generic_metrics=path("generic/metrics.json"),
        generic_predictions=path("generic/predictions.parquet"),
        controls=path.control_runs(rounds, study.deciding_arm, study.controls),
        control_values=path.control_values(study.controls),
        context=path("cohort/context.parquet"),
        comparators=path("generic/comparators.parquet"),
        outcomes=path("cohort/outcomes.parquet"),
        people=path("cohort/people.parquet"),
    )


def write_evaluation(study: Study, inputs: EvaluationInputs, folder: str | Path) -> None:
    """Write every file of evaluation/ into `folder`; raises `UserError` if a file is missing or does not fit."""
    folder, digest, arms, seed = Path(folder), study.digest("evaluation"), list(study.arms), study.seed
    rounds, baselines, nulls = (folder / f"{name}.parquet" for name in ("rounds", "baseline_metrics", "nulls"))
    write_rounds(inputs.predictions, folder, digest)
    write_baselines(inputs.baselines, inputs.splits, inputs.predictions, folder, digest)
    write_baseline_averages(rounds, baselines, arms, folder, digest)
    write_nulls(inputs.nulls, folder, digest)
    write_leakage(inputs.splits, inputs.predictions, folder, digest)
    summary = folder / "summary.json"
    write_summary(rounds, inputs.generic_metrics, inputs.arms, arms, summary, study.is_simulated)
    patient_scores = read_patient_scores(inputs.predictions, inputs.generic_predictions)
    comparator = study.verdict.comparator
    write_evidence(
        patient_scores, inputs.splits, inputs.context, baselines, nulls, study.arms, comparator, folder, digest
    )
    write_claims(folder / "evidence.parquet", study.arms, study.verdict, study.analyte.name, folder / "claims.json")
    write_between_patients(
        inputs.generic_predictions,
        inputs.comparators,
        study.verdict.smallest_gain,
        study.analyte.name,
        folder / "between_patients.json",
    )
    write_control_evidence(inputs.controls, inputs.control_values, patient_scores, study, folder, digest)
    write_treated(patient_scores, inputs.context, arms, folder, digest)
    episodes = read_episodes(patient_scores, inputs.splits, arms)
    write_comparison(patient_scores, episodes, arms, study.evaluation.decision, seed, digest, folder)
    write_effective_sample_size(episodes, folder, digest)
    write_calibration(patient_scores, arms, digest, folder)
    write_prevalence(patient_scores, inputs.splits, arms, seed, digest, folder)
    write_losses(inputs.outcomes, folder, digest)
    write_evaluable(inputs.outcomes, inputs.people, inputs.arms, folder, digest)
