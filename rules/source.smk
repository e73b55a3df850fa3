# Where recordings and laboratory values come from.
# Needs:  nothing; a real study reads the folders that its configuration names, and this rule does not run.
# Makes:  a small PhysioNet of simulated people: waveforms, clinical tables, and the truth behind both.


if study.is_simulated:

    rule simulate:
        "Write a simulated cohort in PhysioNet's own layout."
        output:
            waveforms=directory(out("source/mimic3wdb-matched")),
            tables=[clinical_table(name) for name in CLINICAL_TABLES],
            truth=out("source/truth.json"),
        log:
            log_of("simulate"),
        conda:
            "../envs/signal.yaml"
        threads: 2
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            recipe=study.digest("source"),
        script:
            "../workflow/scripts/simulate.py"
