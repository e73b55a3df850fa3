# Kalemia: from bedside ECG and potassium values to personalized networks, and to a test whether personalization works.
# One study per run: config.yaml, or an overlay on it (--configfile studies/mimic3.yaml). Each stage is a file in rules/.
import shlex
import sys
import time

# Snakemake 9.27 writes the path of Python into shell commands without quotes, which fails if a folder has a space in its name
if " " in sys.executable and not sys.executable.startswith("'"):
    sys.executable = shlex.quote(sys.executable)


run_started = time.time()


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/earlier_runs.smk"
include: "rules/source.smk"
include: "rules/cohort.smk"
include: "rules/excerpts.smk"
include: "rules/beats.smk"
include: "rules/generic.smk"
include: "rules/personal.smk"
include: "rules/evaluation.smk"
include: "rules/explanation.smk"
include: "rules/report.smk"


report: "workflow/report/workflow.rst"


wildcard_constraints:
    subject=r"p\d{6,10}",
    batch=r"\d+",
    table=r"[A-Z_]+",
    arm="|".join(study.arms),
    k=r"[1-9]\d*",
    chunk=r"[a-z_]+(-\d+)?",
    control=r"[a-z]+",


localrules:
    all,


onstart:
    jobs = list(workflow.dag.needrun_jobs())
    # a few jobs do not make up for the time that the server needs to start; a checkpoint brings more
    if workflow.local_exec and (
        len(workflow.dag) >= 10 or any(job.is_checkpoint for job in jobs)
    ):
        start_server("snakemake.script")
    # With Snakemake 9.27's default limit of 100 jobs per second, each finished job wakes the scheduler every second from
    # then on, and some hundreds of finished jobs keep a core busy
    # (https://github.com/snakemake/snakemake/pull/3744). Any other limit is kept.
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    tables = [
        job.wildcards.table for job in jobs if job.rule.name == "download_table"
    ]
    if tables:
        from kalemia.fetch_study import announce_tables
        from kalemia.sources.remote.download_tables import tables_web

        with suppress(UserError):  # which the job will raise, too
            announce_tables(tables_web(study), source, tables)


onsuccess:
    report = Path(result_path("report.html"))
    if report.exists() and report.stat().st_mtime >= run_started:
        print(*closing_lines(study), sep="\n", file=sys.stderr)


rule all:
    default_target: True
    input:
        result_path("report.html"),
        result_path("public/report.html") if study.report.public else [],
        # all outputs of the checkpoints: while one is missing, Snakemake plans nothing after the checkpoint
        rules.cohort.output,
        rules.populations.output,
        result_path("cohort/ledger.parquet"),
        result_path("cohort/context.parquet"),
        result_path("quality/review.html"),
        per_patient(result_path.patient_page),
        # listed, because Snakemake does not notice a deleted intermediate file
        files_of(evaluable_rounds, result_path.round_predictions),
        files_of(evaluable_rounds, result_path.round_weights),
        per_patient(result_path.mean_beats),
