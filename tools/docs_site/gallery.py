"""The gallery: finished reports that can be read in the browser, and a page that says what each is about."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from kalemia.core.wording import display_name
from kalemia.evaluation.claims.rule import CLAIMS

# what is known of each study that the site may show
STUDIES = {
    "demo": "What `make demo` runs: potassium acts on the ECG, so personal networks should read it. Small, simulated.",
    "demo-no": "What `make demo-no` runs: potassium leaves no trace, but recordings differ. Nothing should be shown.",
    "textbook": "Potassium acts on the ECG as published, so personal networks should read it. Simulated.",
    "nothing": "Potassium leaves no trace in the ECG, so no claim should be shown. Simulated.",
    "real-ecg": "Real ECG of BIDMC under random potassium values, so no claim should be shown.",
}
_INTRODUCTION = """\
# Finished reports

Complete reports, as Kalemia writes them, and what the [four claims](../method.md#the-claims) say in the deciding arm.
[Studies with a planted answer](../demonstration.md) says what is planted. Research use only, not a medical device.
"""
_PICTURE = "figures/figure-1.svg"
_LINKED = re.compile(r'(?:href|src|data-pdf)="(?!https?:|data:|mailto:|#)([^"#?]+)')


def gallery_page(reports: Mapping[str, Path]) -> str:
    """The page of the gallery, as Markdown: a section for each study of `reports` (name to results folder)."""
    sections = [_section(name, about, reports[name]) for name, about in STUDIES.items() if name in reports]
    missing = [name for name in STUDIES if name not in reports]
    left_out = [f"Not built this time: {', '.join(missing)}.\n"] if missing else []
    return "\n".join([_INTRODUCTION, *sections, *left_out])


def _section(name: str, about: str, results: Path) -> str:
    link = f'<a href="{name}/report.html">Open the report</a>'
    picture = f'<img alt="Figure 1 of the report" src="{name}/{_PICTURE}">' if (results / _PICTURE).exists() else ""
    return "\n\n".join(filter(None, [f"## {name}", about, _claim_states(results), link, picture])) + "\n"


def _claim_states(results: Path) -> str:
    claims = json.loads((results / "evaluation/claims.json").read_text("utf-8"))
    deciding = claims["arms"].get(claims["arm"], {})
    states = [f"*{display_name(claim)}* {deciding[claim]['state']}" for claim in CLAIMS if claim in deciding]
    return f"Claims: {', '.join(states)}." if states else "No arm decides about the claims."


def copy_reports(reports: Mapping[str, Path], folder: Path) -> None:
    """Copy the report of each study to `folder`/NAME, with every page and file that can be reached from it."""
    for name, results in reports.items():
        waiting, copied = [Path("report.html"), Path(_PICTURE)], set()
        while waiting:
            path = waiting.pop()
            if path in copied or not (results / path).is_file():
                continue
            copied.add(path)
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(results / path, folder / name / path)
            if path.suffix == ".html":
                text = (results / path).read_text("utf-8")
                waiting += [_relative(results, path, linked) for linked in set(_LINKED.findall(text))]


def _relative(results: Path, page: Path, linked: str) -> Path:
    """What a page links to, relative to the results folder, or a name that is not there if it lies outside."""
    target = (results / page.parent / linked).resolve()
    return target.relative_to(results.resolve()) if target.is_relative_to(results.resolve()) else Path("outside")
