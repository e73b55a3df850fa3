"""Write a simulated cohort in PhysioNet's layout."""

from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.simulate import simulate_cohort
    from kalemia.sources.registry import describe_source

    study = Study.from_config(snakemake.config)
    folder = Path(describe_source(study).waveforms)
    simulate_cohort(folder, study.simulation, study.analyte, study.seed, snakemake.threads)
