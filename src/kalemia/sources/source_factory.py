"""The source that a study's configuration names."""

from pathlib import Path

from kalemia.core import config
from kalemia.sources import Source
from kalemia.sources.physionet import DATABASE, RECORDINGS, PhysioNet
from kalemia.sources.user_recordings import Own


def open_source(settings: config.Source, waveforms: str, tables: str, cache: str | Path) -> Source:
    """Ready to be asked; a remote one is not contacted yet.

    waveforms: folder or base URL; tables: folder; cache: where what comes from a URL is kept.
    """
    if settings.kind == "own":
        return Own(waveforms, tables)
    if not config.is_url(waveforms):
        return PhysioNet(waveforms, tables)
    from kalemia.sources.http_files import Web
    from kalemia.sources.mirrors import Remote

    url = f"{waveforms.rstrip('/')}/{DATABASE}"
    web = Web(url, settings.attempts, settings.timeout_s, settings.connections, landmark=RECORDINGS)
    return PhysioNet(Remote(web, Path(cache) / DATABASE), tables, settings.connections)
