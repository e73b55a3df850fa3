"""What is checked before the first job of a run: credentials for the tables, and free disk."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.run_plan import disk_mb, size_text
from kalemia.sources.registry import describe_source
from kalemia.sources.remote.download_tables import credentials, may_have_credentials

_CREDENTIALED = ("mimiciii", "mimiciv")  # databases of PhysioNet that only credentialed users may read


def check_before_jobs(study: Study) -> None:
    """Raise `UserError`, in one line, if the first jobs would fail for want of credentials, or later ones of disk."""
    check_credentials(study)
    check_disk(study)


def check_credentials(study: Study) -> None:
    """Raise `UserError` if tables that need credentials are still to be downloaded and there are none."""
    from kalemia.sources.remote.http_files import netrc_credentials

    source, url = describe_source(study), study.source.tables
    if not source.downloads_tables or all(Path(table).is_file() for table in source.cohort_tables()):
        return
    if is_credentialed(url) and not credentials(url, study.source.credentials_host) and not netrc_credentials(url):
        raise UserError(
            f"config: source.tables: {url} is for credentialed users; set PHYSIONET_USERNAME and PHYSIONET_PASSWORD,"
            " or add a line to ~/.netrc (docs/mimic3.md)"
        )


def is_credentialed(url: str) -> bool:
    """Whether a URL is of a database that only credentialed users may read."""
    return may_have_credentials(url, None) and not set(_CREDENTIALED).isdisjoint(urlsplit(url).path.split("/"))


def check_disk(study: Study) -> None:
    """Raise `UserError` if what is still to be written would not fit on the disk."""
    folder = Path(study.results).absolute()
    free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free / 1e6
    needed = disk_mb(study)
    if free < needed:
        needed -= sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    if free < needed:
        raise UserError(
            f"{study.results}: the study takes about {size_text(needed)} more and {size_text(free)} are free;"
            " set `results` to a folder with more"
        )
