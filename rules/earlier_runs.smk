# Before anything is planned: files that a killed run left are deleted, results that another configuration made and that
# Snakemake has no record of are refused, and what decides about the claims is registered, so before any network is trained.
# Snakemake marks what a job is about to make, and looks at these marks once, before it follows checkpoints: a file behind a
# checkpoint that a job wrote after Snakemake was killed would count as finished, whatever settings it was made with. And its
# lock stays after a kill, as if the run went on.


def snakemake_records():
    """Snakemake's records of files, as it will open them itself."""
    from snakemake.persistence.db import DbPersistence
    from snakemake.persistence.file import FilePersistence

    settings = workflow.workflow_settings
    if settings.persistence_backend.name == "DB":
        return DbPersistence(db_url=settings.persistence_backend_db_url)
    return FilePersistence()


def is_known(path):
    """Whether Snakemake has a record of how a file was made, or a mark that it is not finished."""
    from snakemake.io import IOFile

    records = snakemake_records()
    return bool(
        records.metadata(IOFile(path)) or records._filter_incomplete_keys([path])
    )


def delete_what_killed_runs_left(earlier):
    """Remove the lock of a killed run, its unfinished files, and parts of files; nothing if a run may still go on."""
    records = snakemake_records()
    if earlier.alive or (any(records._read_locks()) and not earlier.killed):
        return
    records.unlock()
    left = unfinished_paths(config["results"], records._filter_incomplete_keys)
    for path in left:
        delete(path)
    if left:
        from kalemia.core.wording import plural

        print(
            f"kalemia: deleted what an earlier run left unfinished: {plural(len(left), 'file')}",
            file=sys.stderr,
        )


def slurm_requests():
    """What the jobs of each name ask of SLURM in their first attempt, with the settings of the profile."""
    unasked = ("tmpdir", "disk_mb", "mem_mb")
    for step in workflow.rules:
        if step.name not in workflow._localrules and not step.norun:
            asked = step.expand_resources(None, None, 1, skip_evaluation=unasked)
            partition = asked.get("slurm_partition") or DEFAULT
            yield Request(step.name, partition, asked.runtime, asked.get("gpu", 0))


def check_cluster():
    """Refuse a profile whose requests SLURM would refuse, and keep to the time limits of its partitions."""
    partition_minutes.update(check_requests(slurm_requests(), read_partitions()))


def run_alone(execute):
    """`workflow.execute`, which is the first to know whether this is a real run and no dry run."""

    def run(executor_plugin, **settings):
        kind = executor_plugin.common_settings
        ignored = workflow.execution_settings.ignore_incomplete
        if not (kind.dryrun_exec or kind.touch_exec or ignored):
            folder = Path(".snakemake/runs")
            earlier = exit_on_user_error(hold_run_lock, folder, kind.local_exec)
            exit_on_user_error(delete_what_killed_runs_left, earlier)
            exit_on_user_error(check_before_jobs, study)
            if executor_plugin.name == "slurm":
                exit_on_user_error(check_cluster)
            exit_on_user_error(register_claims, study, config["results"])
        return execute(executor_plugin=executor_plugin, **settings)

    return run


# a job's own process does not look again: its inputs may just have been remade
if workflow.is_main_process:
    from kalemia.before_jobs import check_before_jobs
    from kalemia.core.result_digests import refuse_foreign_results
    from kalemia.core.runs.leftovers import delete, unfinished_paths
    from kalemia.core.runs.partitions import (
        DEFAULT,
        Request,
        check_requests,
        read_partitions,
    )
    from kalemia.core.runs.run_lock import hold_run_lock
    from kalemia.evaluation.claims.registration import register_claims

    exit_on_user_error(refuse_foreign_results, study, config["results"], is_known)
    workflow.execute = run_alone(workflow.execute)
