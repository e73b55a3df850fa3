"""Running the workflow from tests, in a folder of its own."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def run_snakemake(folder: Path, *arguments: str, studies: tuple[str, ...] = (), config: dict | None = None):
    """Run Snakemake in `folder` on the default configuration with overlays; returns the finished process."""
    overlays = [ROOT / "config.yaml", *(ROOT / study for study in studies)]
    if config is not None:
        (folder / "overlay.yaml").write_text(yaml.safe_dump(config))
        overlays.append(folder / "overlay.yaml")
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--workflow-profile", ROOT / "profiles/default", "--cores", "2", "--configfile", *overlays]
    command += ["--", *arguments] if arguments and not arguments[0].startswith("-") else arguments
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1200, check=False)


def without_times(page: bytes) -> bytes:
    """A report less the table of what each rule took, which is the one part that two runs do not have in common."""
    without, n = re.subn(rb'aria-label="[^"]*Time by rule.*?</table>', b"", page, flags=re.DOTALL)
    assert n == 1
    return without
