# What a person looks at before the beats are trusted.
# Needs:  the quality of every excerpt, and the excerpts that are shown.
# Makes:  quality/review.html, the excerpts nearest the thresholds as strips.


rule review:
    "Show the excerpts that lie nearest the thresholds."
    input:
        quality=cohort_quality,
        excerpts=cohort_excerpts,
    output:
        out("quality/review.html"),
    log:
        log_of("review"),
    benchmark:
        time_of("review")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        recipe=study.digest("review"),
        decisions=str(decisions),
    script:
        "../workflow/scripts/review.py"
