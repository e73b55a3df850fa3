import csv
import errno
import logging
import os
import time
from pathlib import Path

import pytest

from kalemia.core.errors import UserError
from kalemia.core.jobs import error_context, job_log


def test_a_user_error_is_one_line_and_exit_status_1(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, job_log(tmp_path / "logs/a.log", "cohort"):
        raise UserError("cohort: nobody is there")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "kalemia: cohort: nobody is there\n"
    text = (tmp_path / "logs/a.log").read_text()
    assert text.endswith("error: cohort: nobody is there\n")
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "", "/data/x"), "/data/x: No space left on device; free some space there"),
        (PermissionError(errno.EACCES, "", "/data/x"), "/data/x: Permission denied; give yourself permission"),
        (OSError(errno.EROFS, "", "/data/x"), "/data/x: Read-only file system; choose another folder"),
        (OSError(errno.EMFILE, ""), "a file: Too many open files; raise the limit on open files (ulimit -n)"),
        (MemoryError(), "out of memory; give the job more"),
        (ImportError("libx.so: failed to map segment from shared object"), "out of memory; give the job more"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "out of memory; give the job more"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory; give the job more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_of_the_machine_is_one_line_that_says_what_to_do(tmp_path, capsys, error, line):
    with pytest.raises(SystemExit), job_log(tmp_path / "logs/a.log", "beats"):
        raise error
    assert capsys.readouterr().err.startswith(f"kalemia: {line}")
    assert "Traceback" not in (tmp_path / "logs/a.log").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_log_on_a_full_disk_does_not_hide_the_error(tmp_path, capsys):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.log").symlink_to("/dev/full")
    with pytest.raises(SystemExit), job_log(tmp_path / "logs/a.log", "cohort"):
        raise UserError("cohort: nobody is there")
    assert capsys.readouterr().err == "kalemia: cohort: nobody is there\n"


def test_a_log_that_may_not_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(SystemExit), job_log(tmp_path / "logs/a.log", "cohort"):
        pass
    assert "logs" in capsys.readouterr().err


def test_an_unexpected_error_keeps_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "logs/a.log", "beats"):
        raise ZeroDivisionError
    assert "Traceback" in (tmp_path / "logs/a.log").read_text()


def test_messages_of_the_package_are_logged(tmp_path):
    with job_log(tmp_path / "logs/a.log", "beats"):
        logging.getLogger("kalemia.beats.segment_beats").info("200 beats")
    assert (tmp_path / "logs/a.log").read_text().endswith(" 200 beats\n")


def test_an_unexpected_error_names_the_subject(tmp_path):
    with pytest.raises(RuntimeError), job_log(str(tmp_path / "logs/a.log"), "beats"), error_context("p000017"):
        raise RuntimeError("odd")
    assert "p000017" in (tmp_path / "logs/a.log").read_text()


def test_a_finished_job_leaves_its_time_and_memory_below_its_rule(tmp_path):
    with job_log(tmp_path / "logs/personal/paper/p000017/round-1.log", "finetune"):
        end_s = time.process_time() + 0.2
        while time.process_time() < end_s:
            pass
    (path,) = (tmp_path / "times").rglob("*.tsv")
    assert path == tmp_path / "times/finetune/personal/paper/p000017/round-1.tsv"
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert 0.2 <= float(row["s"]) < 60
    assert float(row["cpu_s"]) >= 0.2
    assert 20 < float(row["max_rss_mb"]) < 20_000


def test_a_failed_job_leaves_no_time(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "logs/a.log", "beats"):
        raise ZeroDivisionError
    assert not (tmp_path / "times").exists()


def test_a_message_is_one_line_of_bounded_length_whatever_it_quotes():
    message = str(UserError("/data/a.csv: line 3: " + "9\n" * 5000 + "; write a number"))
    assert "\n" not in message
    assert len(message) < 950
    assert message.startswith("/data/a.csv: line 3: 9 9")
    assert message.endswith("; write a number")
