"""What a finished run says last: the claims in words, where the pages are, and what can be done next."""

from collections.abc import Iterator
from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.paths import ResultPaths
from kalemia.core.tables import read_json, read_table
from kalemia.core.wording import RESEARCH_USE
from kalemia.evaluation.claims.rule import in_order


def closing_lines(study: Study) -> Iterator[str]:
    """Lines for a terminal; paths are relative to the working directory."""
    path = ResultPaths(study.results)
    simulated = ", simulated patients" if study.is_simulated else ""
    if read_table(path("cohort/personal.parquet"), "personal").num_rows:
        claims = read_json(path("evaluation/claims.json"))
        where, found = f"arm {claims['arm']}", in_order(claims["arms"].get(claims["arm"], {}))
    else:
        from kalemia.evaluation.between_patients.claims import claims_in_order  # every job loads this module

        where, found = "between patients", claims_in_order(read_json(path("evaluation/between_patients.json")))
    yield from ("", f"What study {study.study} shows ({where}{simulated}):")
    width = max((len(claim["claim"]) for _, claim in found), default=0)
    yield from (f"  {claim['claim']:<{width}}  {claim['state']}" for _, claim in found)
    yield ""
    pages = {"report": path("report.html"), "signal review": path("quality/review.html")}
    patients = sorted(Path(path("patients")).glob("p*/report.html"))
    if patients:
        pages["one patient"] = str(patients[0])
    yield from (f"{name + ':':<15}{page}" for name, page in pages.items())
    yield from ("", RESEARCH_USE)
