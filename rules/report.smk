# What a person reads.
# Needs:  everything before it; of waveforms and shards only each patient's own, for the patient's page.
# Makes:  report.html, figures/, tables/ and generic/model-card.md; config.yaml, the whole configuration, with which `kalemia report` makes evaluation and
#         pages again from a results folder without ECG; patients/{subject}/: the page of one patient, its figures and its model card;
#         mean_beats/{subject}.parquet, all that these show of the ECG.


rule patient_report:
    "Take the mean beats of one patient's draws, draw the patient's figures and write the page."
    input:
        draws=out("cohort/draws.parquet"),
        arms=out("personal/arms.parquet"),
        shard=out("beats/{subject}.parquet"),
        quality=out("beats/{subject}.quality.parquet"),
        splits=splits_of_subject,
        predictions=predictions_of_subject,
        explanation=explanation_of_subject,
    output:
        mean_beats=out("mean_beats/{subject}.parquet"),
        page=out("patients/{subject}/report.html"),
        card=report(
            out("patients/{subject}/model-card.md"),
            caption="../workflow/report/model-card.rst",
            category="Model cards",
            labels={"model": "{subject}"},
        ),
        figures=report(
            patient_figures(),
            caption="../workflow/report/patient.rst",
            category="Patients",
            subcategory="{subject}",
        ),
    log:
        log_of("patients/{subject}"),
    benchmark:
        time_of("patient_report/{subject}")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        recipe=study.digest("report"),
        arms=list(study.arms),
    script:
        "../workflow/scripts/patient_report.py"


rule study_report:
    "Draw the study's figures and write its page."
    input:
        flow=out("cohort/flow.json"),
        characteristics=out("cohort/characteristics.json"),
        populations=out("cohort/populations.parquet"),
        arms=out("personal/arms.parquet"),
        history=out("generic/history.parquet"),
        generic=out("generic/predictions.parquet"),
        rounds=out("evaluation/rounds.parquet"),
        baseline_averages=out("evaluation/baseline_averages.parquet"),
        leakage=out("evaluation/leakage.parquet"),
        distances=out("evaluation/distances.parquet"),
        patients=out("evaluation/patients.parquet"),
        averages=out("evaluation/averages.parquet"),
        tests=out("evaluation/tests.parquet"),
        effective=out("evaluation/effective.parquet"),
        periods=out("evaluation/periods.parquet"),
        prevalence=out("evaluation/prevalence.parquet"),
        alerts=out("evaluation/alerts.parquet"),
        calibration=out("evaluation/calibration.parquet"),
        decision_curve=out("evaluation/decision_curve.parquet"),
        summary=out("evaluation/summary.json"),
        verdict=out("evaluation/verdict.json"),
        explanations=explanations,
        review=out("quality/review.html"),  # linked, not read
    output:
        page=out("report.html"),
        card=report(
            out("generic/model-card.md"),
            caption="../workflow/report/model-card.rst",
            category="Model cards",
            labels={"model": "generic"},
        ),
        settings=out("config.yaml"),
        figures=[
            report(
                out(f"figures/{name}.svg"),
                caption=f"../workflow/report/{name}.rst",
                category=section.capitalize(),
                labels={"figure": name},
            )
            for section, names in SECTION_FIGURES.items()
            for name in names
        ],
        tables=[
            report(
                out(f"tables/{name}.csv"),
                caption=f"../workflow/report/table-{name}.rst",
                category="Tables",
                labels={"table": name},
            )
            for name in STUDY_TABLES
        ],
    log:
        log_of("report"),
    benchmark:
        time_of("study_report")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(15),
    params:
        recipe=study.digest("report"),
        settings=config_text(study),
    script:
        "../workflow/scripts/study_report.py"
