# Before anything is planned, results that another configuration made and that Snakemake has no record of are refused.


def has_record(path):
    """Whether Snakemake has a record of how a file was made."""
    from snakemake.io import IOFile
    from snakemake.persistence.db import DbPersistence
    from snakemake.persistence.file import FilePersistence

    settings = workflow.workflow_settings
    if settings.persistence_backend.name == "DB":
        records = DbPersistence(db_url=settings.persistence_backend_db_url)
    else:
        records = FilePersistence()
    return bool(records.metadata(IOFile(path)))


# a job's own process does not look again: its inputs may just have been remade
if workflow.is_main_process:
    from kalemia.core.result_digests import refuse_foreign_results

    exit_on_user_error(refuse_foreign_results, study, config["results"], has_record)
