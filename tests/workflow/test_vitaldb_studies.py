"""VitalDB's two studies from a local server with its layout, without credentials, to the report."""

import pytest

from conftest import ROOT
from kalemia.check_study import check_lines
from kalemia.cli import main
from kalemia.core.config import Study
from kalemia.core.config_files import read_config
from kalemia.core.tables import read_json, read_table
from killed_study import run_killed
from run_workflow import contents_of, run_snakemake
from vitaldb_server import API, PHYSIONET, write_vitaldb_servers
from web_server import serving

pytestmark = [pytest.mark.realdata, pytest.mark.workflow]
SMALL = {"network": {"width": 2}, "generic": {"epochs": 2}}
RENAL = ("studies/vitaldb-renal.yaml",)


@pytest.fixture(scope="module")
def servers(tmp_path_factory, real_data):
    """PhysioNet's copy and the web API, which compresses tables, and the potassium of their cases."""
    root = tmp_path_factory.mktemp("vitaldb")
    values = write_vitaldb_servers(root, real_data)
    with serving(root, gzipped=("/cases", "/labs")) as site:
        yield site, values


@pytest.fixture(scope="module")
def renal(servers, tmp_path_factory):
    """The folder in which the study of the 380 cases has run by the web API, and what was fetched."""
    site, _ = servers
    folder, n_before = tmp_path_factory.mktemp("renal"), len(site.requests)
    run = run_snakemake(folder, studies=RENAL, config=_by_api(site))
    assert run.returncode == 0, run.stdout + run.stderr
    return folder, [path for path, _, n in site.requests[n_before:] if n]


def _by_api(site):
    return {"source": {"waveforms": f"{site.url}/{API}", "tables": site.url}, **SMALL}


def test_the_study_reaches_its_report_and_fetches_each_file_once(servers, renal):
    _, values = servers
    folder, fetched = renal
    results = folder / "results/vitaldb-renal"
    draws = read_table(results / "cohort/draws.parquet", "draws").to_pylist()
    read = [row for row in draws if row["candidate_population"]]
    assert {row["recording"]: round(row["value"], 1) for row in read} == {
        f"{case:04}.vital": round(value, 1) for case, value in values.items()
    }
    assert sorted(path for path in fetched if path.endswith(".vital")) == sorted(
        f"/{API}/{case}.vital" for case in values
    )
    reasons = {row["reason"] for row in draws if not row["candidate_population"]}
    assert reasons == {"not recording at the time"}
    page = (results / "report.html").read_text()
    assert "Simulated patients" not in page
    assert "This study makes no personal networks" in page
    assert read_json(results / "evaluation/between_patients.json")["draws"] > 0


def test_killed_twice_and_resumed_it_gives_the_same_bytes(servers, renal, tmp_path):
    site, _ = servers
    moments = ("results/*/excerpts/.batch-*.part/*.parquet", "results/*/beats/.batch-*.part/*.parquet")
    run_killed(tmp_path, moments, studies=RENAL, config=_by_api(site))
    found, expected = (contents_of(folder / "results/vitaldb-renal") for folder in (tmp_path, renal[0]))
    # folders of batches may stay after an interruption, as links (docs/running.md)
    assert [name for name in found if "/batch-" not in name and found[name] != expected[name]] == []


def test_physionet_s_copy_gives_the_same_excerpts(servers, renal, tmp_path):
    site, values = servers
    copy = f"{site.url}/{PHYSIONET}"
    config = {"source": {"waveforms": copy, "tables": copy}, **SMALL}
    run = run_snakemake(tmp_path, "all_excerpts", studies=("studies/vitaldb.yaml",), config=config)
    assert run.returncode == 0, run.stdout + run.stderr
    found, expected = (
        {path.name: path.read_bytes() for path in (folder / "results").glob("*/excerpts/*.parquet")}
        for folder in (tmp_path, renal[0])
    )
    assert len(found) == len(values)
    assert found == expected


@pytest.mark.parametrize("name", ["vitaldb", "vitaldb-renal"])
def test_check_says_what_the_tables_will_say(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = read_config(ROOT / "config.yaml", [ROOT / f"studies/{name}.yaml"], ())
    lines = list(check_lines(Study.from_config(config)))
    (unknown,) = (line for line in lines if line.startswith("draws, people, claims and generic network: not known yet"))
    assert unknown.endswith("still to be downloaded: 2 tables of https://physionet-open.s3.amazonaws.com/vitaldb/1.0.0")


@pytest.mark.parametrize("places", [(f"/{API}", ""), (f"/{PHYSIONET}", f"/{PHYSIONET}")])
def test_the_study_is_fetched_before_it_runs(servers, tmp_path, capsys, places):
    site, values = servers
    waveforms, tables = (f"{site.url}{place}" for place in places)
    (tmp_path / "o.yaml").write_text(
        f"results: {tmp_path}/results\nsource: {{waveforms: {waveforms}, tables: {tables}}}\n"
    )
    command = ["fetch", str(ROOT / RENAL[0]), str(tmp_path / "o.yaml")]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in said[:2]] == ["to fetch: 2 tables", f"to fetch: {len(values)} ECG excerpts"]
    n = len(site.requests)
    assert main(command) == 0
    assert len(site.requests) == n
