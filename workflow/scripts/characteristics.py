"""Describe both populations as the paper's Table 1 does."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.characteristics import write_characteristics

    write_characteristics(
        tables=Study.from_config(snakemake.config).tables_folder,
        populations_path=snakemake.input.populations,
        quality_paths=snakemake.input.quality,
        generic_path=snakemake.input.generic,
        path=snakemake.output[0],
    )
