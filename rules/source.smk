# Where recordings and laboratory values come from.
# Needs:  nothing; a study that reads folders, or recordings on the web, needs no rule of this file.
# Makes:  a small PhysioNet of simulated people: waveforms, clinical tables, and the truth behind both;
#         or the clinical tables, downloaded once and checked, where source.tables is a URL.


if study.is_simulated:

    rule simulate:
        "Write a simulated cohort in PhysioNet's own layout."
        output:
            waveforms=directory(out("source/mimic3wdb-matched")),
            tables=[clinical_table(name) for name in (*TABLES, *MORE_TABLES)],
            truth=out("source/truth.json"),
        log:
            log_of("simulate"),
        benchmark:
            time_of("simulate")
        conda:
            "../envs/signal.yaml"
        threads: 2
        resources:
            mem_mb=growing(2000),
            runtime=growing(20),
        params:
            recipe=study.digest("source"),
        script:
            "../workflow/scripts/simulate.py"


if study.has_remote_tables:

    rule table:
        "Download one clinical table, and check it against the published SHA-256."
        output:
            out("source/tables/{table}.csv.gz"),
        log:
            log_of("tables/{table}"),
        benchmark:
            time_of("table/{table}")
        # the nodes of a cluster often have no way to the web
        localrule: True
        conda:
            "../envs/signal.yaml"
        resources:
            mem_mb=growing(600),
            runtime=growing(240),
            download=1,
        params:
            url=study.source.tables,
        script:
            "../workflow/scripts/table.py"
