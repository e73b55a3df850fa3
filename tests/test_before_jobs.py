"""What a run refuses before its first job."""

import dataclasses
import shutil

import pytest

from conftest import ROOT
from kalemia.before_jobs import check_before_jobs, check_credentials, check_disk
from kalemia.core.config_files import read_study
from kalemia.core.errors import UserError


@pytest.fixture
def mimic3(tmp_path, monkeypatch):
    """The paper's study, of which nothing is there yet, for a user without credentials."""
    monkeypatch.delenv("PHYSIONET_USERNAME", raising=False)
    monkeypatch.delenv("PHYSIONET_PASSWORD", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    study = read_study(ROOT / "config.yaml", [ROOT / "studies/mimic3.yaml"])
    return dataclasses.replace(study, results=str(tmp_path / "results"))


def _free(monkeypatch, n_bytes):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(n_bytes, 0, n_bytes))


def test_tables_for_credentialed_users_need_credentials(mimic3, monkeypatch):
    with pytest.raises(UserError, match="is for credentialed users; set PHYSIONET_USERNAME and PHYSIONET_PASSWORD"):
        check_before_jobs(mimic3)
    monkeypatch.setenv("PHYSIONET_USERNAME", "somebody")
    monkeypatch.setenv("PHYSIONET_PASSWORD", "secret")
    check_credentials(mimic3)


def test_open_tables_and_folders_need_none(mimic3, study):
    url = "https://physionet.org/files/mimiciii-demo/1.4"
    check_credentials(dataclasses.replace(mimic3, source=dataclasses.replace(mimic3.source, tables=url)))
    check_credentials(study)


def test_a_disk_that_the_study_would_fill_is_refused(mimic3, monkeypatch):
    _free(monkeypatch, 5e9)
    with pytest.raises(UserError, match=r"takes about 1\d\.\d GB more and 5\.0 GB are free; set `results`"):
        check_disk(mimic3)
    _free(monkeypatch, 50e9)
    check_disk(mimic3)


def test_what_is_written_already_needs_no_more_room(study, tmp_path, monkeypatch):
    study = dataclasses.replace(study, results=str(tmp_path))
    _free(monkeypatch, 10e6)
    with pytest.raises(UserError, match="set `results`"):
        check_disk(study)
    with open(tmp_path / "source", "wb") as file:
        file.truncate(int(1e9))
    check_disk(study)
