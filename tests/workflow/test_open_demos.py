"""The studies of open data, from a local server with their layout, without credentials, to the report."""

import dataclasses
import re

import pytest
import yaml

from conftest import ROOT
from kalemia.core.config import Range
from kalemia.core.tables import read_json, read_table
from mimic4_server import ECG, TABLES, write_mimic4_server
from real_mirror import write_demo_server
from run_workflow import run_snakemake
from web_server import serving

pytestmark = [pytest.mark.realdata, pytest.mark.workflow]
SMALL = {"network": {"width": 2}, "generic": {"epochs": 2}}


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch, tmp_path):
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"PHYSIONET_{name}", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.parametrize("is_s3", [False, True])
def test_the_demo_of_mimic_3_reaches_its_report(tmp_path, real_data, study, is_s3):
    """The waveforms are of other people, BIDMC's: the real ones could not be had."""
    settings = yaml.safe_load((ROOT / "studies/mimic3-demo.yaml").read_text())
    classes = {
        "items": tuple(settings["analyte"]["items"]),
        "positive": Range(above=settings["analyte"]["positive"]["above"]),
        "negative": Range(from_=settings["analyte"]["negative"]["from"], to=settings["analyte"]["negative"]["to"]),
    }
    write_demo_server(tmp_path / "server", real_data, dataclasses.replace(study.analyte, **classes))
    with serving(tmp_path / "server", is_s3=is_s3) as site:
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


def test_the_demo_of_mimic_4_reaches_its_report(tmp_path, real_data):
    """The samples of the ECGs are simulated: the real ones could not be had. Who had one, and when, is real."""
    write_mimic4_server(tmp_path / "server", real_data, hours=4.0)
    with serving(tmp_path / "server") as site:
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
    assert f"{pairing['before']} were taken before their ECG" in page
    assert "Nobody has a personal network: it takes 8 usable draws of each class." in page
