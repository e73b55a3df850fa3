"""Say before the first byte how many files and bytes come from where, and under which license."""

import logging
import sys
from urllib.parse import urlsplit

from kalemia.core.jobs import is_job
from kalemia.core.wording import plural

log = logging.getLogger(__name__)

_OPEN, _CREDENTIALED = "Open Database License 1.0", "PhysioNet Credentialed Health Data License"
_LICENSES = {  # by the folder of a database in the URLs of its files, or by their host
    "mimic3wdb-matched": _OPEN,
    "mimiciii-demo": _OPEN,
    "mimic-iv-demo": _OPEN,
    "mimic-iv-ecg-demo": _OPEN,
    "mimic-iv-ecg": _OPEN,
    "mimiciii": _CREDENTIALED,
    "mimiciv": _CREDENTIALED,
    "vitaldb": "CC BY 4.0",
    "api.vitaldb.net": "CC BY 4.0",
}


def license_of(url: str) -> str:
    """The license of the database at a URL, in words.

    >>> license_of("https://physionet.org/files/mimiciii-demo/1.4")
    'Open Database License 1.0'
    """
    parts = [urlsplit(url).hostname, *urlsplit(url).path.split("/")]
    return next((_LICENSES[part] for part in parts if part in _LICENSES), "for its license see LICENSE.txt there")


def announce_fetch(noun: str, n_files: int, n_bytes: int | None, url: str, *, is_about: bool = False) -> None:
    """Print for example ``to fetch: 9 tables, 15.2 MB, from https://... (Open Database License 1.0)``.

    n_bytes: None if the server does not say.
    """
    known = "" if n_bytes is None else f"{'about ' * is_about}{max(n_bytes, 1e5) / 1e6:,.1f} MB"
    size = known or "of a size that the server does not say"
    line = f"to fetch: {plural(n_files, noun)}, {size}, from {url} ({license_of(url)})"
    log.info(line)
    print(line, file=sys.stderr if is_job() else sys.stdout, flush=True)
