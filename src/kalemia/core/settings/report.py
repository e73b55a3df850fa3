"""Settings of the pages."""

from dataclasses import dataclass

from kalemia.core.settings.declare import setting


@dataclass(frozen=True)
class Report:
    public: bool = setting(
        False,
        "also write public/report.html, which may leave the group that holds the data: no subjects, dates or results"
        " of single patients, and no count below 5 (docs/running.md)",
    )
