"""Say what was known of the patient at each draw, beside the ECG."""

from kalemia.core.config import Study
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0]):
    from kalemia.cohort.clinical_context import write_context

    study = Study.from_config(snakemake.config)
    write_context(
        draws_path=snakemake.input.draws,
        quality_paths=snakemake.input.quality,
        tables=None if study.source.kind == "own" else study.tables_folder,
        available=snakemake.params.given,
        context=study.context,
        digest=study.digest("context"),
        path=snakemake.output[0],
    )
