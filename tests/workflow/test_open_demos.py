"""The studies of open data, from a local server with their layout, without credentials, to the report."""

import dataclasses
import re
import subprocess
import sys
import time
from collections import Counter

import pytest
import yaml

from conftest import ROOT
from kalemia.cli import main
from kalemia.core.config import Range
from kalemia.core.tables import read_json, read_table
from killed_study import run_killed
from mimic4_server import ECG, TABLES, write_mimic4_server
from real_mirror import write_demo_server
from run_workflow import contents_of, run_snakemake
from web_server import serving

pytestmark = [pytest.mark.realdata, pytest.mark.workflow]
SMALL = {"network": {"width": 2}, "generic": {"epochs": 2}}


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch, tmp_path):
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"PHYSIONET_{name}", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture(scope="module")
def mimic3_files(tmp_path_factory, real_data, study):
    """The waveforms are of other people, BIDMC's: the real ones could not be had."""
    settings = yaml.safe_load((ROOT / "studies/mimic3-demo.yaml").read_text())
    classes = {
        "items": tuple(settings["analyte"]["items"]),
        "positive": Range(above=settings["analyte"]["positive"]["above"]),
        "negative": Range(from_=settings["analyte"]["negative"]["from"], to=settings["analyte"]["negative"]["to"]),
    }
    root = tmp_path_factory.mktemp("mimic3")
    write_demo_server(root, real_data, dataclasses.replace(study.analyte, **classes))
    return root


@pytest.fixture(scope="module")
def mimic4_files(tmp_path_factory, real_data):
    """The samples of the ECGs are simulated: the real ones could not be had. Who had one, and when, is real."""
    root = tmp_path_factory.mktemp("mimic4")
    write_mimic4_server(root, real_data, hours=4.0)
    return root


@pytest.mark.parametrize("is_s3", [False, True])
def test_the_demo_of_mimic_3_reaches_its_report(tmp_path, mimic3_files, is_s3):
    with serving(mimic3_files, is_s3=is_s3) as site:
        source = {"waveforms": site.url, "tables": f"{site.url}/mimiciii-demo/1.4"}
        target = ["results/mimic3-demo/cohort/ledger.parquet"] if is_s3 else []
        run = run_snakemake(
            tmp_path, *target, studies=("studies/mimic3-demo.yaml",), config={"source": source, **SMALL}
        )
    assert run.returncode == 0, run.stdout + run.stderr
    results = tmp_path / "results/mimic3-demo"
    if not is_s3:
        page = (results / "report.html").read_text()
        assert "Simulated patients" not in page
        assert "This study makes no personal networks" in page
        found = read_json(results / "evaluation/between_patients.json")
        assert re.search(rf"{found['people']['positive']} people with positive", page)


def test_the_demo_of_mimic_4_reaches_its_report(tmp_path, mimic4_files):
    with serving(mimic4_files) as site:
        source = {"waveforms": f"{site.url}/{ECG}", "tables": f"{site.url}/{TABLES}"}
        run = run_snakemake(tmp_path, studies=("studies/mimic4-demo.yaml",), config={"source": source, **SMALL})
        fetched = [path for path, _, n in site.requests if n and path.endswith(".dat")]
    assert run.returncode == 0, run.stdout + run.stderr
    results = tmp_path / "results/mimic4-demo"
    draws = read_table(results / "cohort/draws.parquet", "draws").to_pylist()
    read = [row for row in draws if row["candidate_population"]]
    assert len(fetched) == len(set(fetched)) == len(read)  # one ECG each, and no other
    assert max(abs(row["minutes_from_ecg"]) for row in read) <= 240
    pairing = read_json(results / "cohort/flow.json")["pairing"]
    assert min(pairing["before"], pairing["after"]) > 5
    page = (results / "report.html").read_text()
    assert f"Draws used: {pairing['before']} from before their ECG" in page
    assert "Nobody has a personal network: it takes 8 usable draws of each class." in page


DEMOS = pytest.mark.parametrize(
    ("demo", "waveforms", "tables"),
    [("mimic3", "", "mimiciii-demo/1.4"), ("mimic4", f"/{ECG}", TABLES)],
)


@DEMOS
def test_a_run_that_is_killed_twice_ends_with_the_same_bytes(request, tmp_path, demo, waveforms, tables):
    moments = ("results/*/excerpts/.batch-*.part/*.parquet", "results/*/beats/.batch-*.part/*.parquet")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with serving(request.getfixturevalue(f"{demo}_files")) as site:
        source = {"waveforms": f"{site.url}{waveforms}", "tables": f"{site.url}/{tables}"}
        study = {"studies": (f"studies/{demo}-demo.yaml",), "config": {"source": source, **SMALL}}
        for folder in (whole, killed):
            folder.mkdir()
        run = run_snakemake(whole, **study)
        assert run.returncode == 0, run.stdout + run.stderr
        run_killed(killed, moments, **study)
    expected, found = (contents_of(folder / f"results/{demo}-demo") for folder in (whole, killed))
    # folders of batches may stay after an interruption, as links (docs/running.md)
    assert [name for name in found if "/batch-" not in name and found[name] != expected[name]] == []
    assert "report.html" in found


@DEMOS
def test_a_fetch_that_is_killed_twice_ends_with_the_same_bytes(request, tmp_path, demo, waveforms, tables):
    with serving(request.getfixturevalue(f"{demo}_files")) as site:

        def fetch(folder):
            places = f"source: {{waveforms: {site.url}{waveforms}, tables: {site.url}/{tables}}}"
            folder.mkdir(exist_ok=True)
            (folder / "overlay.yaml").write_text(f"results: {folder}/results\n{places}\n")
            return ["fetch", str(ROOT / f"studies/{demo}-demo.yaml"), str(folder / "overlay.yaml")]

        assert main(fetch(tmp_path / "whole")) == 0
        killed, site.delay_s = tmp_path / "killed", 0.02
        for pattern, n in (("tables/*.gz", 2), ("cache/**/*.dat", 5)):
            process = subprocess.Popen([sys.executable, "-c", "from kalemia.cli import main; main()", *fetch(killed)])
            while sum(1 for _ in killed.glob(f"results/source/{pattern}")) < n:
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
            process.wait()
            site.wait_until_unused()
        site.delay_s, n_before = 0.0, len(site.requests)
        assert main(fetch(killed)) == 0
        again = Counter(path for path, _, n in site.requests[n_before:] if n)
        assert max(again.values()) == 1
    sources = [folder / "results/source" for folder in (tmp_path / "whole", killed)]
    whole, resumed = (
        {str(path.relative_to(of)): path.read_bytes() for path in of.rglob("*") if path.is_file()} for of in sources
    )
    assert {name: content for name, content in resumed.items() if not name.endswith(".part")} == whole
