# The pages.
# Needs:  all results before it; of recordings and shards only each patient's own, for the patient's page.
# Makes:  report.html, figures/, tables/, generic/model-card.md; config.yaml, the whole configuration, from which
#         `kalemia report` makes evaluation and pages again without the ECG; patients/{subject}/: the page of one patient,
#         its figures and its model card; mean_beats/{subject}.parquet, the only ECG on these pages;
#         public/report.html, with `report.public: true`.


rule patient_report:
    "Average the beats of one patient's draws, draw the patient's figures and write the page."
    input:
        draws=result_path("cohort/draws.parquet"),
        names=result_path("cohort/subject_names.parquet"),
        arms=result_path("personal/arms.parquet"),
        shard=result_path("beats/{subject}.parquet"),
        quality=result_path("beats/{subject}.quality.parquet"),
        splits=splits_of_subject,
        predictions=files_of(evaluable_arms, result_path.round_predictions),
        explanation=files_of(evaluable_arms, result_path.explanations),
    output:
        mean_beats=result_path("mean_beats/{subject}.parquet"),
        page=result_path("patients/{subject}/report.html"),
        card=report(
            result_path("patients/{subject}/model-card.md"),
            caption="../workflow/report/model-card.rst",
            category="Model cards",
            labels={"model": "{subject}"},
        ),
        figures=report(
            [
                result_path(f"patients/{{subject}}/{name}.svg")
                for name in PATIENT_FIGURES
            ],
            caption="../workflow/report/patient.rst",
            category="Patients",
            subcategory="{subject}",
        ),
        printable=[
            result_path(f"patients/{{subject}}/{name}.pdf") for name in PATIENT_FIGURES
        ],
    log:
        log_path("patients/{subject}"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(800),
        runtime=time_limit(10),
    params:
        recipe=study.digest("report"),
        arms=list(study.arms),
    script:
        "../workflow/scripts/patient_report.py"


rule study_report:
    "Draw the study's figures and write its page."
    input:
        **{file.name: result_path(file.path) for file in EVALUATION if file.on_page},
        flow=result_path("cohort/flow.json"),
        # written at the start of the run; not yet there when a first run is only planned
        registration=if_there(result_path("cohort/claims.json")),
        characteristics=result_path("cohort/characteristics.json"),
        populations=result_path("cohort/populations.parquet"),
        names=result_path("cohort/subject_names.parquet"),
        arms=result_path("personal/arms.parquet"),
        history=result_path("generic/history.parquet"),
        generic=result_path("generic/predictions.parquet"),
        predictions=files_of(evaluable_rounds, result_path.round_predictions),
        explanations=files_of(evaluable_rounds, result_path.explanations),
        truth=result_path("source/truth.json") if source.is_simulated else [],
        review=result_path("quality/review.html"),  # linked, not read
    output:
        page=result_path("report.html"),
        card=report(
            result_path("generic/model-card.md"),
            caption="../workflow/report/model-card.rst",
            category="Model cards",
            labels={"model": "generic"},
        ),
        settings=result_path("config.yaml"),
        figures=[
            report(
                result_path(f"figures/{figure.name}.svg"),
                caption=f"../workflow/report/captions/{figure.name}.rst",
                category=section.title,
                labels={"figure": figure.name},
            )
            for section in SECTIONS.values()
            for figure in section.figures
        ],
        # for other programs: PDF, and one PNG
        printable=[
            result_path(f"figures/{figure.name}.{kind}")
            for section in SECTIONS.values()
            for figure in section.figures
            for kind in figure.formats
            if kind != "svg"
        ],
        tables=[
            report(
                result_path(f"tables/{name}.csv"),
                caption=f"../workflow/report/captions/table-{name}.rst",
                category="Tables",
                labels={"table": name},
            )
            for name in STUDY_TABLES
        ],
    log:
        log_path("report"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(1000),
        runtime=time_limit(15),
    params:
        recipe=study.digest("report"),
        settings=config_text(study),
    script:
        "../workflow/scripts/study_report.py"


rule public_report:
    "Write the page of the study that may be shared: no subjects, no dates, rounded counts."
    input:
        rules.study_report.input,
    output:
        result_path("public/report.html"),
    log:
        log_path("public_report"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(500),
        runtime=scale_with_attempt(5),
    params:
        recipe=study.digest("public_report"),
    script:
        "../workflow/scripts/public_report.py"
