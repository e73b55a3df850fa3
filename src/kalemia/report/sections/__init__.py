"""The sections of the study's page. To add one, add a module and a template here, and run ``make generate``.

The module sections/{id}.py ends in ``SECTION``, a `kalemia.report.section.Section`: its place on the page, title,
builder, figures (name, caption, and the drawing function below `kalemia.report.figures`) and CSV tables. The builder
``build(study, data, notes) -> dict`` reads only `data`, a `kalemia.report.results.StudyResults`. Every job of the
workflow imports these modules to know the names of the figures, so import inside functions what is slow to import:
`kalemia.evaluation`, `kalemia.explanation` and `kalemia.core.tables`.

The template sections/{id}.html has no heading of its own. Its tables and figures are made by the macros `table` and
`figure` of macros.html; it knows `study`, `figures`, `notes` and what the builder returns.
"""
