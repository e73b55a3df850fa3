"""What a run prints: a line a stage, one live line on a terminal, failures in plain words; and what it says last."""

import logging
import os
import pty
import re
import subprocess
from dataclasses import replace

import pytest
import yaml
from snakemake_interface_logger_plugins.common import LogEvent

from kalemia.core.tables import empty_table, table_from_rows, write_json, write_table
from kalemia.evaluation.claims.closing_lines import closing_lines
from run_workflow import ROOT, run_snakemake, snakemake_command
from snakemake_logger_plugin_kalemia import LINES_OF_LOG, STAGES, Progress, describe_failure, describe_job

TINY = ("tests/studies/tiny.yaml",)


def _record(event=None, message="", level=logging.INFO, **fields):
    return logging.makeLogRecord({"levelno": level, "msg": message, "event": event, **fields})


def _job(jobid, rule, **wildcards):
    return _record(LogEvent.JOB_INFO, jobid=jobid, rule_name=rule, wildcards=wildcards)


def _counts(done, total):
    return _record(LogEvent.PROGRESS, done=done, total=total)


def test_a_stage_is_named_when_its_first_job_begins():
    progress = Progress(on_terminal=False)
    (line,) = progress.lines(_job(1, "finetune", arm="forward", subject="p200018", k="1"))
    assert line.endswith(STAGES["finetune"])
    assert progress.lines(_job(2, "finetune", arm="forward", subject="p200018", k="2")) == []
    assert progress.lines(_job(3, "count_rounds")) == []


def test_the_live_line_names_the_patient_and_the_round():
    progress = Progress(on_terminal=True)
    progress.lines(_counts(231, 283))
    progress.lines(_job(1, "finetune", arm="forward", subject="p200018", k="3"))
    assert re.fullmatch(r"  231 of 283 jobs, 0:\d\d: finetune p200018, forward, round 3", progress.live_line())


def test_progress_never_runs_backward_when_more_jobs_are_planned():
    progress = Progress(on_terminal=False)
    progress.lines(_record(LogEvent.RUN_INFO, stats={"cohort": 1, "populations": 1, "total": 10}))
    progress.lines(_job(1, "populations"))
    assert progress.lines(_counts(9, 10)) == []
    progress.lines(_record(LogEvent.JOB_FINISHED, job_id=1))
    said = [line for done in range(10, 101) for line in progress.lines(_counts(done, 100))]
    shares = [int(re.search(r"(\d+)%", line).group(1)) for line in said]
    assert shares == list(range(10, 101, 10))


def test_a_mistake_of_the_user_is_told_in_its_one_line(tmp_path):
    log = tmp_path / "cohort.log"
    log.write_text("2026-11-28 10:00:00 reading\n2026-11-28 10:00:01 error: labs.csv, row 3: no time; write one\n")
    progress = Progress(on_terminal=False)
    failed = {"rule_name": "cohort", "log": [str(log)], "indent": False, "rule_msg": None}
    told = progress.lines(_record(LogEvent.JOB_ERROR, level=logging.ERROR, **failed))
    assert told == ["failed: cohort", "  labs.csv, row 3: no time; write one", f"  its log: {log}"]
    again = _record(LogEvent.ERROR, "CalledProcessError in file rules/cohort.smk", exception="RuleException")
    assert progress.lines(again) == []


def test_an_unexpected_failure_shows_the_end_of_its_log(tmp_path):
    log = tmp_path / "generic.log"
    log.write_text("".join(f"line {i}\n" for i in range(100)))
    assert describe_failure([str(log)])[0] == f"  line {100 - LINES_OF_LOG}"
    assert describe_failure([str(tmp_path / "none.log")]) == ["  it has no log"]


def test_a_group_that_fails_on_a_cluster_is_one_failure_told_by_the_log_that_names_a_mistake(tmp_path):
    split, finetune, slurm = (tmp_path / f"{name}.log" for name in ("split", "finetune", "123"))
    split.write_text("all is well\n")
    finetune.write_text("2026-11-28 10:00:01 error: beats/p200018.parquet: is damaged; delete it\n")
    slurm.write_text("".join(f"line {i}\n" for i in range(100)))
    jobs = [{"rule_name": path.stem, "log": [str(path)]} for path in (split, finetune)]
    group = {"groupid": "rounds_p200018", "job_error_info": jobs, "aux_logs": [str(slurm)]}
    progress = Progress(on_terminal=False)
    told = progress.lines(_record(LogEvent.GROUP_ERROR, level=logging.ERROR, **group))
    assert told == [
        "failed: rounds p200018",
        "  beats/p200018.parquet: is damaged; delete it",
        f"  its log: {finetune}",
    ]
    assert progress.lines(_record(LogEvent.JOB_ERROR, indent=True, rule_name="split", log=[], rule_msg=None)) == []
    assert progress.failed == 1


def test_a_job_that_a_cluster_killed_is_told_with_its_status_and_counts_only_if_it_is_not_tried_again(tmp_path):
    log = tmp_path / "12.log"
    log.write_text("Killed\n")
    said = {"rule_msg": "SLURM status is: 'TIMEOUT'.", "indent": False, "rule_name": "generic", "log": [str(log)]}
    progress = Progress(on_terminal=False)
    told = progress.lines(_record(LogEvent.JOB_ERROR, level=logging.ERROR, **said))
    assert told == ["failed: generic", "  SLURM status is: 'TIMEOUT'.", "  Killed", f"  its log: {log}"]
    assert progress.failed == 1
    (again,) = progress.lines(_record(message="Trying to restart job 12."))
    assert "runs again" in again
    assert progress.failed == 0


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_every_profile_is_quiet(profile):
    settings = yaml.safe_load((ROOT / f"profiles/{profile}/config.yaml").read_text())
    assert settings["logger"] == "kalemia"


def test_errors_of_snakemake_itself_and_warnings_are_shown():
    progress = Progress(on_terminal=False)
    locked = _record(LogEvent.ERROR, "Directory cannot be locked.", logging.ERROR, exception="LockException")
    assert progress.lines(locked) == ["Directory cannot be locked."]
    assert progress.lines(_record(message="the disk is nearly full", level=logging.WARNING)) == [
        "the disk is nearly full"
    ]
    assert progress.lines(_record(message="Removing temporary output x.")) == []


def test_a_job_is_described_by_what_it_is_about():
    assert describe_job("nulls", {"chunk": "shifted-1", "arm": "rolling", "subject": "p000001"}) == (
        "nulls p000001, rolling, shifted-1"
    )
    assert describe_job("study_report", {}) == "study report"


@pytest.mark.workflow
def test_a_run_on_a_terminal_prints_few_lines_and_a_dry_run_what_snakemake_prints(tmp_path):
    command = snakemake_command(tmp_path, "results/cohort/populations.parquet", studies=TINY)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    said = _read_all(ours)
    assert process.wait() == 0, said
    assert said.count("\n") < 40
    assert STAGES["beats_of_batch"] in said
    assert "jobid" not in said
    dry = run_snakemake(tmp_path, "-n", studies=TINY)
    assert "Job stats" in dry.stdout + dry.stderr


def _read_all(terminal: int) -> str:
    read = []
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says so at the end of a terminal's output
            break
        read.append(piece)
        if not piece:
            break
    return b"".join(read).decode()


def test_the_last_lines_name_claims_and_pages(tmp_path, study):
    claims = {"reads": {"claim": "It reads potassium", "state": "shown"}}
    write_json(tmp_path / "evaluation/claims.json", {"arm": "forward", "arms": {"forward": claims}})
    personal = table_from_rows("personal", [{"subject_id": 7, "draw_id": 1}])
    write_table(tmp_path / "cohort/personal.parquet", "personal", personal)
    said = "\n".join(closing_lines(replace(study, results=str(tmp_path))))
    assert "It reads potassium  shown" in said
    assert "simulated patients" in said
    assert f"{tmp_path}/report.html" in said


def test_without_personal_patients_the_last_lines_are_about_the_generic_network(tmp_path, study):
    write_table(tmp_path / "cohort/personal.parquet", "personal", empty_table("personal"))
    claims = {name: {"claim": f"The {name} claim", "state": "open"} for name in ("needs_network", "reads")}
    write_json(tmp_path / "evaluation/between_patients.json", {"claims": claims})
    said = "\n".join(closing_lines(replace(study, results=str(tmp_path))))
    assert "(between patients, simulated patients):" in said
    assert said.index("The reads claim") < said.index("The needs_network claim")
