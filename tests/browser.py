"""A headless Chromium, driven by the WebDriver protocol: JSON over HTTP, for which a page of code is enough."""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

MISSING = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
_STARTED_WITHIN_S = 60
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-device-scale-factor=1")


class Browser:
    """One session; everything is asked of the page that was opened last."""

    def __init__(self, session_url: str):
        self._url = session_url

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a file in a window of CSS pixels, as somebody sees it who likes it light or dark."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", {"features": [scheme]})
        window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", window)
        self.console(), self.requested()  # what earlier pages said
        self._post("url", {"url": path.absolute().as_uri()})

    def run(self, script: str, *arguments):
        """What a function body returns; a promise is waited for."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other; special ones by their WebDriver code points."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def allow_downloads(self, folder: Path) -> None:
        """Save to `folder`, without a question."""
        self._devtools("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})

    def console(self) -> list[str]:
        """Warnings and errors since the last call."""
        return [entry["message"] for entry in self._post("se/log", {"type": "browser"})]

    def requested(self) -> list[str]:
        """URLs asked for since the last call, but for what lies within the page itself (data: and blob:)."""
        entries = [json.loads(entry["message"])["message"] for entry in self._post("se/log", {"type": "performance"})]
        sent = [
            entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in sent if not url.startswith(("data:", "blob:"))]

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        path.write_bytes(base64.b64decode(self._get("screenshot")))

    def _devtools(self, command: str, parameters: dict):
        return self._post("goog/cdp/execute", {"cmd": command, "params": parameters})

    def _post(self, what: str, body: dict):
        return _value(requests.post(f"{self._url}/{what}", json=body, timeout=120))

    def _get(self, what: str):
        return _value(requests.get(f"{self._url}/{what}", timeout=120))


@contextmanager
def headless_browser() -> Iterator[Browser]:
    """Start Chromium with its driver, and stop both."""
    port = _free_port()
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            server = f"http://127.0.0.1:{port}"
            _wait_for(server)
            options = {
                "goog:chromeOptions": {
                    "binary": shutil.which("chromium"),
                    "args": [*_FLAGS, f"--user-data-dir={profile}"],
                },
                "goog:loggingPrefs": {"browser": "WARNING", "performance": "ALL"},
            }
            asked = requests.post(f"{server}/session", json={"capabilities": {"alwaysMatch": options}}, timeout=120)
            session = f"{server}/session/{_value(asked)['sessionId']}"
            yield Browser(session)
            requests.delete(session, timeout=60)
    finally:
        driver.terminate()
        driver.wait()


def _value(response: requests.Response):
    value = response.json()["value"]
    if not response.ok:
        raise RuntimeError(f"{value['error']}: {value['message']}")
    return value


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(server: str) -> None:
    until = time.monotonic() + _STARTED_WITHIN_S
    while True:
        try:
            if _value(requests.get(f"{server}/status", timeout=5))["ready"]:
                return
        except requests.ConnectionError:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)
