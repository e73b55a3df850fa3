import os

import pytest

from kalemia.core.errors import UserError
from kalemia.core.runs.partitions import DEFAULT, Partition, Request, check_requests, parse_minutes, read_partitions

PARTITIONS = {"short": Partition(60, False), "gpu": Partition(1440, True), DEFAULT: Partition(60, False)}


def _sinfo(tmp_path, monkeypatch, script):
    (tmp_path / "sinfo").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("time", "minutes"),
    [("1-00:00:00", 1440), ("7-12:30:00", 10_830), ("2:00:00", 120), ("30:00", 30), ("infinite", 10_000_000)],
)
def test_time_limits_are_read_as_slurm_prints_them(time, minutes):
    assert parse_minutes(time) == minutes


def test_partitions_are_those_of_sinfo_and_a_star_marks_the_default(tmp_path, monkeypatch):
    lines = ("short*|1:00:00|(null)", "gpu|1-00:00:00|(null)", "gpu|1-00:00:00|gpu:a100:4")
    _sinfo(tmp_path, monkeypatch, "\n".join(f"echo '{line}'" for line in lines))
    assert read_partitions() == PARTITIONS


def test_a_cluster_that_does_not_answer_is_told_in_one_line(tmp_path, monkeypatch):
    _sinfo(tmp_path, monkeypatch, "echo 'sinfo: error: no controller' >&2; exit 1")
    with pytest.raises(UserError, match=r"^SLURM does not answer: sinfo: error: no controller; is this a login node"):
        read_partitions()


def test_requests_that_fit_get_the_time_of_their_partition():
    requests = [Request("generic", "gpu", 720, 1), Request("beats", "short", 20, 0), Request("ledger", "", 30, 0)]
    assert check_requests(requests, PARTITIONS) == {"generic": 1440, "beats": 60, "ledger": 60}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("generic", "short", 30, 1), "generic asks for a GPU and the partition short has none"),
        (Request("generic", "", 30, 1), "generic asks for a GPU and the default partition has none"),
        (Request("cohort", "short", 720, 0), "cohort asks for 720 minutes and the partition short ends jobs after 60"),
        (Request("cohort", "long", 720, 0), "there is no partition long; there are gpu, short"),
    ],
)
def test_a_request_that_slurm_would_refuse_is_told_with_the_line_of_the_profile(request_, said):
    with pytest.raises(UserError, match=f"^profile: .*{said}"):
        check_requests([request_], PARTITIONS)
