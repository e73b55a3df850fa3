# Recordings and laboratory values that are not in a folder yet.
# Needs:  nothing; a study whose source is folders runs no rule of this file.
# Makes:  a simulated cohort: recordings and clinical tables in PhysioNet's layout, and the values they were made from;
#         or, if source.tables is a URL, the clinical tables, downloaded once and checked.


if source.is_simulated:

    rule simulate:
        "Write a simulated cohort in PhysioNet's layout."
        output:
            waveforms=directory(result_path("source/mimic3wdb-matched")),
            tables=[source.table_path(name) for name in (*TABLES, *OPTIONAL_TABLES)],
            truth=result_path("source/truth.json"),
        log:
            log_path("simulate"),
        conda:
            "../envs/signal.yaml"
        threads: 2
        resources:
            mem_mb=scale_with_attempt(2000),
            runtime=time_limit(20),
        params:
            recipe=study.digest("source"),
        script:
            "../workflow/scripts/simulate.py"


if source.downloads_tables:

    rule download_table:
        "Download one clinical table and check its published SHA-256."
        output:
            result_path("source/tables/{table}.csv.gz"),
        log:
            log_path("download_table/{table}"),
        # nodes of a cluster often cannot reach the internet
        localrule: True
        conda:
            "../envs/signal.yaml"
        resources:
            mem_mb=scale_with_attempt(600),
            runtime=time_limit(240),
            download=1,
        params:
            url=study.source.tables,
        script:
            "../workflow/scripts/download_table.py"
