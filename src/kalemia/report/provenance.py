"""What was run: versions, digests, the configuration and the time that each rule took, as the pages print them."""

import csv
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kalemia import __version__
from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.stage_versions import STAGE_VERSIONS
from kalemia.core.tables import file_hash
from kalemia.report.results import RuleTime

PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "pyarrow", "wfdb", "snakemake", "matplotlib")


def versions() -> dict[str, str]:
    """Of Kalemia, Python and the libraries that decide a result."""
    return {"kalemia": __version__, "python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def digests(study: Study) -> dict[str, str]:
    """Of the configuration that each stage, and the personal training of each arm, depends on."""
    return {stage: study.digest(stage) for stage in STAGE_VERSIONS} | {
        f"personal, {arm}": study.arm_digest(arm) for arm in study.arms
    }


def hashes(results: str | Path, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each of the files `names` of the results folder."""
    return {name: file_hash(Path(results) / name) for name in names}


def rule_times(folder: str | Path) -> list[RuleTime]:
    """Sum up results/times, where each job writes a table; the rule that took most time first.

    Tables of an older version, which have other columns, are left out. Raises `UserError` for a damaged one.
    """
    jobs: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(Path(folder).glob("**/*.tsv")):
        try:
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file, delimiter="\t") if "max_rss_mb" in row]
            of_job = [(float(row["s"]), float(row["max_rss_mb"])) for row in rows]
        except (ValueError, TypeError, KeyError, csv.Error):
            raise UserError(f"{path}: cannot be read as the time of a job; delete it and run again") from None
        if of_job:
            jobs.setdefault(path.relative_to(folder).parts[0], []).extend(of_job)
    times = [_rule_time(rule, of_rule) for rule, of_rule in jobs.items()]
    return sorted(times, key=lambda time: (-time.total_s, time.rule))


def _rule_time(rule: str, jobs: list[tuple[float, float]]) -> RuleTime:
    seconds, memory_mb = zip(*jobs, strict=True)
    return RuleTime(rule, len(jobs), sum(seconds), max(seconds), max(memory_mb))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed where this page was made"
