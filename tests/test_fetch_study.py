"""`kalemia fetch`: what it says before the first byte, and that a study needs no network after it."""

import hashlib
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from kalemia.cli import main
from kalemia.core.wording import plural
from mirror import DATABASE, lab_row, write_record, write_tables
from remote_study import write_study
from web_server import HALF, serving

START = datetime(2150, 1, 1)
TABLES = "mimiciii-demo/1.4"
MINUTE = 60 * 125


@pytest.fixture
def server(tmp_path):
    """The files of a server: three people with ten minutes before one draw each, five tables, and sums of all files."""
    root = tmp_path / "server"
    labs = []
    for subject in (10, 11, 12):
        lead = np.random.default_rng(subject).integers(-90, 90, 10 * MINUTE) / 50
        write_record(root, subject, START, 3_000_000 + subject, [({"V": lead, "II": lead}, 50)])
        labs.append(lab_row(subject, subject, START + timedelta(minutes=10), 6.0))
    write_tables(root / TABLES, LABEVENTS=labs)
    for folder in (root / DATABASE, root / TABLES):
        _publish_sums(folder)
    return root


def _publish_sums(folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS.txt")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder)}\n" for path in paths]
    (folder / "SHA256SUMS.txt").write_text("".join(sums))


@pytest.fixture
def site(server):
    with serving(server) as site:
        yield site


def _arguments(site, folder: Path, **source) -> list[str]:
    study = folder / "study.yaml"
    settings = {"kind": "physionet", "waveforms": site.url, "tables": f"{site.url}/{TABLES}", "max_attempts": 2}
    study.write_text(f"study: ours\nresults: {folder}/results\nsource: {settings | source}\n".replace("'", '"'))
    return ["fetch", str(study)]


def _contents(site) -> list[str]:
    return [path for path, _, n in site.requests if n and not path.endswith("SHA256SUMS.txt")]


def test_a_dry_run_says_what_would_come_from_where_and_fetches_nothing(site, tmp_path, capsys):
    assert main([*_arguments(site, tmp_path), "--dry-run"]) == 0
    said, whom = (text.splitlines() for text in capsys.readouterr())
    assert whom == [f"asking {site.url}/{TABLES}", f"asking {site.url}/{DATABASE}"]
    assert said[0] == f"to fetch: 5 tables, 0.1 MB, from {site.url}/{TABLES} (Open Database License 1.0)"
    assert said[1].startswith(f"to fetch: 1 list of recordings, 0.1 MB, from {site.url}/{DATABASE} (Open")
    assert said[2].endswith("how much is known when the above is fetched")
    assert _contents(site) == []


def test_every_kind_is_announced_before_it_is_fetched_and_the_rest_of_the_plan_follows(site, tmp_path, capsys):
    arguments = _arguments(site, tmp_path)
    assert main(arguments) == 0
    nouns = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()]
    assert nouns[:4] == [
        f"to fetch: {what}" for what in ("5 tables", "1 list of recordings", "3 headers", "3 ECG excerpts")
    ]
    fetched = [Path(path).suffix for path in _contents(site)]
    assert fetched.count(".dat") == 3
    assert len(fetched) == len(set(_contents(site)))
    n = len(site.requests)
    assert main(arguments) == 0
    assert capsys.readouterr() == (
        "study ours: everything that could be fetched is here, and its jobs need no network\n",
        "",
    )
    assert len(site.requests) == n


def test_the_bytes_of_the_ecg_are_those_that_were_announced(site, tmp_path, capsys):
    main(_arguments(site, tmp_path))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "ECG excerpts" in line]
    assert site.body_bytes(".dat") == 3 * 10 * MINUTE * 2  # ten minutes of two leads of a byte
    assert "0.5 MB" in line


def test_a_fetched_study_needs_no_server(server, site, tmp_path, study):
    from kalemia.core.config_files import read_study
    from kalemia.sources.physionet import PhysioNet
    from kalemia.sources.registry import describe_source

    arguments = _arguments(site, tmp_path)
    assert main(arguments) == 0
    n = len(site.requests)
    write_study(describe_source(read_study(ROOT / "config.yaml", arguments[1:])).open(), tmp_path / "fetched")
    assert len(site.requests) == n
    write_study(PhysioNet(server, server / TABLES), tmp_path / "direct")
    for path in (tmp_path / "direct").iterdir():
        assert (tmp_path / "fetched" / path.name).read_bytes() == path.read_bytes()


def test_what_is_wanted_of_a_study_on_this_machine_is_nothing(tmp_path, capsys):
    assert main(["fetch", "--config", f"results={tmp_path}"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out


_LAYOUTS = {
    "physionet": ("mimic3wdb-matched/1.0/RECORDS-waveforms", "LABEVENTS.csv.gz"),
    "mimic4": ("record_list.csv", "hosp/labevents.csv.gz"),
    "vitaldb": ("vital_files/0003.vital", "clinical_data.csv"),
    "local": ("recordings.csv", "potassium.csv"),
}


@pytest.mark.parametrize("kind", _LAYOUTS)
def test_a_folder_without_the_layout_of_the_study_is_refused_file_by_file(tmp_path, capsys, kind):
    places = {"kind": kind, "waveforms": f"{tmp_path}/w", "tables": f"{tmp_path}/t"}
    (tmp_path / "w").mkdir()
    (tmp_path / "t").mkdir()
    command = ["fetch", "--dry-run", "--config", f"results={tmp_path}/r", f"source={places}"]
    assert main(command) == 1
    said, error = capsys.readouterr()
    for name in _LAYOUTS[kind]:
        (line,) = [line for line in said.splitlines() if name in line]
        assert str(tmp_path) in line
    n = len(said.splitlines())
    assert error == f"kalemia: study small: {plural(n, 'needed file')} missing on this machine\n"


def test_a_folder_is_looked_at_also_if_the_rest_is_fetched(site, tmp_path, capsys):
    (tmp_path / "w").mkdir()
    assert main([*_arguments(site, tmp_path, waveforms=f"{tmp_path}/w"), "--dry-run"]) == 1
    assert capsys.readouterr().out == f"source.waveforms: {tmp_path}/w/{DATABASE}/RECORDS-waveforms does not exist\n"
    assert site.requests == []


@pytest.mark.parametrize("option", [["--dry-run"], []])
def test_where_no_server_can_be_reached_a_command_says_so_at_once(server, tmp_path, capsys, option):
    with serving(server) as site:
        pass
    began_s = time.monotonic()
    assert main([*_arguments(site, tmp_path, max_attempts=6), *option]) == 1
    assert time.monotonic() - began_s < 2  # the pauses between six attempts are 31 s and more
    said, error = capsys.readouterr()
    asking, failure = error.splitlines()
    assert (said, asking) == ("", f"asking {site.url}/{TABLES}")
    assert failure.startswith(
        f"kalemia: {site.url}/{TABLES} does not answer (ConnectionError); is this machine online?"
    )


@pytest.mark.parametrize("name", ["RECORDS-waveforms", f"../../{TABLES}/LABEVENTS.csv.gz"])
def test_a_list_or_table_with_another_sum_is_refused_and_not_kept(server, site, tmp_path, capsys, name):
    path = (server / DATABASE / name).resolve()
    path.write_bytes(path.read_bytes() + b"\n")
    assert main(_arguments(site, tmp_path)) == 1
    assert f"{path.name}: its SHA-256 is not the one in SHA256SUMS.txt; run again" in capsys.readouterr().err
    assert not list((tmp_path / "results").rglob(f"{path.name}*"))


def test_a_header_or_a_whole_sample_file_with_another_sum_is_lost_and_named(server, site, tmp_path, capsys):
    header = next((server / DATABASE).rglob("p000010-*.hea"))
    header.write_text(header.read_text() + "# by somebody else\n")
    (samples,) = (server / DATABASE).rglob("3000011_*.dat")
    samples.write_bytes(samples.read_bytes()[::-1])
    assert main(_arguments(site, tmp_path)) == 0
    said = capsys.readouterr().out
    assert "cannot be read: 1 excerpt: checksum" in said
    assert "2 ECG excerpts" in said


def test_an_interrupted_fetch_says_in_one_line_how_to_go_on_and_goes_on(site, tmp_path, capsys):
    site.delay_s = 0.2
    command = [sys.executable, "-c", "from kalemia.cli import main; main()", *_arguments(site, tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while sum(path.endswith(".csv.gz") for path in _contents(site)) < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.splitlines()[-1] == "kalemia: stopped; what is fetched is kept, and the same command goes on"
    kept = [path.name for path in (tmp_path / "results/source/tables").glob("*.csv.gz")]
    before, site.delay_s = len(site.requests), 0.0
    assert main(_arguments(site, tmp_path)) == 0
    assert f"to fetch: {plural(5 - len(kept), 'table')}," in capsys.readouterr().out
    assert kept
    assert not any(path.endswith(tuple(kept)) for path, _, _ in site.requests[before:])


def test_a_server_that_fails_ends_the_command_in_one_line(site, tmp_path, capsys):
    site.faults["LABEVENTS.csv.gz"], site.forever = [HALF], True
    assert main(_arguments(site, tmp_path)) == 1
    assert capsys.readouterr().err.endswith("run again: downloaded parts are kept\n")
