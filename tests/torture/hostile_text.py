"""Names that are markup, scripts or paths: shown as text, run nowhere, and no way out of a folder.

People, a study and a recording are called so; the pages are opened in Chromium, where it is installed. Headers, model
folders and lists of files name other files, which must not be opened.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from campaign import Tally

from browser import MISSING, headless_browser
from kalemia.cli import main
from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.paths import subject_name
from kalemia.core.tables import table_from_rows, write_table
from kalemia.models.model_folder import read_model_folder
from kalemia.models.registry import Registry
from kalemia.report.patient_page import write_patient_page
from kalemia.report.study_page import write_page
from kalemia.report.write_outputs import write_patient_figures, write_study_figures
from kalemia.sources import UnreadableRecordingError
from kalemia.sources.physionet import DATABASE, PhysioNet
from kalemia.sources.signal_files import open_signal
from model_folders import write_model
from own_files import write_csv, write_wfdb
from report_fixture import PERSONAL, write_results

HOSTILE = (
    "<script>window.hit=1</script>",
    "\"><img src=x onerror='window.hit=1'>",
    "</title></style></script><script>window.hit=1</script>",
    "<svg onload=window.hit=1>",
    "{{ 7*7 }}{% for a in b %}${7*7}",
    "javascript:window.hit=1//&lt;b&gt;",
)
OUTSIDE = ("../secret", "/etc/hostname", "../../../../etc/passwd", "a/../../secret", "\0secret", "~/secret")
SECRET = b"this must not be read"


def run(folder: Path, seed: int, is_short: bool) -> list[Tally]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pages = Tally("names that are markup", "shown as text; no script runs, and nothing is asked of another place")
    paths = Tally("names that are paths", "no file outside of the folder is read or written")
    for number, name in enumerate(HOSTILE[:1] if is_short else HOSTILE):
        made = [*_report_pages(folder / f"study-{number}", name), *_monitor_page(folder / f"monitor-{number}", name)]
        if MISSING:
            pages.not_run = f"{' and '.join(MISSING)} not found"
            break
        with headless_browser() as browser:
            for page, shown in made:
                fault = _fault_of_page(browser, page, shown)
                pages.count(f"{page.parent.name}/{page.name} of {name!r}", fault or "shown as text", fails=bool(fault))
    (folder / "secret").write_bytes(SECRET)
    for case, reads in _ways_out(folder / "inside"):
        fault = _fault_of_reading(reads)
        paths.count(case, fault or "refused", fails=bool(fault))
    return [pages, paths]


def _report_pages(folder: Path, name: str) -> list[tuple[Path, str]]:
    """The pages of a study of this name whose patients are all called so."""
    study = dataclasses.replace(Study(), study=name, cohort=dataclasses.replace(Study().cohort, lead=name))
    write_results(folder, study)
    named = [{"subject_id": subject, "name": f"{name} {subject}"} for subject in PERSONAL]
    write_table(folder / "cohort/subject_names.parquet", "subject_names", table_from_rows("subject_names", named))
    write_study_figures(study, folder)
    write_page(folder / "report.html", study, folder)
    subject = subject_name(PERSONAL[0])
    write_patient_figures(study, folder, subject)
    write_patient_page(folder / f"patients/{subject}/report.html", study, folder, subject)
    return [(folder / "report.html", name), (folder / f"patients/{subject}/report.html", name)]


def _monitor_page(folder: Path, name: str) -> list[tuple[Path, str]]:
    """The page of a monitored recording whose file is called so, as far as a file can be."""
    file_name = name.replace("/", "").replace("\0", "")
    folder.mkdir()
    record = folder / f"{file_name}.csv"
    write_csv(record, 250)
    model = write_model(folder / "model", lead="II", window_minutes=1.0, min_recorded_minutes=0.5)
    arguments = ["--model", str(model), "--record", str(record), "--rate", "250", "--out", str(folder / "out")]
    assert main(["monitor", *arguments]) == 0
    return [(next((folder / "out").glob("*.html")), file_name)]


def _fault_of_page(browser, page: Path, shown: str) -> str:
    browser.open(page)
    if browser.run("return window.hit"):
        return "a script ran"
    if shown not in browser.run("return document.documentElement.textContent"):
        return "its name is not shown as it is"
    others = [url for url in browser.requested() if not url.startswith("file:") or "window.hit" in url.split("/")[-1]]
    others = [url for url in others if page.name not in url]
    return f"asks for {others[0]}" if others else ""


def _ways_out(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """What names a file, and a function that reads it."""
    folder.mkdir()
    write_wfdb(folder / "a", 250, seconds=4)
    header = (folder / "a.hea").read_text()
    for number, name in enumerate(OUTSIDE):
        record = folder / f"r{number}.hea"
        record.write_text(header.replace("a.dat", name))
        yield f"WFDB header: samples in {name!r}", lambda record=record: open_signal(record, "MLII")
        multi = folder / f"m{number}.hea"
        multi.write_text(f"m{number}/1 1 250 1000\n{name} 1000\n")
        yield f"WFDB header: segment {name!r}", lambda multi=multi: open_signal(multi, "MLII")
        place = folder / f"mirror-{number}"
        (place / DATABASE).mkdir(parents=True)
        (place / DATABASE / "RECORDS-waveforms").write_text(f"{name}\n")
        yield f"list of recordings: {name!r}", lambda place=place: PhysioNet(place).recording_names()
        model = write_model(folder / f"model-{number}")
        fields = json.loads((model / "config.json").read_text())
        fields["files"][name] = "0" * 64
        (model / "config.json").write_text(json.dumps(fields))
        yield f"model folder: file {name!r}", lambda model=model: read_model_folder(model)
        yield f"registry: model {name!r}", lambda name=name: Registry(folder).card(name)


def _fault_of_reading(read: Callable[[], object]) -> str:
    try:
        read()
    except (UserError, UnreadableRecordingError) as error:
        return "it was read" if SECRET.decode() in str(error) else ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "it was taken"
