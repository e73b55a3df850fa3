"""Running the workflow from tests, in a folder of its own."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def run_snakemake(folder: Path, *arguments: str, studies: tuple[str, ...] = (), config: dict | None = None):
    """Run Snakemake in `folder` on the default configuration with overlays; returns the finished process."""
    command = snakemake_command(folder, *arguments, studies=studies, config=config)
    return subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)


def snakemake_command(folder: Path, *arguments: str, studies: tuple[str, ...] = (), config: dict | None = None):
    overlays = [ROOT / "config.yaml", *(ROOT / study for study in studies)]
    if config is not None:
        (folder / "overlay.yaml").write_text(yaml.safe_dump(config))
        overlays.append(folder / "overlay.yaml")
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--workflow-profile", ROOT / "profiles/default", "--cores", "2", "--configfile", *overlays]
    command += ["--", *arguments] if arguments and not arguments[0].startswith("-") else arguments
    return list(map(str, command))


_NOT_COMPARED = ("logs/", "times/", "generic/history.parquet", "source/cache/tally")  # which tell when and how long


def contents_of(results: Path) -> dict[str, bytes]:
    """Every file that two runs of one study have in common, less the times that pages print."""
    paths = {str(path.relative_to(results)): path for path in results.rglob("*") if path.is_file()}
    contents = {name: path.read_bytes() for name, path in paths.items() if not name.startswith(_NOT_COMPARED)}
    if "report.html" in contents:
        contents["report.html"] = without_times(contents["report.html"])
    if "cohort/claims.json" in contents:
        changing = rb'"(time|kalemia\.checksum)": "[^"]*"'
        contents["cohort/claims.json"] = re.sub(changing, b"", contents["cohort/claims.json"])
    return contents


def without_times(page: bytes) -> bytes:
    """A report less the table of what each rule took and the time of registration, in which two runs differ."""
    for changing in (rb'aria-label="[^"]*Time by rule.*?</table>', rb"Registered at [^,]*,"):
        page, n = re.subn(changing, b"", page, flags=re.DOTALL)
        assert n == 1, changing
    return page


def one_line(run, where: str) -> str:
    assert run.returncode != 0
    said = run.stdout + run.stderr
    assert "Traceback" not in said
    (line,) = {
        line.removeprefix("kalemia: ") for line in said.splitlines() if line.startswith(("kalemia: ", "config: "))
    }
    assert where in line
    return line
