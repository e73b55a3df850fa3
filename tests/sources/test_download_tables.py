"""Clinical tables from a server that wants a password, and that the password is nowhere afterwards."""

import errno
import gzip
import hashlib
from pathlib import Path

import pytest

from kalemia.core.errors import UserError
from kalemia.sources.remote.download_tables import credentials, download_table
from kalemia.sources.remote.http_files import Web
from mirror import write_tables
from run_workflow import run_snakemake
from web_server import HALF, serving

USER, PASSWORD = "florence", "s3cret-lamp"


@pytest.fixture
def published(tmp_path):
    folder = tmp_path / "published"
    write_tables(folder)
    (folder / "LARGE.csv.gz").write_bytes(bytes(range(256)) * 1000)
    names = sorted(path.name for path in folder.iterdir())
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()} {name}" for name in names]
    (folder / "SHA256SUMS.txt").write_text("\n".join(sums) + "\n")
    return folder


@pytest.fixture
def site(published):
    with serving(published, password=f"{USER}:{PASSWORD}") as site:
        yield site


@pytest.fixture(autouse=True)
def signed_in(monkeypatch, tmp_path):
    monkeypatch.setenv("PHYSIONET_USERNAME", USER)
    monkeypatch.setenv("PHYSIONET_PASSWORD", PASSWORD)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def _download(site, folder, name="LARGE.csv.gz", **settings):
    web = Web(site.url, 3, 0.5, pause_s=0.01, **({"auth": credentials(site.url, "127.0.0.1")} | settings))
    download_table(web, name, folder / "cache", folder / name)
    return (folder / name).read_bytes()


def test_a_table_is_downloaded_and_checked(site, published, tmp_path):
    assert _download(site, tmp_path) == (published / "LARGE.csv.gz").read_bytes()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_table_that_is_published_without_compression_is_compressed(site, published, tmp_path):
    whole = b"row_id,subject_id\n" + b"1,2\n" * 50_000
    (published / "PLAIN.csv").write_bytes(whole)
    with (published / "SHA256SUMS.txt").open("a") as sums:
        sums.write(f"{hashlib.sha256(whole).hexdigest()} PLAIN.csv\n")
    assert gzip.decompress(_download(site, tmp_path, "PLAIN.csv.gz")) == whole
    assert list((tmp_path / "cache").iterdir()) == []


def test_credentials_may_come_from_netrc(site, tmp_path, monkeypatch):
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"PHYSIONET_{name}")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    assert _download(site, tmp_path)


def test_credentials_of_netrc_are_never_sent_unencrypted(site, tmp_path, monkeypatch):
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"PHYSIONET_{name}")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    monkeypatch.setattr("kalemia.sources.remote.http_files._LOOPBACK", ())
    with pytest.raises(UserError, match="access to LARGE"):
        _download(site, tmp_path)


def test_the_default_entry_of_netrc_is_for_no_host(site, tmp_path, monkeypatch):
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"PHYSIONET_{name}")
    (tmp_path / "netrc").write_text(f"default login {USER} password {PASSWORD}\n")
    with pytest.raises(UserError, match="access to LARGE"):
        _download(site, tmp_path)
    assert site.authorizations == {False}


def test_netrc_is_not_asked_about_the_host_of_a_redirect(published, tmp_path):
    (tmp_path / "netrc").write_text(f"machine localhost login {USER} password {PASSWORD}\n")
    with serving(published) as other:
        target = other.url.replace("127.0.0.1", "localhost")
        with serving(published, password=f"{USER}:{PASSWORD}", redirect_to=target) as site:
            assert _download(site, tmp_path)
        assert other.authorizations == {False}


def test_an_interrupted_download_resumes(site, published, tmp_path, monkeypatch):
    monkeypatch.setattr("kalemia.sources.remote.download_tables._PART_BYTES", (50_000, 50_000))
    site.faults["LARGE.csv.gz"], site.forever = [None, None, HALF], True
    with pytest.raises(UserError, match="run again"):
        _download(site, tmp_path)
    site.faults, n = {}, len(site.requests)
    assert _download(site, tmp_path) == (published / "LARGE.csv.gz").read_bytes()
    assert next(asked for _, asked, _ in site.requests[n:] if asked) == "bytes=100000-149999"


def test_a_table_with_a_wrong_checksum_is_refused_and_not_kept(site, published, tmp_path):
    (published / "LARGE.csv.gz").write_bytes(b"something else")
    with pytest.raises(UserError, match="SHA-256 is not the one"):
        _download(site, tmp_path)
    assert not (tmp_path / "LARGE.csv.gz").exists()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wrong_password_is_reported_but_not_shown(site, tmp_path):
    with pytest.raises(UserError, match=r"access to LARGE\.csv\.gz is denied") as caught:
        _download(site, tmp_path, auth=(USER, "wrong-lamp"))
    assert "wrong-lamp" not in str(caught.value)


def test_credentials_are_never_sent_unencrypted():
    with pytest.raises(UserError, match="by https only") as caught:
        credentials("http://physionet.org/files")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://physionet-open.s3.amazonaws.com/mimiciii-demo/1.4",
        "https://example.org/files",
        "https://physionet.org.example.org/files",
        "https://notphysionet.org/files",
        "https://physionet.org@example.org/files",
    ],
)
def test_credentials_are_for_physionet_and_the_host_of_the_setting_alone(url):
    assert credentials(url) is None
    assert credentials(url, "other.example.org") is None
    assert credentials("https://physionet.org/files") == (USER, PASSWORD)
    assert credentials("https://alpha.PhysioNet.org/files") == (USER, PASSWORD)
    assert credentials("https://example.org/files", "Example.org") == (USER, PASSWORD)


def test_credentials_do_not_follow_a_redirect_to_another_host(published, tmp_path):
    """The first server wants the password and sends every request on to another one, which is this machine too."""
    with serving(published) as other:
        target = other.url.replace("127.0.0.1", "localhost")
        with serving(published, password=f"{USER}:{PASSWORD}", redirect_to=target) as site:
            assert _download(site, tmp_path) == (published / "LARGE.csv.gz").read_bytes()
        assert len(site.requests) == len(other.requests) > 1
        assert site.authorizations == {True}
        assert other.authorizations == {False}


def test_a_user_name_without_a_password_is_an_error(monkeypatch):
    monkeypatch.delenv("PHYSIONET_PASSWORD")
    with pytest.raises(UserError, match="set both"):
        credentials("https://physionet.org/files")


def test_a_full_disk_is_one_line_with_the_name_of_the_file(site, tmp_path, monkeypatch):
    real = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_(path, mode="r", *arguments, **settings):
        file = real(path, mode, *arguments, **settings)
        return Full(file) if mode == "ab" else file

    monkeypatch.setattr(Path, "open", open_)
    with pytest.raises(UserError, match=r"LARGE\.csv\.gz\.part: No space left on device; free some space"):
        _download(site, tmp_path)


@pytest.mark.workflow
@pytest.mark.parametrize("password", [PASSWORD, "wr0ng-lamp"])
def test_the_password_is_nowhere_after_a_run(site, tmp_path, monkeypatch, password):
    monkeypatch.setenv("PHYSIONET_PASSWORD", password)
    study = tmp_path / "study"
    study.mkdir()
    source = {"kind": "physionet", "waveforms": site.url, "tables": site.url, "max_attempts": 2}
    source["credentials_host"] = "127.0.0.1"
    target = "results/source/tables/PATIENTS.csv.gz"
    run = run_snakemake(study, target, config={"source": source})
    assert (run.returncode == 0) == (password == PASSWORD) == (study / target).exists()
    said = run.stdout + run.stderr
    files = [path for path in study.rglob("*") if path.is_file()]
    assert [path for path in files if ".snakemake" in path.parts]
    texts = [said.encode(), *(path.read_bytes() for path in files)]
    for secret in (password, USER):
        for form in (secret.encode(), *_encoded(secret)):
            assert not [text for text in texts if form in text]


def _encoded(secret: str) -> list[bytes]:
    import base64

    return [base64.b64encode(f"{USER}:{secret}".encode()).rstrip(b"=")]
