"""A whole study from a server that wants a password for its tables, down to the report."""

import hashlib

import pytest

from kalemia.core.tables import read_json, read_table
from run_workflow import run_snakemake
from web_server import serving

pytestmark = pytest.mark.workflow
TINY = ("tests/studies/tiny.yaml",)
USER, PASSWORD = "florence", "s3cret-lamp"


def _run(folder, *arguments, config=None):
    folder.mkdir(exist_ok=True)
    return run_snakemake(folder, *arguments, studies=TINY, config=config)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The tiny study's simulated cohort as a server's files, and the excerpts that are read from it directly."""
    folder = tmp_path_factory.mktemp("published")
    run = _run(folder, "results/cohort/draws.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    tables = folder / "results/source/mimiciii/1.4"
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(tables.glob("*.gz"))]
    (tables / "SHA256SUMS.txt").write_text("\n".join(sums) + "\n")
    return folder / "results"


@pytest.fixture(scope="module")
def finished(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    with pytest.MonkeyPatch.context() as environment, serving(published / "source") as site:
        site.password_of = "/mimiciii/"
        site.password = f"{USER}:{PASSWORD}"
        environment.setenv("PHYSIONET_USERNAME", USER)
        environment.setenv("PHYSIONET_PASSWORD", PASSWORD)
        source = {"kind": "physionet", "waveforms": site.url, "tables": f"{site.url}/mimiciii/1.4"}
        source["credentials_host"] = "127.0.0.1"
        run = _run(folder, config={"source": source})
        assert run.returncode == 0, run.stdout + run.stderr
        yield folder, run, site


def test_the_draws_are_those_of_the_files_themselves(finished, published):
    def draws(results):
        return read_table(results / "cohort/draws.parquet", "draws").to_pylist()

    folder, _, _ = finished
    assert draws(folder / "results") == draws(published)


def test_the_password_is_nowhere(finished):
    folder, run, _ = finished
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "results/report.html" in files
    assert [path for path in files if ".snakemake" in path.parts]
    said = (run.stdout + run.stderr).encode()
    assert not [secret for secret in (USER, PASSWORD) if secret.encode() in said]
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in (USER, PASSWORD) if secret.encode() in content], path


def test_progress_is_visible(finished):
    _, run, _ = finished
    lines = [line for line in run.stderr.splitlines() if line.startswith("excerpts: ")]
    assert lines
    assert all("MB fetched" in line for line in lines)


def test_the_flow_counts_what_the_ledger_lists(finished):
    folder, _, _ = finished
    ledger = read_table(folder / "results/cohort/ledger.parquet", "ledger").to_pylist()
    steps = read_json(folder / "results/cohort/flow.json")["steps"]
    for step in steps[:7]:
        for reason, count in step["reasons"].items():
            assert sum(row["reason"] == reason and row["draw_id"] is not None for row in ledger) == count["draws"]


def test_deleted_excerpts_are_made_again_without_the_server(finished):
    folder, _, site = finished
    path = next(iter(sorted((folder / "results/excerpts").glob("*.parquet"))))
    before, n = path.read_bytes(), len(site.requests)
    path.unlink()
    source = {"kind": "physionet", "waveforms": site.url, "tables": f"{site.url}/mimiciii/1.4"}
    run = _run(folder, str(path.relative_to(folder)), config={"source": source})
    assert run.returncode == 0, run.stdout + run.stderr
    assert path.read_bytes() == before
    assert len(site.requests) == n
