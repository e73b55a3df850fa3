"""Write a simulated cohort in PhysioNet's own layout."""

from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0]):
    from kalemia.simulate import simulate_cohort

    study = Study.from_config(snakemake.config)
    folder = Path(study.waveforms)
    simulate_cohort(folder, study.simulation, study.analyte, study.seed, snakemake.threads)
