"""Snakemake's log for people: a line per stage, one live line of progress on a terminal, and failures in plain words.

Snakemake finds this package by its name; the profiles choose it (`logger: kalemia`). The complete log is in
`.snakemake/log`. A dry run, `--verbose` and `--debug-dag` are shown as Snakemake shows them.
"""

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from snakemake.logging import DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

STAGES = {
    "simulate": "simulate a cohort",
    "table": "fetch clinical tables",
    "cohort": "choose draws and match them with recordings",
    "excerpts_of_batch": "read the ECG before each draw",
    "beats_of_batch": "cut the ECG into beats",
    "review_page": "make the review page",
    "populations": "divide people into generic and personal patients",
    "generic": "train the generic network",
    "finetune": "train personal networks, round by round",
    "nulls": "train negative controls",
    "strangers": "test each network on other patients",
    "explanation": "explain the networks",
    "evaluation": "test the claims",
    "patient_report": "write the patients' pages",
    "study_report": "write the report",
}
LAST_CHECKPOINT = "populations"  # before it is done, nobody knows how many jobs there will be
LINES_OF_LOG = 15  # of a job that failed without a message for the user
# what Snakemake says of a failed job beside its JOB_ERROR
_SAID_OF_JOBS = ("RuleException", "CalledProcessError", "SpawnedJobError")
_SAID_AT_THE_END = "Exiting because a job execution failed"
_NOTHING_TO_DO = "Nothing to be done"
_AGAIN = "Trying to restart job"
_MISTAKE = " error: "  # stands before a mistake that the user can mend (core/jobs.py)


class LogHandler(LogHandlerBase):
    """Prints what `Progress` makes of each record, to standard error (standard output with `--stdout`)."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        self.stream = sys.stdout if settings.stdout else sys.stderr
        self.as_snakemake = bool(settings.dryrun or settings.verbose or settings.debug_dag)
        if self.as_snakemake:
            quiet = settings.quiet or set()
            self.setFormatter(DefaultFormatter(quiet, settings.show_failed_logs))
            self.addFilter(
                DefaultFilter(quiet, settings.debug_dag, settings.verbose, settings.dryrun, settings.printshellcmds)
            )
        self.progress = Progress(on_terminal=self.stream.isatty())

    def emit(self, record: logging.LogRecord) -> None:
        """Print the lines of a record, and on a terminal the live line again below them."""
        try:
            lines = [self.format(record)] if self.as_snakemake else self.progress.lines(record)
            live = "" if self.as_snakemake else self.progress.live_line()
            live += "\r" * bool(live)  # what a job prints itself takes its place
            wipe = "\r\x1b[2K" if self.progress.on_terminal and not self.as_snakemake else ""
            self.stream.write(wipe + "".join(f"{line}\n" for line in lines) + live)
            self.stream.flush()
        except Exception:  # a fault of the log must not end a study: Python prints it, and the run goes on
            self.handleError(record)

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False


class Progress:
    """How far a run is, as its log tells it: a live line on a terminal, elsewhere a line each tenth of the jobs."""

    def __init__(self, on_terminal: bool) -> None:
        self.on_terminal = on_terminal
        self.started_s = time.monotonic()
        self.job = ""  # the job started last
        self.rule_of_job: dict[int, str] = {}
        self.begun: set[str] = set()
        self.done = self.total = self.failed = 0
        self.is_open = False  # more jobs will be planned
        self.tenths = 0

    def lines(self, record: logging.LogRecord) -> list[str]:
        """What to print of a record."""
        of_event = {
            LogEvent.RUN_INFO: self._run_info,
            LogEvent.JOB_INFO: self._job_info,
            LogEvent.JOB_FINISHED: self._job_finished,
            LogEvent.JOB_ERROR: self._job_error,
            LogEvent.GROUP_ERROR: self._group_error,
            LogEvent.PROGRESS: self._job_counts,
            LogEvent.ERROR: self._error,
        }
        event = getattr(record, "event", None)
        if event in of_event:
            return of_event[event](record)
        said = record.getMessage().strip()
        is_warning = record.levelno >= logging.WARNING and not said.startswith(_SAID_AT_THE_END)
        if event is None and (is_warning or _NOTHING_TO_DO in said):
            return [said]
        if said.startswith(_AGAIN):
            self.failed -= 1
            return ["  it runs again, with more memory and time"]
        return []

    def live_line(self) -> str:
        """Jobs done, time, and the job started last, in one line; empty without a job or a terminal."""
        if not self.on_terminal or not self.job or self.done == self.total:
            return ""
        of_total = "" if self.is_open else f" of {self.total}"
        jobs = _jobs(self.done if self.is_open else self.total)
        return f"  {self.done}{of_total} {jobs}, {self._elapsed()}: {self.job}"[:78]

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.started_s), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def _run_info(self, record: logging.LogRecord) -> list[str]:
        self.is_open = LAST_CHECKPOINT in record.stats
        self.total = record.stats["total"]
        return []

    def _job_info(self, record: logging.LogRecord) -> list[str]:
        rule = record.rule_name
        self.rule_of_job[record.jobid] = rule
        self.job = describe_job(rule, dict(record.wildcards or {}))
        if rule in self.begun or rule not in STAGES:
            return []
        self.begun.add(rule)
        return [f"{self._elapsed():>7}  {STAGES[rule]}"]

    def _job_finished(self, record: logging.LogRecord) -> list[str]:
        if self.rule_of_job.get(record.job_id) == LAST_CHECKPOINT:
            self.is_open = False
        return []

    def _job_counts(self, record: logging.LogRecord) -> list[str]:
        self.done, self.total = record.done, record.total
        tenths = 10 * self.done // self.total
        if self.on_terminal or self.is_open or tenths <= self.tenths:
            return []
        self.tenths = tenths
        return [f"{self._elapsed():>7}  {10 * tenths}%: {self.done} of {self.total} {_jobs(self.total)}"]

    def _job_error(self, record: logging.LogRecord) -> list[str]:
        if record.indent:  # a job of a group, of which `_group_error` tells
            return []
        self.failed += 1
        status = [f"  {record.rule_msg}"] if record.rule_msg else []  # what a cluster says of it
        return [f"failed: {describe_job(record.rule_name, {})}", *status, *describe_failure(record.log)]

    def _group_error(self, record: logging.LogRecord) -> list[str]:
        self.failed += 1
        logs = [path for job in record.job_error_info for path in job["log"]]
        return [f"failed: {record.groupid.replace('_', ' ')}", *describe_failure([*logs, *record.aux_logs])]

    def _error(self, record: logging.LogRecord) -> list[str]:
        if record.exception in _SAID_OF_JOBS:
            return []
        if not self.failed or record.exception != "WorkflowError":
            return [record.getMessage().strip()]
        kept = "finished files are kept: fix the problem above and run the same command again"
        return [f"{self.failed} of {self.total} {_jobs(self.total)} failed; {kept}"]


def _jobs(n: int) -> str:
    return "job" if n == 1 else "jobs"


def describe_job(rule: str, wildcards: dict[str, str]) -> str:
    """A job in words, for example "finetune p200018, forward, round 3"."""
    order = [wildcards.get(name) for name in ("subject", "arm", "chunk", "table")]
    parts = [part for part in order if part] + ([f"round {wildcards['k']}"] if "k" in wildcards else [])
    return " ".join([rule.replace("_", " "), ", ".join(parts)]).strip()


def describe_failure(paths: Sequence[str]) -> list[str]:
    """Why a job failed, by its logs: the line of a mistake of the user, else the end of the last log; and its path."""
    lines_of_log = {path: Path(path).read_text(errors="replace").splitlines() for path in paths if Path(path).is_file()}
    if not lines_of_log:
        return ["  it has no log"]
    for path, lines in lines_of_log.items():
        mistakes = [line for line in lines if _MISTAKE in line]
        if mistakes:
            return [f"  {mistakes[-1].partition(_MISTAKE)[2]}", f"  its log: {path}"]
    path, lines = lines_of_log.popitem()
    return [*(f"  {line}" for line in lines[-LINES_OF_LOG:]), f"  its log: {path}"]
