import logging

import pytest

from kalemia.core.errors import UserError
from kalemia.core.jobs import error_context, job_log


def test_a_user_error_is_one_line_and_exit_status_1(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, job_log(tmp_path / "logs/a.log"):
        raise UserError("cohort: nobody is there")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "kalemia: cohort: nobody is there\n"
    text = (tmp_path / "logs/a.log").read_text()
    assert text.endswith("error: cohort: nobody is there\n")
    assert "Traceback" not in text


def test_an_unexpected_error_keeps_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "a.log"):
        raise ZeroDivisionError
    assert "Traceback" in (tmp_path / "a.log").read_text()


def test_messages_of_the_package_are_logged(tmp_path):
    with job_log(tmp_path / "a.log"):
        logging.getLogger("kalemia.beats.segment_beats").info("200 beats")
    assert (tmp_path / "a.log").read_text().endswith(" 200 beats\n")


def test_an_unexpected_error_names_the_subject(tmp_path):
    with pytest.raises(RuntimeError), job_log(str(tmp_path / "a.log")), error_context("p000017"):
        raise RuntimeError("odd")
    assert "p000017" in (tmp_path / "a.log").read_text()
