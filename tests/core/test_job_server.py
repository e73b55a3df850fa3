"""Jobs in forks of the job server: they do what they do by themselves, and end with whoever waits for them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kalemia.core.job_server import ADDRESS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the job server runs on Linux only"),
]

RUN = """
import os, sys, time
from kalemia.core.job_server import start_server
start_server("json")
print(os.environ["KALEMIA_JOB_SERVER"], flush=True)
sys.stdin.read()
"""
JOB = "import os, sys\nfrom kalemia.core.job_server import run_in_server\nrun_in_server()\n"


def _start_run() -> tuple[subprocess.Popen, Path]:
    """A process that has started a server, as the main process of a run does, and the address of the server."""
    environment = {name: value for name, value in os.environ.items() if name != ADDRESS}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", RUN], env=environment, **pipes)
    address = Path(process.stdout.readline().strip())
    _wait_for(address.exists, 120)
    return process, address


@pytest.fixture(scope="module")
def address():
    process, address = _start_run()
    yield address
    process.communicate()
    _wait_for(lambda: not address.parent.exists(), 20)


def _wait_for(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def _job(tmp_path: Path, code: str) -> list[str]:
    script = tmp_path / "job.py"
    script.write_text(JOB + code)
    return [sys.executable, str(script)]


def _environment(address: Path | str, **more: str) -> dict[str, str]:
    return os.environ | {ADDRESS: str(address), "OMP_NUM_THREADS": "1"} | more


def _done(tmp_path: Path, code: str, address: Path | str, **more: str):
    command = _job(tmp_path, code)
    environment = _environment(address, **more)
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60, check=False
    )


def _parent(tmp_path: Path, address: Path | str, **more: str) -> str:
    """The command line of the process that runs as the parent of a job."""
    done = _done(tmp_path, "print(open(f'/proc/{os.getppid()}/cmdline').read())", address, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_job_runs_in_a_fork_of_the_server(address, tmp_path):
    assert "kalemia.core.job_server" in _parent(tmp_path, address)


def test_a_job_keeps_its_folder_environment_arguments_and_streams(address, tmp_path):
    code = "print(os.getcwd(), os.environ['MINE'], os.environ.get('KALEMIA_JOB_SERVER'))\nprint('oh', file=sys.stderr)"
    done = _done(tmp_path, code, address, MINE="a value")
    assert (done.stdout, done.stderr, done.returncode) == (f"{tmp_path} a value None\n", "oh\n", 0)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("sys.exit(3)", 3, ""), ("sys.exit('wrong')", 1, "wrong\n"), ("raise ValueError('why')", 1, "ValueError: why\n")],
)
def test_a_job_that_fails_has_its_status_and_its_message(address, tmp_path, code, status, error):
    done = _done(tmp_path, code, address)
    assert done.returncode == status
    assert done.stderr.endswith(error)


def test_a_fork_that_is_killed_is_a_failed_job(address, tmp_path):
    done = _done(tmp_path, "import signal; os.kill(os.getpid(), signal.SIGKILL)", address)
    assert (done.returncode, done.stderr) == (1, "kalemia: the process of this job was killed\n")


def test_a_killed_job_takes_its_fork_with_it(address, tmp_path):
    command = _job(tmp_path, "import time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)")
    process = subprocess.Popen(command, env=_environment(address), cwd=tmp_path)
    _wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 30)
    fork = Path("/proc") / (tmp_path / "pid").read_text()
    assert int(fork.name) != process.pid
    process.kill()
    process.wait()
    _wait_for(lambda: not fork.exists(), 10)


def test_jobs_run_side_by_side(address, tmp_path):
    """Two jobs that wait for each other's file both end."""
    code = "import time\nopen({mine!r}, 'w')\nwhile not os.path.exists({other!r}): time.sleep(0.01)"
    jobs = []
    for mine, other in (("one", "two"), ("two", "one")):
        (tmp_path / mine).mkdir()
        paths = {"mine": str(tmp_path / f"{mine}.done"), "other": str(tmp_path / f"{other}.done")}
        jobs.append(subprocess.Popen(_job(tmp_path / mine, code.format(**paths)), env=_environment(address)))
    assert [job.wait(30) for job in jobs] == [0, 0]


@pytest.mark.parametrize("more", [{"OMP_NUM_THREADS": "2"}, {ADDRESS: "off"}, {ADDRESS: "/tmp/kalemia-other-1/jobs"}])
def test_other_jobs_run_by_themselves(address, tmp_path, more):
    """Those of several threads, those of a run without a server, and those of another interpreter."""
    assert "kalemia.core.job_server" not in _parent(tmp_path, **({"address": address} | more))


def test_a_job_whose_server_is_not_ready_runs_by_itself(address, tmp_path):
    assert "kalemia.core.job_server" not in _parent(tmp_path, address.with_name("not-ready"))


def test_the_server_ends_with_the_run_and_leaves_nothing():
    process, address = _start_run()
    process.kill()
    process.communicate()
    _wait_for(lambda: not address.parent.exists(), 20)


def test_jobs_outlive_a_server_that_is_killed(tmp_path):
    """One that it runs goes on; one that it has not taken, and later ones, run by themselves."""
    run, address = _start_run()
    (server,) = map(int, Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split())
    code = "import time\nopen('began', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('done')"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": _environment(address)}
    taken = subprocess.Popen(_job(tmp_path, code), cwd=tmp_path, **pipes)
    _wait_for((tmp_path / "began").exists, 30)
    os.kill(server, signal.SIGSTOP)
    (tmp_path / "waiting").mkdir()
    waiting = subprocess.Popen(_job(tmp_path / "waiting", "print('done')"), cwd=tmp_path, **pipes)
    time.sleep(1)
    assert waiting.poll() is None
    os.kill(server, signal.SIGKILL)
    (tmp_path / "go").touch()
    for job in (taken, waiting):
        assert (*job.communicate(timeout=30), job.returncode) == ("done\n", "", 0)
    assert _done(tmp_path, "print('done')", address).stdout == "done\n"
    run.communicate()


def test_a_server_whose_run_is_killed_at_once_ends_too():
    program = RUN.replace("sys.stdin.read()", "os.kill(os.getpid(), 9)")
    environment = {name: value for name, value in os.environ.items() if name != ADDRESS}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    _wait_for(lambda: not Path(done.stdout.strip()).parent.exists(), 60)


def test_no_server_is_started_where_it_is_switched_off():
    program = "import os; from kalemia.core.job_server import start_server; start_server(); print(os.environ[ADDRESS])"
    program = program.replace("ADDRESS", repr(ADDRESS))
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=_environment("off"), capture_output=True, text=True, check=True)
    assert done.stdout == "off\n"
